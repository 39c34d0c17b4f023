{{/* How many pods a slot may have, and the HorizontalPodAutoscaler that decides it. */}}

{{/* Whether a slot is scaled, as text: empty means not. A cold slot is not: an autoscaler takes 0 for "switched off".
     Input: root, slot. */}}
{{- define "detection-api.autoscaled" -}}
{{- $slot := get .root.Values.slots .slot -}}
{{- if and .root.Values.autoscaling.enabled $slot.autoscaling (gt (int $slot.replicas) 0) }}true{{ end -}}
{{- end }}

{{/* Fewest pods that a slot has at rest. Input: root, slot. */}}
{{- define "detection-api.leastReplicas" -}}
{{- $replicas := (get .root.Values.slots .slot).replicas | int -}}
{{- if include "detection-api.autoscaled" . }}{{ max $replicas (int .root.Values.autoscaling.minReplicas) }}{{ else }}{{ $replicas }}{{ end -}}
{{- end }}

{{/* Most pods that a slot has at rest. Input: root, slot. */}}
{{- define "detection-api.mostReplicas" -}}
{{- if include "detection-api.autoscaled" . }}{{ .root.Values.autoscaling.maxReplicas | int }}{{ else }}{{ include "detection-api.leastReplicas" . }}{{ end -}}
{{- end }}

{{/* Pods of a slot for people: 3, or 3 to 10. Input: root, slot. */}}
{{- define "detection-api.podCount" -}}
{{ include "detection-api.leastReplicas" . }}{{ if include "detection-api.autoscaled" . }} to {{ .root.Values.autoscaling.maxReplicas }}{{ end -}}
{{- end }}

{{/* HorizontalPodAutoscaler of a slot. It measures the container alone, so that a sidecar injected by a mesh does not count.
     Input: root, slot. */}}
{{- define "detection-api.horizontalPodAutoscaler" -}}
{{- if include "detection-api.autoscaled" . -}}
{{- $autoscaling := .root.Values.autoscaling -}}
{{- $behavior := $autoscaling.behavior -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: detection-api-hpa-{{ .slot }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" (dict "root" .root "app" "detection-api" "slot" .slot) | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: detection-api-{{ .slot }}
  minReplicas: {{ include "detection-api.leastReplicas" . }}
  maxReplicas: {{ $autoscaling.maxReplicas }}
  metrics:
    {{- range $resource, $percent := dict "cpu" $autoscaling.targetCPUUtilizationPercentage "memory" $autoscaling.targetMemoryUtilizationPercentage }}
    - type: ContainerResource
      containerResource:
        name: {{ $resource }}
        container: detection-api
        target:
          type: Utilization
          averageUtilization: {{ $percent }}
    {{- end }}
  behavior:
    {{- range $direction, $rule := $behavior }}
    {{ $direction }}:
      stabilizationWindowSeconds: {{ $rule.stabilizationWindowSeconds }}
      policies:
        - type: Pods
          value: {{ $rule.pods }}
          periodSeconds: {{ $rule.periodSeconds }}
    {{- end }}
{{- end }}
{{- end }}
