package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dashboard is what the tests read of a dashboard of Grafana 12.
type dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	Description   string  `json:"description"`
	SchemaVersion int     `json:"schemaVersion"`
	ID            *int    `json:"id"`
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Datasource  source `json:"datasource"`
	GridPos     struct{ H, W, X, Y int }
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []struct {
					Value *float64 `json:"value"`
				} `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
	Targets []struct {
		RefID      string `json:"refId"`
		Expr       string `json:"expr"`
		Datasource source `json:"datasource"`
	} `json:"targets"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// dashboards are the four, as their ConfigMaps carry them.
func dashboards(t *testing.T) []dashboard {
	t.Helper()
	objects := rendered(t)
	var found []dashboard
	for _, name := range []string{"detection-pipeline", "tak-integration", "infrastructure", "audit-trail"} {
		var d dashboard
		require.NoError(t, json.Unmarshal([]byte(text(t, objects, "detection-system-dashboard-"+name, name+".json")), &d), name)
		require.Equal(t, name, d.UID)
		found = append(found, d)
	}
	return found
}

// promQL are the expressions for Prometheus by panel.
func (d dashboard) promQL() map[string]string {
	found := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			if target.Datasource.Type == "prometheus" {
				found[fmt.Sprintf("%s (%d%s)", p.Title, p.ID, target.RefID)] = target.Expr
			}
		}
	}
	return found
}

// panel returns the panel with that title.
func (d dashboard) panel(t *testing.T, title string) panel {
	t.Helper()
	i := slices.IndexFunc(d.Panels, func(p panel) bool { return p.Title == title })
	require.GreaterOrEqual(t, i, 0, "%s has no panel %s", d.Title, title)
	return d.Panels[i]
}

// Each dashboard can be loaded into any Grafana 12: no id, no uid of a data source, no two panels in one place.
func TestDashboardsLoad(t *testing.T) {
	for _, d := range dashboards(t) {
		require.Nil(t, d.ID, d.UID)
		require.Equal(t, 41, d.SchemaVersion, d.UID)
		require.NotEmpty(t, d.Description, d.UID)
		variables := []string{}
		for _, variable := range d.Templating.List {
			variables = append(variables, variable.Name)
		}
		require.Contains(t, variables, "datasource")
		require.Contains(t, variables, "namespace")
		ids, cells := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s: two panels have id %d", d.UID, p.ID)
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					require.Less(t, x, 24, "%s: %s", d.UID, p.Title)
					require.Empty(t, cells[[2]int{x, y}], "%s: %s lies on another panel", d.UID, p.Title)
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type != "row" {
				requirePanel(t, d.UID, p)
			}
		}
	}
}

func requirePanel(t *testing.T, uid string, p panel) {
	t.Helper()
	require.NotEmpty(t, p.Description, "%s: %s", uid, p.Title)
	require.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s: %s", uid, p.Title)
	require.NotEmpty(t, p.Targets, "%s: %s", uid, p.Title)
	for _, target := range p.Targets {
		require.Equal(t, p.Datasource, target.Datasource)
		require.Equal(t, map[string]string{"prometheus": "${datasource}", "loki": "${loki}"}[target.Datasource.Type], target.Datasource.UID)
		if !strings.Contains(target.Expr, "kube_node_status_condition") {
			require.Contains(t, target.Expr, `namespace="$namespace"`, "%s: %s", uid, p.Title)
		}
	}
}

// Every expression for Prometheus is one: promtool reads them as recording rules.
func TestDashboardsAreValidPromQL(t *testing.T) {
	variables := strings.NewReplacer("$namespace", namespace, "$__rate_interval", "5m", "$__range", "1h")
	for _, d := range dashboards(t) {
		group := ruleGroup{Name: d.UID, Interval: "1m"}
		expressions := d.promQL()
		for i, where := range slices.Sorted(maps.Keys(expressions)) {
			group.Rules = append(group.Rules, alert{Record: fmt.Sprintf("panel:%d", i), Expr: variables.Replace(expressions[where])})
		}
		require.NoError(t, tool(t).Check(t.Context(), ruleFile{[]ruleGroup{group}}), d.UID)
		group.Rules[0].Expr += ")"
		require.Error(t, tool(t).Check(t.Context(), ruleFile{[]ruleGroup{group}}), "positive control")
	}
}

// What the design wants to see on each dashboard, and lines where the alerts have their default thresholds.
func TestDashboardsShow(t *testing.T) {
	all := map[string]dashboard{}
	for _, d := range dashboards(t) {
		all[d.Title] = d
	}
	for title, panels := range map[string][]string{
		"Detection Pipeline": {"Requests by status", "Latency", "Error rate", "Distribution of confidence flags"},
		"TAK Integration":    {"Pushes to TAK", "Queue depth", "Sync rate", "Dead letters"},
		"Infrastructure":     {"CPU by pod", "Memory by pod", "Running pods", "Restarts", "Nodes ready", "Age of the newest verified backup"},
		"Audit Trail":        {"Events by type", "Distribution of severity", "Detection throughput"},
	} {
		for _, name := range panels {
			all[title].panel(t, name)
		}
	}
	rules := map[string]alert{}
	for _, a := range prometheusRules(t).alerts() {
		rules[a.Alert] = a
	}
	for _, line := range []struct {
		dashboard, panel, alert string
		scale                   float64
	}{
		{"Detection Pipeline", "Error rate", "HighErrorRate", 1},
		{"Detection Pipeline", "Latency", "HighLatency", 1},
		{"TAK Integration", "Pushes to TAK", "TAKPushFailure", 1},
		{"TAK Integration", "Queue depth", "QueueDepthHigh", 1},
		{"TAK Integration", "Queue depth", "QueueDepthCritical", 1},
		{"Infrastructure", "Ready pods of the active slot", "LowReplicas", 1},
		{"Infrastructure", "Age of the newest verified backup", "BackupOld", 3600},
	} {
		expr := rules[line.alert].Expr
		var threshold float64
		_, err := fmt.Sscan(expr[strings.LastIndexAny(expr, "<>")+1:], &threshold)
		require.NoError(t, err)
		var steps []float64
		for _, step := range all[line.dashboard].panel(t, line.panel).FieldConfig.Defaults.Thresholds.Steps {
			if step.Value != nil {
				steps = append(steps, *step.Value)
			}
		}
		require.Contains(t, steps, threshold*line.scale, "%s: %s", line.dashboard, line.panel)
	}
}
