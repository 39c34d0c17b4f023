// Package rules tests the alerts and dashboards of the chart: the alerts with promtool as they are rendered, and every metric
// that either names against docs/metrics.md. What the objects around them look like is tested in tests/render.
package rules

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/promtool"
)

const (
	chartDir  = "../../charts/detection-api"
	namespace = "detection-system"
)

// ruleFile is the spec of a PrometheusRule.
type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name     string  `json:"name"`
	Interval string  `json:"interval"`
	Rules    []alert `json:"rules"`
}

type alert struct {
	Alert       string            `json:"alert,omitempty"`
	Record      string            `json:"record,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// alerts are those of all groups.
func (r ruleFile) alerts() []alert {
	var found []alert
	for _, group := range r.Groups {
		found = append(found, group.Rules...)
	}
	return found
}

// mutated returns a copy in which change was applied to the alert of that name.
func (r ruleFile) mutated(name string, change func(*alert)) ruleFile {
	var copied ruleFile
	for _, group := range r.Groups {
		group.Rules = append([]alert(nil), group.Rules...)
		for i := range group.Rules {
			if group.Rules[i].Alert == name {
				change(&group.Rules[i])
			}
		}
		copied.Groups = append(copied.Groups, group)
	}
	return copied
}

var loadedChart = sync.OnceValues(func() (*chart.Chart, error) { return chart.Load(chartDir) })

// rendered is the chart with the alerts both ways.
func rendered(t *testing.T, files ...string) chart.Objects {
	t.Helper()
	render := defaultObjects
	if len(files) > 0 {
		render = func() (chart.Objects, error) { return monitored(files...) }
	}
	objects, err := render()
	require.NoError(t, err)
	return objects
}

// defaultObjects renders the defaults once for all tests.
var defaultObjects = sync.OnceValues(func() (chart.Objects, error) { return monitored() })

// monitored renders the chart with values files and everything of monitoring that the tests read.
func monitored(files ...string) (chart.Objects, error) {
	loaded, err := loadedChart()
	if err != nil {
		return nil, err
	}
	release, err := loaded.Render(chart.Helm4, chart.Options{Namespace: namespace, ValuesFiles: files, Set: map[string]any{
		"monitoring.prometheusRule.enabled": true, "monitoring.grafana.alerting.enabled": true, "monitoring.grafana.dashboards.enabled": true,
		"monitoring.logs.alloy.enabled": true, "monitoring.logs.promtail.enabled": true, "monitoring.logs.auditLogPath": "/var/log/audit.log",
	}})
	if err != nil {
		return nil, err
	}
	return release.Objects()
}

// prometheusRules are the rules as the PrometheusRule has them.
func prometheusRules(t *testing.T, files ...string) ruleFile {
	t.Helper()
	object, err := chart.Get[*unstructured.Unstructured](rendered(t, files...), "PrometheusRule/detection-api")
	require.NoError(t, err)
	var spec struct {
		Spec ruleFile `json:"spec"`
	}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &spec, false))
	return spec.Spec
}

func tool(t *testing.T) *promtool.Tool {
	t.Helper()
	found, err := promtool.Find("../../build/bin")
	require.NoError(t, err, "run ci/fetch-promtool")
	return found
}

// unitTests are the test files of one directory of testdata.
func unitTests(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	require.NoError(t, err)
	var found []string
	for _, file := range all {
		if filepath.Base(file) != "values.yaml" {
			found = append(found, file)
		}
	}
	require.NotEmpty(t, found)
	return found
}

// Each alert fires when it should, at its time, and not otherwise.
func TestAlertsFire(t *testing.T) {
	rules, tool := prometheusRules(t), tool(t)
	require.NoError(t, tool.Check(t.Context(), rules))
	for _, file := range unitTests(t, "default") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, tool.Test(t.Context(), rules, file))
		})
	}
}

// The same with other values for every threshold and time.
func TestThresholdsComeFromValues(t *testing.T) {
	values, err := filepath.Abs("testdata/changed/values.yaml")
	require.NoError(t, err)
	changed := prometheusRules(t, values)
	for _, file := range unitTests(t, "changed") {
		require.NoError(t, tool(t).Test(t.Context(), changed, file))
		require.Error(t, tool(t).Test(t.Context(), prometheusRules(t), file), "positive control: the defaults must not do")
	}
}

// Positive control, and the proof that no alert is without a test that sees it break: each alert is broken in several ways,
// and each time one of the files that name it has to fail.
func TestBrokenAlertsAreFound(t *testing.T) {
	rules, tool := prometheusRules(t), tool(t)
	for _, broken := range rules.alerts() {
		files := filesNaming(t, broken.Alert)
		for name, change := range mutations(broken) {
			if testing.Short() && name != "other direction" {
				continue // the other ways take a minute of processor time: they belong to the full run
			}
			t.Run(broken.Alert+"/"+name, func(t *testing.T) {
				t.Parallel()
				require.ErrorContains(t, tool.Test(t.Context(), rules.mutated(broken.Alert, change), files...), "FAILED")
			})
		}
	}
}

// mutations are ways to break an alert.
func mutations(a alert) map[string]func(*alert) {
	cut := strings.LastIndexAny(a.Expr, "<>")
	sign, threshold := a.Expr[cut:cut+1], strings.TrimSpace(a.Expr[cut+1:])
	opposite := map[string]string{"<": ">=", ">": "<="}[sign]
	found := map[string]func(*alert){
		"other direction": func(a *alert) { a.Expr = a.Expr[:cut] + opposite + a.Expr[cut+1:] },
		"later":           func(a *alert) { a.For = "47m" },
		"any namespace":   func(a *alert) { a.Expr = strings.ReplaceAll(a.Expr, `namespace="`+namespace+`"`, `namespace=~".+"`) },
		"no namespace":    func(a *alert) { a.Expr = strings.ReplaceAll(a.Expr, namespace, "nowhere") },
	}
	if threshold != "0" && threshold != "1" {
		found["half the threshold"] = func(a *alert) { a.Expr = a.Expr[:cut+1] + " 0.5 * " + threshold }
		found["twice the threshold"] = func(a *alert) { a.Expr = a.Expr[:cut+1] + " 2.0 * " + threshold }
	}
	return found
}

// filesNaming are the default tests that expect the alert.
func filesNaming(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, file := range unitTests(t, "default") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if bytes.Contains(text, []byte(`alertname="`+name+`"`)) {
			found = append(found, file)
		}
	}
	require.NotEmpty(t, found, "no test expects %s", name)
	return found
}

// text is a key of a ConfigMap.
func text(t *testing.T, objects chart.Objects, name, key string) string {
	t.Helper()
	object, ok := objects["ConfigMap/"+name]
	require.True(t, ok, "ConfigMap/%s is not rendered", name)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	require.NoError(t, err)
	data, found, err := unstructured.NestedString(content, "data", key)
	require.NoError(t, err)
	require.True(t, found, "%s has no key %s", name, key)
	return data
}

// parse reads YAML strictly into a value of type T.
func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	require.NoError(t, sigsyaml.UnmarshalStrict([]byte(text), &value))
	return value
}
