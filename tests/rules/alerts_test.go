package rules

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// The seven alerts of the design with its severities, thresholds and times; everything else is in a group of its own.
func TestTheSevenAlerts(t *testing.T) {
	groups := prometheusRules(t).Groups
	require.Len(t, groups, 2)
	require.Equal(t, "detection-api", groups[0].Name)
	require.Equal(t, "detection-api-further", groups[1].Name)
	var seven []string
	for _, a := range groups[0].Rules {
		seven = append(seven, fmt.Sprintf("%s %s %s %s", a.Alert, a.Labels["severity"], a.Expr[strings.LastIndexAny(a.Expr, "<>"):], a.For))
	}
	require.Equal(t, []string{
		"HighErrorRate critical > 5 5m", "TAKPushFailure critical > 10 5m", "QueueDepthHigh warning > 1000 10m",
		"QueueDepthCritical critical > 5000 5m", "PodRestart warning > 0 0s", "HighLatency warning > 2 5m", "LowReplicas critical < 2 2m",
	}, seven)
}

// A critical alert is out within five minutes of its condition, is looked at twice a minute, and says where to read on.
func TestAlertsTellWhatToDo(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks/alerts.md")
	require.NoError(t, err)
	sections := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^##+ (\w+)$`).FindAllSubmatch(page, -1) {
		sections[strings.ToLower(string(heading[1]))] = true
	}
	rules := prometheusRules(t)
	for _, group := range rules.Groups {
		require.Equal(t, "30s", group.Interval)
	}
	for _, a := range rules.alerts() {
		require.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
		require.Equal(t, namespace, a.Labels["namespace"], a.Alert)
		held, err := model.ParseDuration(a.For)
		require.NoError(t, err, a.Alert)
		if a.Labels["severity"] == "critical" {
			require.LessOrEqual(t, time.Duration(held), 5*time.Minute, a.Alert)
		}
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.Regexp(t, `\.$`, a.Annotations["description"], a.Alert)
		_, section, _ := strings.Cut(a.Annotations["runbook_url"], "/docs/runbooks/alerts.md#")
		require.True(t, sections[section], "%s: docs/runbooks/alerts.md has no section %q", a.Alert, section)
		for key, annotation := range a.Annotations {
			require.NotRegexp(t, `<[a-z]+>`, annotation, "%s: %s has a placeholder left", a.Alert, key)
		}
	}
}

// A promotion changes the selector of one Service. Rules that followed activeSlot would be a second change.
func TestAlertsDoNotDependOnTheActiveSlot(t *testing.T) {
	values := t.TempDir() + "/green.yaml"
	require.NoError(t, os.WriteFile(values, []byte("activeSlot: green\n"), 0o600))
	require.Equal(t, prometheusRules(t), prometheusRules(t, values))
	blue, green := rendered(t), rendered(t, values)
	for _, name := range []string{"detection-system-grafana-alerting", "detection-system-alloy", "detection-system-dashboard-infrastructure"} {
		require.Equal(t, blue["ConfigMap/"+name], green["ConfigMap/"+name])
	}
}

// provisioning is Grafana's file format for alerting, apiVersion 1, as far as the chart uses it.
type provisioning struct {
	APIVersion    int             `json:"apiVersion"`
	Groups        []grafanaGroup  `json:"groups"`
	ContactPoints []contactPoint  `json:"contactPoints"`
	Policies      []grafanaPolicy `json:"policies"`
}

type grafanaGroup struct {
	OrgID    int           `json:"orgId"`
	Name     string        `json:"name"`
	Folder   string        `json:"folder"`
	Interval string        `json:"interval"`
	Rules    []grafanaRule `json:"rules"`
}

type grafanaRule struct {
	UID                  string            `json:"uid"`
	Title                string            `json:"title"`
	Condition            string            `json:"condition"`
	For                  string            `json:"for"`
	NoDataState          string            `json:"noDataState"`
	ExecErrState         string            `json:"execErrState"`
	Data                 []grafanaQuery    `json:"data"`
	Labels               map[string]string `json:"labels"`
	Annotations          map[string]string `json:"annotations"`
	NotificationSettings struct {
		Receiver string `json:"receiver"`
	} `json:"notification_settings"`
}

type grafanaQuery struct {
	RefID             string         `json:"refId"`
	RelativeTimeRange map[string]int `json:"relativeTimeRange,omitempty"`
	DatasourceUID     string         `json:"datasourceUid"`
	Model             struct {
		RefID      string            `json:"refId"`
		Expr       string            `json:"expr"`
		Instant    bool              `json:"instant"`
		Range      bool              `json:"range"`
		Type       string            `json:"type"`
		Expression string            `json:"expression"`
		Datasource map[string]string `json:"datasource"`
		Conditions []struct {
			Evaluator struct {
				Type   string    `json:"type"`
				Params []float64 `json:"params"`
			} `json:"evaluator"`
		} `json:"conditions"`
	} `json:"model"`
}

type contactPoint struct {
	OrgID     int    `json:"orgId"`
	Name      string `json:"name"`
	Receivers []struct {
		UID      string            `json:"uid"`
		Type     string            `json:"type"`
		Settings map[string]string `json:"settings"`
	} `json:"receivers"`
}

type grafanaPolicy struct {
	OrgID          int             `json:"orgId"`
	Receiver       string          `json:"receiver"`
	GroupBy        []string        `json:"group_by"`
	GroupWait      string          `json:"group_wait"`
	GroupInterval  string          `json:"group_interval"`
	RepeatInterval string          `json:"repeat_interval"`
	ObjectMatchers [][]string      `json:"object_matchers"`
	Routes         []grafanaPolicy `json:"routes"`
}

// Grafana's rules are the PrometheusRule's: the same expression, threshold, time, labels and texts.
func TestGrafanaHasTheSameAlerts(t *testing.T) {
	file := parse[provisioning](t, text(t, rendered(t), "detection-system-grafana-alerting", "detection-system-alerting.yaml"))
	require.Equal(t, 1, file.APIVersion)
	uids := map[string]bool{}
	for i, group := range prometheusRules(t).Groups {
		require.Equal(t, group.Interval, file.Groups[i].Interval)
		require.Len(t, file.Groups[i].Rules, len(group.Rules))
		for j, want := range group.Rules {
			got := file.Groups[i].Rules[j]
			require.LessOrEqual(t, len(got.UID), 40, "Grafana takes no longer uid")
			require.False(t, uids[got.UID], got.UID)
			uids[got.UID] = true
			requireSameAlert(t, want, got)
		}
	}
}

func requireSameAlert(t *testing.T, want alert, got grafanaRule) {
	t.Helper()
	query, condition := got.Data[0], got.Data[1]
	require.Equal(t, "prometheus", query.DatasourceUID)
	require.True(t, query.Model.Instant)
	require.Equal(t, "B", got.Condition)
	require.Equal(t, "__expr__", condition.DatasourceUID)
	require.Equal(t, "A", condition.Model.Expression)
	require.Equal(t, "OK", got.NoDataState, "no data is no alert for Prometheus")
	evaluator := condition.Model.Conditions[0].Evaluator
	sign := map[string]string{"gt": ">", "lt": "<"}[evaluator.Type]
	require.Contains(t, []string{
		fmt.Sprintf("%s %s %v", query.Model.Expr, sign, evaluator.Params[0]), fmt.Sprintf("(%s) %s %v", query.Model.Expr, sign, evaluator.Params[0]),
	}, want.Expr)
	require.Equal(t, want.Alert, got.Title)
	require.Equal(t, want.For, got.For)
	require.Equal(t, want.Labels, got.Labels)
	for key, text := range want.Annotations {
		text = strings.ReplaceAll(text, "{{ $value | humanize }}", "{{ humanize $values.A.Value }}")
		require.Equal(t, text, got.Annotations[key])
		require.NotContains(t, text, "${", "Grafana would replace it by its environment")
	}
}

// Critical alerts page and are told on Slack, warnings are told; no secret is in the chart.
func TestGrafanaRoutes(t *testing.T) {
	file := parse[provisioning](t, text(t, rendered(t), "detection-system-grafana-alerting", "detection-system-alerting.yaml"))
	receivers := map[string][]string{}
	for _, point := range file.ContactPoints {
		for _, receiver := range point.Receivers {
			receivers[point.Name] = append(receivers[point.Name], receiver.Type)
			secret := receiver.Settings["url"] + receiver.Settings["integrationKey"]
			require.Regexp(t, `^\$[A-Z_]+$`, secret, receiver.UID)
		}
	}
	require.Equal(t, map[string][]string{"detection-critical": {"slack", "pagerduty"}, "detection-warning": {"slack"}}, receivers)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			require.Equal(t, "detection-"+rule.Labels["severity"], rule.NotificationSettings.Receiver, rule.Title)
		}
	}
	require.Empty(t, file.Policies, "the only policy of Grafana's organisation is replaced on request only")

	values := t.TempDir() + "/policy.yaml"
	require.NoError(t, os.WriteFile(values, []byte("monitoring: {grafana: {alerting: {notificationPolicy: true}}}\n"), 0o600))
	file = parse[provisioning](t, text(t, rendered(t, values), "detection-system-grafana-alerting", "detection-system-alerting.yaml"))
	require.Len(t, file.Policies, 1)
	require.Equal(t, "detection-warning", file.Policies[0].Receiver)
	require.Len(t, file.Policies[0].Routes, 1)
	require.Equal(t, "detection-critical", file.Policies[0].Routes[0].Receiver)
	require.Equal(t, [][]string{{"severity", "=", "critical"}}, file.Policies[0].Routes[0].ObjectMatchers)
}

// Texts in ConfigMaps are no YAML to Helm: both versions have to write the same one.
func TestBothVersionsOfHelmWriteTheSameTexts(t *testing.T) {
	loaded, err := loadedChart()
	require.NoError(t, err)
	options := chart.Options{Namespace: namespace, ValuesFiles: []string{"values-prod.yaml", "values-platform.yaml"}}
	three, err := loaded.Render(chart.Helm3, options)
	require.NoError(t, err)
	four, err := loaded.Render(chart.Helm4, options)
	require.NoError(t, err)
	before, err := three.Objects()
	require.NoError(t, err)
	after, err := four.Objects()
	require.NoError(t, err)
	require.Equal(t, before.Keys(), after.Keys())
	for key, object := range before {
		require.Equal(t, object, after[key], key)
	}
}
