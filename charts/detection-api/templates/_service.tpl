{{/* Services in front of the slots: the only objects that activeSlot changes. */}}

{{/* Metadata and the port that every Service of the API shares. Input: root, name, annotations (optional), spec (text),
     selector (a slot, or empty for both), nodePort (0: none). */}}
{{- define "detection-api.service" -}}
{{- $labels := dict "root" .root "app" "detection-api" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" $labels | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
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
