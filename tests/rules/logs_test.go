package rules

import (
	"regexp"
	"slices"
	"testing"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"github.com/stretchr/testify/require"
)

// Alloy's configuration is one for Alloy's own parser, and every component that is named exists. What the arguments of a
// component mean is known to Alloy alone; that part is not verified here.
func TestAlloyConfigurationParses(t *testing.T) {
	config := text(t, rendered(t), "detection-system-alloy", "config.alloy")
	file, err := parser.ParseFile("config.alloy", []byte(config))
	require.NoError(t, err)
	var components []string
	for _, statement := range file.Body {
		block := statement.(*ast.BlockStmt)
		components = append(components, block.GetBlockName()+"."+block.Label)
	}
	require.Equal(t, []string{
		"discovery.kubernetes.pods", "discovery.relabel.pods", "local.file_match.pods", "loki.source.file.pods", "loki.process.pods",
		"local.file_match.audit", "loki.source.file.audit", "loki.process.audit", "loki.write.loki",
	}, components)
	references := regexp.MustCompile(`((?:discovery|local|loki)(?:\.\w+)+)\.(?:targets|output|receiver)\b`).FindAllStringSubmatch(config, -1)
	require.Len(t, references, 8)
	for _, reference := range references {
		require.True(t, slices.Contains(components, reference[1]), "%s is used and is not there", reference[1])
	}
	_, err = parser.ParseFile("config.alloy", []byte(config[:len(config)-5]))
	require.Error(t, err, "positive control")
}

// promtail is what the tests read of Promtail's configuration.
type promtail struct {
	Server        map[string]any      `json:"server"`
	Positions     map[string]string   `json:"positions"`
	Clients       []map[string]string `json:"clients"`
	ScrapeConfigs []struct {
		JobName            string           `json:"job_name"`
		KubernetesSDConfig []map[string]any `json:"kubernetes_sd_configs"`
		StaticConfigs      []map[string]any `json:"static_configs"`
		RelabelConfigs     []struct {
			SourceLabels []string `json:"source_labels"`
			Separator    string   `json:"separator"`
			TargetLabel  string   `json:"target_label"`
			Replacement  string   `json:"replacement"`
		} `json:"relabel_configs"`
		PipelineStages []map[string]any `json:"pipeline_stages"`
	} `json:"scrape_configs"`
}

// Both collectors give a line the labels by which it is looked for, and read its level and time from the JSON.
func TestCollectorsKeepLabels(t *testing.T) {
	objects := rendered(t)
	alloy := text(t, objects, "detection-system-alloy", "config.alloy")
	config := parse[promtail](t, text(t, objects, "detection-system-promtail", "promtail.yaml"))
	targets := map[string]string{}
	for _, rule := range config.ScrapeConfigs[0].RelabelConfigs {
		targets[rule.TargetLabel] = rule.SourceLabels[0]
	}
	for label, from := range map[string]string{
		"namespace": "__meta_kubernetes_namespace", "pod": "__meta_kubernetes_pod_name", "container": "__meta_kubernetes_pod_container_name",
		"app": "__meta_kubernetes_pod_label_app", "slot": "__meta_kubernetes_pod_label_slot",
	} {
		require.Equal(t, from, targets[label])
		require.Regexp(t, `source_labels = \["`+from+`"\]\n +target_label  = "`+label+`"`, alloy)
	}
	stages := config.ScrapeConfigs[0].PipelineStages
	require.Equal(t, map[string]any{"expressions": map[string]any{"level": "level", "time": "time"}}, stages[1]["json"])
	require.Equal(t, map[string]any{"source": "time", "format": "RFC3339Nano"}, stages[2]["timestamp"])
	require.Equal(t, "/var/log/pods/*$1/*.log", config.ScrapeConfigs[0].RelabelConfigs[6].Replacement)
}
