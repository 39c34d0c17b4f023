{{/* Renderings of the alerts in _alerts.tpl, and what the ConfigMaps for Grafana, the log collectors and Loki share. */}}

{{/* The groups of alerts as a YAML list of name and alerts. Input: the root context. */}}
{{- define "detection-api.alertGroups" -}}
{{- $groups := list (dict "name" "detection-api" "alerts" (include "detection-api.sevenAlerts" . | fromYamlArray)) -}}
{{- with include "detection-api.furtherAlerts" . | fromYamlArray -}}
{{- $groups = append $groups (dict "name" "detection-api-further" "alerts" .) -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end }}

{{/* Annotations of an alert as a YAML mapping. Input: root, alert, value (how <value> is written). */}}
{{- define "detection-api.alertAnnotations" -}}
{{- $annotations := dict "runbook_url" (printf "%s#%s" .root.Values.monitoring.runbookURL (lower .alert.name)) -}}
{{- range $key := list "summary" "description" -}}
  {{- $text := replace "<value>" $.value (get $.alert $key) -}}
  {{- $_ := set $annotations $key (regexReplaceAll "<([a-z]+)>" $text "{{ $$labels.${1} }}") -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end }}

{{/* Labels of an alert as a YAML mapping. Input: root, alert. */}}
{{- define "detection-api.alertLabels" -}}
{{- toYaml (dict "severity" .alert.severity "namespace" .root.Release.Namespace "app" "detection-api") -}}
{{- end }}

{{/* The groups of a PrometheusRule. The interval is their own: a critical alert must be out within minutes, whatever the global
     interval is. Input: the root context. */}}
{{- define "detection-api.prometheusGroups" -}}
{{- range include "detection-api.alertGroups" . | fromYamlArray }}
- name: {{ .name }}
  interval: 30s
  rules:
    {{- range $alert := .alerts }}
    {{- $expr := ternary (printf "(%s)" .expr) .expr (or (contains "\n" .expr) (contains " and " .expr)) }}
    - alert: {{ .name }}
      expr: {{ printf "%s %s %v" $expr .op .threshold | toYaml | nindent 8 | trim }}
      for: {{ .for }}
      labels:
        {{- include "detection-api.alertLabels" (dict "root" $ "alert" .) | nindent 8 }}
      annotations:
        {{- include "detection-api.alertAnnotations" (dict "root" $ "alert" . "value" "{{ $value | humanize }}") | nindent 8 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Metadata of a ConfigMap that another program reads. Input: root, name, namespace (empty: the release's), label (empty: none),
     annotations (optional). */}}
{{- define "detection-api.readerMetadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "detection-api.commonLabels" .root | nindent 2 }}
  {{- with .label }}
  {{ . }}: "1"
  {{- end }}
{{- with include "detection-api.annotations" (dict "root" .root "own" .annotations) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A ConfigMap with one dashboard, or nothing. `|-`, as in all these ConfigMaps: Helm 3 cuts the newline off the end of a document
     and Helm 4 does not, so that `|` would mean another text with either. Its name holds the namespace of the release, because Grafana's may be shared.
     Input: root, dashboard (name of the file). */}}
{{- define "detection-api.dashboard" -}}
{{- $values := .root.Values.monitoring.grafana -}}
{{- if $values.dashboards.enabled -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "detection-api.readerMetadata" (dict "root" .root "name" (printf "%s-dashboard-%s" .root.Release.Namespace .dashboard)
      "namespace" $values.namespace "label" $values.dashboards.label "annotations" (dict "grafana_folder" $values.dashboards.folder)) | nindent 2 }}
data:
  {{ .dashboard }}.json: |-
    {{- .root.Files.Get (printf "dashboards/%s.json" .dashboard) | trim | nindent 4 }}
{{- end }}
{{- end }}

{{/* Contradictions between the values of monitoring. Input: the root context. */}}
{{- define "detection-api.validateMonitoring" -}}
{{- $monitoring := .Values.monitoring -}}
{{- $monitor := $monitoring.serviceMonitor -}}
{{- if gt (include "detection-api.milliseconds" $monitor.scrapeTimeout | int64) (include "detection-api.milliseconds" $monitor.interval | int64) -}}
{{- fail (printf "monitoring.serviceMonitor.scrapeTimeout is %s but monitoring.serviceMonitor.interval is %s: the timeout must not be longer" $monitor.scrapeTimeout $monitor.interval) -}}
{{- end -}}
{{- if lt (include "detection-api.milliseconds" $monitoring.rateWindow | int64) (mul 3 (include "detection-api.milliseconds" $monitor.interval | int64)) -}}
{{- fail (printf "monitoring.rateWindow is %s but monitoring.serviceMonitor.interval is %s: the window must hold at least three scrapes" $monitoring.rateWindow $monitor.interval) -}}
{{- end -}}
{{- $alerts := $monitoring.alerts -}}
{{- if ge (int64 $alerts.queueDepthHigh.items) (int64 $alerts.queueDepthCritical.items) -}}
{{- fail (printf "monitoring.alerts.queueDepthHigh.items is %d but monitoring.alerts.queueDepthCritical.items is %d: the warning must come first" (int64 $alerts.queueDepthHigh.items) (int64 $alerts.queueDepthCritical.items)) -}}
{{- end -}}
{{- end }}
