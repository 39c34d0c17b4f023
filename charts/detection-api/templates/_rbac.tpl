{{/* Parts of the Roles and their bindings. Two rules hold for all of them: no wildcard, and no right to write RBAC objects. */}}

{{/* Metadata of an RBAC object. Input: root, name, clusterScoped (optional). */}}
{{- define "detection-api.rbacMetadata" -}}
name: {{ .name }}
{{- if not .clusterScoped }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "detection-api.commonLabels" .root | nindent 2 }}
{{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A Role or ClusterRole with the rules of a define of the same name, or nothing when it is off.
     Input: root, enabled, kind, name, rules (text). */}}
{{- define "detection-api.role" -}}
{{- if and .root.Values.rbac.create .enabled -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  {{- include "detection-api.rbacMetadata" (dict "root" .root "name" .name "clusterScoped" (eq .kind "ClusterRole")) | nindent 2 }}
rules:
  {{- .rules | trim | nindent 2 }}
{{- end }}
{{- end }}

{{/* The RoleBinding or ClusterRoleBinding of a Role of the same name; nothing without a subject: who has the rights is then
     decided elsewhere. Input: root, enabled, kind (of the role), name, subjects. */}}
{{- define "detection-api.roleBinding" -}}
{{- if and .root.Values.rbac.create .enabled .subjects -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  {{- include "detection-api.rbacMetadata" (dict "root" .root "name" .name "clusterScoped" (eq .kind "ClusterRole")) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  {{- range .subjects }}
  - kind: {{ .kind }}
    name: {{ .name | quote }}
    {{- if eq .kind "ServiceAccount" }}
    namespace: {{ .namespace | default $.root.Release.Namespace | quote }}
    {{- else }}
    apiGroup: rbac.authorization.k8s.io
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Rules from a mapping of API group to resources, with the same verbs for all of them; "core" is the group without a name.
     Input: verbs, groups. */}}
{{- define "detection-api.rbacRules" -}}
{{- $verbs := .verbs -}}
{{- range $group, $resources := .groups }}
- apiGroups: [{{ eq $group "core" | ternary "" $group | quote }}]
  resources: {{ $resources | toJson }}
  verbs: {{ $verbs | toJson }}
{{- end }}
{{- end }}

{{/* Kinds of operators that this release renders, by API group, for the deployer and the readers. Input: the root context. */}}
{{- define "detection-api.operatorResources" -}}
{{- $values := .Values -}}
{{- $groups := dict -}}
{{- if include "detection-api.sealedNames" . -}}
{{- $_ := set $groups "bitnami.com" (list "sealedsecrets") -}}
{{- end -}}
{{- if $values.certificate.enabled -}}
{{- $_ := set $groups "cert-manager.io" (list "certificates") -}}
{{- end -}}
{{- if $values.httpRoute.enabled -}}
{{- $_ := set $groups "gateway.networking.k8s.io" (list "httproutes") -}}
{{- end -}}
{{- $monitoring := list -}}
{{- if $values.monitoring.prometheusRule.enabled -}}
{{- $monitoring = append $monitoring "prometheusrules" -}}
{{- end -}}
{{- if $values.monitoring.serviceMonitor.enabled -}}
{{- $monitoring = append $monitoring "servicemonitors" -}}
{{- end -}}
{{- with $monitoring -}}
{{- $_ := set $groups "monitoring.coreos.com" . -}}
{{- end -}}
{{- toJson $groups -}}
{{- end }}
