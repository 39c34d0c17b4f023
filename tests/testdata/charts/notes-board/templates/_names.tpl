{{/* Labels of a pod and what selects it. Input: root, part. */}}
{{- define "notes-board.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* Labels of an object. Input: root, part. */}}
{{- define "notes-board.labels" -}}
{{ include "notes-board.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "notes-board.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ printf "%s/%s@%s" .registry .repository .digest }}
{{- else }}{{ printf "%s/%s:%s" .registry .repository (.tag | default $.Chart.AppVersion) }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Name of the Secret with the key that signs sessions; nothing when there is none. */}}
{{- define "notes-board.sessionSecret" -}}
{{- .Values.session.existingSecret | default (.Values.session.create | ternary (printf "%s-session" .Release.Name) "") -}}
{{- end }}

{{- define "notes-board.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "notes-board.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}
