{{/* A ServiceMonitor, or nothing. A pod stands behind several Services; only the one named is scraped, or its samples would count
     more than once. Input: root, name, app, service. */}}
{{- define "detection-api.serviceMonitor" -}}
{{- $values := .root.Values.monitoring.serviceMonitor -}}
{{- if $values.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- merge (include "detection-api.labels" . | fromYaml) $values.labels | toYaml | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "detection-api.selectorLabels" . | nindent 6 }}
  # Labels of the pod that the alerts and dashboards tell apart; namespace, pod and container come by themselves.
  podTargetLabels: [app, slot]
  endpoints:
    - port: http
      path: /metrics
      interval: {{ $values.interval }}
      scrapeTimeout: {{ $values.scrapeTimeout }}
      relabelings:
        - sourceLabels: [__meta_kubernetes_service_name]
          regex: {{ .service }}
          action: keep
{{- end }}
{{- end }}
