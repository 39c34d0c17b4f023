{{/* Services in front of the slots. activeSlot changes the selector of detection-api-service, and no other object. */}}

{{/* Metadata and the port that every Service of the API shares. Input: root, name, annotations (optional), spec (text),
     slot (empty: both), nodePort (0: none). */}}
{{- define "detection-api.service" -}}
{{- $labels := dict "root" .root "app" "detection-api" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" $labels | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" .annotations) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- .spec | nindent 2 }}
  selector:
    {{- include "detection-api.selectorLabels" (merge (dict "slot" .slot) $labels) | nindent 4 }}
  ports:
    - name: http
      port: 8000
      targetPort: http
      protocol: TCP
      {{- with .nodePort }}
      nodePort: {{ . }}
      {{- end }}
{{- end }}

{{/* Largest request body that either slot takes, in bytes. Input: the root context. */}}
{{- define "detection-api.largestBody" -}}
{{- $bytes := list -}}
{{- range $slot := list "blue" "green" -}}
  {{- $bytes = append $bytes ((include "detection-api.slotConfig" (dict "root" $ "slot" $slot) | fromJson).maxBodyBytes | int64) -}}
{{- end -}}
{{- max (first $bytes) (last $bytes) -}}
{{- end }}
