{{/* PodDisruptionBudget of one slot, so that the pods of the idle slot never count for the active one.
     minAvailable where the slot is larger than it; else maxUnavailable 1, because minAvailable would forbid every drain;
     none for a slot without pods, whose budget would only be reported as broken. Unhealthy pods may always be evicted:
     they serve nobody and would block a drain for ever. Input: root, slot. */}}
{{- define "detection-api.podDisruptionBudget" -}}
{{- $labels := dict "root" .root "app" "detection-api" "slot" .slot -}}
{{- $budget := .root.Values.podDisruptionBudget -}}
{{- $replicas := include "detection-api.leastReplicas" . | int -}}
{{- if and $budget.enabled (gt $replicas 0) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: detection-api-{{ .slot }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" $labels | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- if gt $replicas (int $budget.minAvailable) }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else }}
  maxUnavailable: 1
  {{- end }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "detection-api.selectorLabels" $labels | nindent 6 }}
{{- end }}
{{- end }}
