{{/* Grafana's file provisioning of alerts, contact points and the notification policy. Grafana replaces $NAME in labels and settings
     by its environment, and nothing in models and annotations: the secrets of the contact points are its own. */}}

{{/* One alert rule. A query without data is no alert, as in Prometheus. Input: root, alert. */}}
{{- define "detection-api.grafanaRule" -}}
{{- $values := .root.Values.monitoring.grafana -}}
{{- $source := dict "type" "prometheus" "uid" $values.dataSources.prometheusUID -}}
{{- $evaluator := dict "type" (eq .alert.op ">" | ternary "gt" "lt") "params" (list .alert.threshold) -}}
uid: {{ printf "%s-%s" (lower .alert.name) (sha256sum .root.Release.Namespace | trunc 8) }}
title: {{ .alert.name }}
condition: B
for: {{ .alert.for }}
noDataState: OK
execErrState: Error
data:
  - refId: A
    relativeTimeRange: {from: 600, to: 0}
    datasourceUid: {{ $values.dataSources.prometheusUID }}
    model:
      {{- dict "refId" "A" "expr" .alert.expr "instant" true "range" false "datasource" $source | toYaml | nindent 6 }}
  - refId: B
    datasourceUid: __expr__
    model:
      {{- dict "refId" "B" "type" "threshold" "expression" "A" "conditions" (list (dict "evaluator" $evaluator))
          "datasource" (dict "type" "__expr__" "uid" "__expr__") | toYaml | nindent 6 }}
labels:
  {{- include "detection-api.alertLabels" . | nindent 2 }}
annotations:
  {{- include "detection-api.alertAnnotations" (merge (dict "value" "{{ humanize $values.A.Value }}") .) | nindent 2 }}
{{- if and (or $values.alerting.slack.enabled $values.alerting.pagerDuty.enabled) (not $values.alerting.notificationPolicy) }}
notification_settings:
  receiver: detection-{{ .alert.severity }}
{{- end }}
{{- end }}

{{/* The receivers of a contact point as a YAML list. Warnings go to PagerDuty only where there is no Slack; their severity keeps
     them from waking anybody. Input: alerting (values), severity. */}}
{{- define "detection-api.grafanaReceivers" -}}
{{- if .alerting.slack.enabled }}
- uid: detection-{{ .severity }}-slack
  type: slack
  settings:
    url: $SLACK_WEBHOOK_URL
    recipient: {{ .alerting.slack.channel | quote }}
{{- end }}
{{- if and .alerting.pagerDuty.enabled (or (eq .severity "critical") (not .alerting.slack.enabled)) }}
- uid: detection-{{ .severity }}-pagerduty
  type: pagerduty
  settings:
    integrationKey: $PAGERDUTY_INTEGRATION_KEY
    severity: {{ .severity }}
{{- end }}
{{- end }}

{{/* The provisioning file. Input: the root context. */}}
{{- define "detection-api.grafanaAlerting" -}}
{{- $alerting := .Values.monitoring.grafana.alerting -}}
apiVersion: 1
groups:
  {{- range $group := include "detection-api.alertGroups" . | fromYamlArray }}
  - orgId: 1
    name: {{ .name }} ({{ $.Release.Namespace }})
    folder: {{ $alerting.folder | quote }}
    interval: 30s
    rules:
      {{- range $alert := .alerts }}
      - {{- include "detection-api.grafanaRule" (dict "root" $ "alert" .) | nindent 8 }}
      {{- end }}
  {{- end }}
{{- if or $alerting.slack.enabled $alerting.pagerDuty.enabled }}
contactPoints:
  {{- range $severity := list "critical" "warning" }}
  - orgId: 1
    name: detection-{{ . }}
    receivers:
      {{- include "detection-api.grafanaReceivers" (dict "alerting" $alerting "severity" .) | trim | nindent 6 }}
  {{- end }}
{{- if $alerting.notificationPolicy }}
policies:
  - orgId: 1
    receiver: detection-warning
    group_by: [grafana_folder, alertname, namespace]
    group_wait: 30s
    group_interval: 5m
    repeat_interval: 4h
    routes:
      - receiver: detection-critical
        object_matchers: [[severity, "=", critical]]
        group_wait: 10s
        repeat_interval: 1h
{{- end }}
{{- end }}
{{- end }}
