package render

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	sigsyaml "sigs.k8s.io/yaml"
)

// monitored are the values that turn on everything of monitoring.
var monitored = map[string]string{
	"monitoring.serviceMonitor.enabled": "true", "monitoring.prometheusRule.enabled": "true",
	"monitoring.grafana.dashboards.enabled": "true", "monitoring.grafana.dataSources.enabled": "true", "monitoring.grafana.alerting.enabled": "true",
	"monitoring.logs.alloy.enabled": "true", "monitoring.logs.promtail.enabled": "true", "monitoring.logs.loki.enabled": "true",
}

// monitoringObjects are the objects that each switch brings.
var monitoringObjects = map[string][]string{
	"monitoring.serviceMonitor.enabled": {"ServiceMonitor/detection-api", "ServiceMonitor/detection-api-store"},
	"monitoring.prometheusRule.enabled": {"PrometheusRule/detection-api"},
	"monitoring.grafana.dashboards.enabled": {
		"ConfigMap/detection-system-dashboard-audit-trail", "ConfigMap/detection-system-dashboard-detection-pipeline",
		"ConfigMap/detection-system-dashboard-infrastructure", "ConfigMap/detection-system-dashboard-tak-integration",
	},
	"monitoring.grafana.dataSources.enabled": {"ConfigMap/detection-system-grafana-datasources"},
	"monitoring.grafana.alerting.enabled":    {"ConfigMap/detection-system-grafana-alerting"},
	"monitoring.logs.alloy.enabled":          {"ConfigMap/detection-system-alloy"},
	"monitoring.logs.promtail.enabled":       {"ConfigMap/detection-system-promtail"},
	"monitoring.logs.loki.enabled":           {"ConfigMap/detection-system-loki"},
}

// monitoredWith returns the values of monitored with others over them.
func monitoredWith(over map[string]string) map[string]string {
	set := maps.Clone(monitored)
	maps.Copy(set, over)
	return set
}

// Each switch brings its objects and no others; by default there are none.
func TestMonitoringSwitches(t *testing.T) {
	plain := mustRender(t, "values.yaml", nil)
	for value, keys := range monitoringObjects {
		var added []string
		for key := range mustRender(t, "values.yaml", map[string]string{value: "true"}) {
			if _, there := plain[key]; !there {
				added = append(added, key)
			}
		}
		slices.Sort(added)
		require.Equal(t, keys, added, value)
	}
}

// Each pod is scraped by one ServiceMonitor, once, although several Services stand before it.
func TestServiceMonitorsScrapeEachPodOnce(t *testing.T) {
	rendered := mustRender(t, "values.yaml", monitored)
	scraped := map[string]int{}
	for _, name := range []string{"detection-api", "detection-api-store"} {
		monitor := get[*unstructured.Unstructured](t, rendered, "ServiceMonitor/"+name)
		selector, _, err := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
		require.NoError(t, err)
		endpoints, _, err := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
		require.NoError(t, err)
		require.Len(t, endpoints, 1)
		endpoint := endpoints[0].(map[string]any)
		require.Equal(t, map[string]any{
			"port": "http", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s", "relabelings": endpoint["relabelings"],
		}, endpoint)
		keep := endpoint["relabelings"].([]any)[0].(map[string]any)
		require.Equal(t, "keep", keep["action"])
		require.Equal(t, []any{"__meta_kubernetes_service_name"}, keep["sourceLabels"])
		for _, service := range all[*corev1.Service](rendered) {
			if service.Name == keep["regex"] && labels.SelectorFromSet(selector).Matches(labels.Set(service.Labels)) {
				require.Equal(t, "http", service.Spec.Ports[0].Name)
				for _, owner := range rendered.selectedPods(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector}) {
					scraped[owner]++
				}
			}
		}
		copied, _, err := unstructured.NestedStringSlice(monitor.Object, "spec", "podTargetLabels")
		require.NoError(t, err)
		require.Equal(t, []string{"app", "slot"}, copied)
	}
	require.Equal(t, map[string]int{"detection-api-blue": 1, "detection-api-green": 1, "detection-api-store": 1}, scraped)
}

// Labels by which a Prometheus selects, labels and folders by which Grafana's sidecar finds, and the namespaces of either.
func TestMonitoringIsFound(t *testing.T) {
	set := monitoredWith(map[string]string{
		"monitoring.serviceMonitor.labels.release": "stack", "monitoring.prometheusRule.labels.release": "rules",
		"monitoring.serviceMonitor.interval": "20s", "monitoring.serviceMonitor.scrapeTimeout": "5s",
		"monitoring.grafana.namespace": "grafana", "monitoring.logs.namespace": "logs", "monitoring.grafana.dashboards.folder": "Rescue",
		"commonAnnotations.contact": "duty",
	})
	rendered := mustRender(t, "values.yaml", set)
	for _, name := range []string{"ServiceMonitor/detection-api", "ServiceMonitor/detection-api-store"} {
		monitor := get[*unstructured.Unstructured](t, rendered, name)
		require.Equal(t, "stack", monitor.GetLabels()["release"])
		require.Equal(t, "duty", monitor.GetAnnotations()["contact"])
		require.Contains(t, monitor.Object["spec"].(map[string]any)["endpoints"].([]any)[0], "interval")
	}
	rule := get[*unstructured.Unstructured](t, rendered, "PrometheusRule/detection-api")
	require.Equal(t, "rules", rule.GetLabels()["release"])
	require.Equal(t, "duty", rule.GetAnnotations()["contact"])
	for value, label := range map[string]string{
		"monitoring.grafana.dashboards.enabled": "grafana_dashboard", "monitoring.grafana.dataSources.enabled": "grafana_datasource",
		"monitoring.grafana.alerting.enabled": "grafana_alert",
	} {
		for _, key := range monitoringObjects[value] {
			found := get[*corev1.ConfigMap](t, rendered, strings.Replace(key, "/", "/grafana/", 1))
			require.Equal(t, "1", found.Labels[label], key)
			require.Equal(t, label == "grafana_dashboard", found.Annotations["grafana_folder"] == "Rescue", key)
			require.Equal(t, "duty", found.Annotations["contact"])
		}
	}
	for _, name := range []string{"alloy", "promtail", "loki"} {
		get[*corev1.ConfigMap](t, rendered, "ConfigMap/logs/detection-system-"+name)
	}
}

// What the alerts say is held to a golden file, so that a change of any of them is seen; tests/rules tests what they do.
func TestAlertsGolden(t *testing.T) {
	rendered := mustRender(t, "values.yaml", monitored)
	golden(t, "alerts", get[*unstructured.Unstructured](t, rendered, "PrometheusRule/detection-api").Object["spec"])
	for name, key := range map[string]string{
		"grafana-alerting": "detection-system-alerting.yaml", "grafana-datasources": "detection-system-datasources.yaml",
		"alloy": "config.alloy", "promtail": "promtail.yaml", "loki": "loki-retention.yaml",
	} {
		golden(t, name, get[*corev1.ConfigMap](t, rendered, "ConfigMap/detection-system-"+name).Data[key])
	}
}

// golden compares a text, or a value as YAML, with a file of testdata/monitoring.
func golden(t *testing.T, name string, value any) {
	t.Helper()
	text, isText := value.(string)
	if !isText {
		encoded, err := sigsyaml.Marshal(value)
		require.NoError(t, err)
		text = string(encoded)
	}
	path := "testdata/monitoring/" + name + ".golden"
	if *update {
		require.NoError(t, os.MkdirAll("testdata/monitoring", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "go test -run %s -update writes it anew", t.Name())
}

// alertNames are the alerts of the PrometheusRule.
func alertNames(t *testing.T, rendered objects) []string {
	t.Helper()
	rule := get[*unstructured.Unstructured](t, rendered, "PrometheusRule/detection-api")
	groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
	require.NoError(t, err)
	var names []string
	for _, group := range groups {
		for _, alert := range group.(map[string]any)["rules"].([]any) {
			names = append(names, alert.(map[string]any)["alert"].(string))
		}
	}
	return names
}

// The alerts beside the seven can be left out, and that of the backup is there only where there is one.
func TestFurtherAlerts(t *testing.T) {
	seven := []string{"HighErrorRate", "TAKPushFailure", "QueueDepthHigh", "QueueDepthCritical", "PodRestart", "HighLatency", "LowReplicas"}
	none := monitoredWith(map[string]string{"monitoring.furtherAlerts.enabled": "false"})
	require.Equal(t, seven, alertNames(t, mustRender(t, "values.yaml", none)))
	require.Contains(t, alertNames(t, mustRender(t, "values.yaml", monitored)), "BackupOld")
	noBackup := alertNames(t, mustRender(t, "values.yaml", monitoredWith(map[string]string{"backup.enabled": "false"})))
	require.NotContains(t, noBackup, "BackupOld")
	require.Contains(t, noBackup, "DeadLetters")
}

// Who is told: both, one of them, or nobody; by a notification policy or by each rule.
func TestGrafanaContactPoints(t *testing.T) {
	alerting := func(set map[string]string) map[string]any {
		rendered := mustRender(t, "values.yaml", monitoredWith(set))
		var file map[string]any
		text := get[*corev1.ConfigMap](t, rendered, "ConfigMap/detection-system-grafana-alerting").Data["detection-system-alerting.yaml"]
		require.NoError(t, sigsyaml.UnmarshalStrict([]byte(text), &file))
		return file
	}
	const slack, pagerDuty = "monitoring.grafana.alerting.slack.enabled", "monitoring.grafana.alerting.pagerDuty.enabled"
	require.Equal(t, []string{"critical-pagerduty", "warning-pagerduty"}, receivers(alerting(map[string]string{slack: "false"})))
	require.Equal(t, []string{"critical-slack", "warning-slack"}, receivers(alerting(map[string]string{pagerDuty: "false"})))
	nobody := alerting(map[string]string{slack: "false", pagerDuty: "false"})
	require.NotContains(t, nobody, "contactPoints")
	require.NotContains(t, nobody, "policies")

	const policy = "monitoring.grafana.alerting.notificationPolicy"
	require.Len(t, alerting(map[string]string{policy: "true"})["policies"], 1)
	byRule := alerting(nil)
	require.NotContains(t, byRule, "policies")
	require.Contains(t, byRule, "contactPoints")
	first := byRule["groups"].([]any)[0].(map[string]any)["rules"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"receiver": "detection-critical"}, first["notification_settings"])
	silent := alerting(map[string]string{slack: "false", pagerDuty: "false"})
	require.NotContains(t, silent["groups"].([]any)[0].(map[string]any)["rules"].([]any)[0], "notification_settings")
}

// receivers are those of all contact points, without their common prefix.
func receivers(file map[string]any) []string {
	var found []string
	for _, point := range file["contactPoints"].([]any) {
		for _, receiver := range point.(map[string]any)["receivers"].([]any) {
			found = append(found, strings.TrimPrefix(receiver.(map[string]any)["uid"].(string), "detection-"))
		}
	}
	return found
}

// What a site decides about addresses, retention and the audit log of the API server.
func TestLogSettings(t *testing.T) {
	set := monitoredWith(map[string]string{
		"monitoring.logs.pushURL": "http://loki.logs:3100/push", "monitoring.logs.auditLogPath": "/var/log/audit.log",
		"monitoring.logs.loki.retentionDays": "3", "monitoring.logs.loki.deleteRequestStore": "s3",
		"monitoring.grafana.dataSources.prometheusUID": "prom-1",
	})
	rendered := mustRender(t, "values.yaml", set)
	data := func(name string) string {
		var texts []string
		for _, text := range get[*corev1.ConfigMap](t, rendered, "ConfigMap/detection-system-"+name).Data {
			texts = append(texts, text)
		}
		require.Len(t, texts, 1)
		return texts[0]
	}
	for _, collector := range []string{"alloy", "promtail"} {
		require.Contains(t, data(collector), "http://loki.logs:3100/push")
		require.Contains(t, data(collector), `"/var/log/audit.log"`)
		require.Contains(t, data(collector), "kubernetes-audit")
	}
	require.Contains(t, data("loki"), "retention_period: 72h\n")
	require.Contains(t, data("loki"), "delete_request_store: s3")
	require.Contains(t, data("grafana-datasources"), "uid: prom-1\n")
	require.Contains(t, data("grafana-alerting"), "datasourceUid: prom-1\n")
}

// Values of monitoring that contradict each other are refused, and each at its limit is not.
func TestMonitoringRefusals(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		want string // nothing: rendered
	}{
		{map[string]string{"monitoring.serviceMonitor.scrapeTimeout": "31s"}, "monitoring.serviceMonitor.scrapeTimeout is 31s but monitoring.serviceMonitor.interval is 30s"},
		{map[string]string{"monitoring.serviceMonitor.scrapeTimeout": "30s"}, ""},
		{map[string]string{"monitoring.rateWindow": "89s"}, "monitoring.rateWindow is 89s but monitoring.serviceMonitor.interval is 30s: the window must hold at least three scrapes"},
		{map[string]string{"monitoring.rateWindow": "90s"}, ""},
		{map[string]string{"monitoring.alerts.queueDepthHigh.items": "5000"}, "monitoring.alerts.queueDepthHigh.items is 5000 but monitoring.alerts.queueDepthCritical.items is 5000"},
		{map[string]string{"monitoring.alerts.queueDepthHigh.items": "4999"}, ""},
		{map[string]string{"monitoring.alerts.highErrorRate.for": "6m"}, "/monitoring/alerts/highErrorRate/for"},
		{map[string]string{"monitoring.alerts.highLatency.seconds": "10"}, "/monitoring/alerts/highLatency/seconds"},
	} {
		_, err := render(t, "values.yaml", c.set)
		if c.want == "" {
			require.NoError(t, err, c.set)
		} else {
			require.ErrorContains(t, err, c.want)
		}
	}
}
