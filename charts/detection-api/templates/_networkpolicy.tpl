{{/* Parts of the NetworkPolicies. Every connection needs a policy in both directions: egress at its start, ingress at its end. */}}

{{/* A NetworkPolicy, or nothing when they are off. Input: root, name, pods ("all", "ours", or an app label), spec (text below policyTypes),
     types (list). */}}
{{- define "detection-api.networkPolicy" -}}
{{- if .root.Values.networkPolicies.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    {{- if eq .pods "all" }} {}
    {{- else if eq .pods "ours" }}
    matchLabels:
      app.kubernetes.io/instance: {{ .root.Release.Name }}
      app.kubernetes.io/part-of: detection-cop
    {{- else }}
    matchLabels:
      {{- include "detection-api.selectorLabels" (dict "root" .root "app" .pods) | nindent 6 }}
    {{- end }}
  policyTypes: {{ .types | toJson }}
  {{- with .spec }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Peers from namespace selectors. Input: a list of label selectors. */}}
{{- define "detection-api.namespacePeers" -}}
{{- $peers := list -}}
{{- range . }}{{ $peers = append $peers (dict "namespaceSelector" .) }}{{ end -}}
{{- toYaml $peers -}}
{{- end }}

{{/* Peers that are one of our own apps. Input: root, app. */}}
{{- define "detection-api.appPeer" -}}
- podSelector:
    matchLabels:
      {{- include "detection-api.selectorLabels" . | nindent 6 }}
{{- end }}
