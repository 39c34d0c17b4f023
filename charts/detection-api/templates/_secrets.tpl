{{/* Secrets: rendered for development, demanded otherwise. */}}

{{/* Value of one key of a development Secret: the given one, else the one in the cluster, else a random one where that helps.
     Input: root, secret, key, given, random (bool). */}}
{{- define "detection-api.developmentValue" -}}
{{- $live := get ((lookup "v1" "Secret" .root.Release.Namespace .secret).data | default dict) .key -}}
{{- if .given }}{{ .given }}{{ else if $live }}{{ b64dec $live }}{{ else if .random }}{{ randAlphaNum 64 }}{{ end -}}
{{- end }}

{{/* A development Secret. Input: root, name, values (key to the input of developmentValue: given, random). */}}
{{- define "detection-api.developmentSecret" -}}
{{- if .root.Values.secrets.development.create -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
type: Opaque
data:
  {{- range $key, $value := .values }}
  {{ $key }}: {{ include "detection-api.developmentValue" (merge (dict "root" $.root "secret" $.name "key" $key) $value) | b64enc | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Why the Secrets in the cluster do not do, in one line, or nothing. Needs no cluster, so that it can be tested.
     Input: namespace, createNamespace (the command that makes it; empty: it exists), release, secrets: a list of
       name, key (the one that must be there), create (arguments for kubectl), live (the Secret, or empty). */}}
{{- define "detection-api.secretRefusal" -}}
{{- $problems := list -}}
{{- $commands := list -}}
{{- with .createNamespace -}}
  {{- $problems = append $problems "the namespace does not exist" -}}
  {{- $commands = append $commands . -}}
{{- end -}}
{{- range .secrets -}}
  {{- $annotations := dig "metadata" "annotations" dict .live -}}
  {{- if not .live -}}
    {{- $problems = append $problems (printf "Secret %s does not exist" .name) -}}
    {{- $commands = append $commands (printf "kubectl -n %s create secret generic %s %s" $.namespace .name .create) -}}
  {{- else if eq (get $annotations "meta.helm.sh/release-name") $.release -}}
    {{- $problems = append $problems (printf "Secret %s belongs to this release, which would delete it" .name) -}}
  {{- else if not (get (.live.data | default dict) .key) -}}
    {{- $problems = append $problems (printf "Secret %s has nothing under the key %s" .name .key) -}}
    {{- $commands = append $commands (printf "kubectl -n %s delete secret %s && kubectl -n %s create secret generic %s %s" $.namespace .name $.namespace .name .create) -}}
  {{- end -}}
{{- end -}}
{{- if and $problems $commands -}}
namespace {{ .namespace }}: {{ join "; " $problems }}. Run: {{ join " && " $commands }} (or for development: --set secrets.development.create=true)
{{- else if $problems -}}
namespace {{ .namespace }}: {{ join "; " $problems }}. The release was installed with development Secrets: add its values file, --reuse-values or --set secrets.development.create=true
{{- end -}}
{{- end }}

{{/* Refuses a release whose pods could not start for want of a Secret. Says nothing where no cluster answers (helm template, Argo CD).
     Input: the root context. */}}
{{- define "detection-api.requireSecrets" -}}
{{- $secrets := .Values.secrets -}}
{{- if and (not $secrets.development.create) (include "detection-api.hasCluster" .) -}}
{{- $wanted := list
    (dict "name" $secrets.jwt.existingSecret "key" "secret_key" "create" "--from-literal=secret_key=\"$(openssl rand -base64 48)\"")
    (dict "name" $secrets.tak.existingSecret "key" "endpoint" "create" "--from-literal=endpoint=HOST:PORT --from-literal=username=USER --from-literal=password=PASSWORD")
    (dict "name" $secrets.store.existingSecret "key" "token" "create" "--from-literal=token=\"$(openssl rand -base64 48)\"") -}}
{{- range $wanted }}{{ $_ := set . "live" (lookup "v1" "Secret" $.Release.Namespace .name) }}{{ end -}}
{{- $createNamespace := "" -}}
{{- if not (lookup "v1" "Namespace" "" .Release.Namespace) -}}
{{- $createNamespace = printf "helm template %s charts/detection-api -n %s --set namespace.create=true -s templates/namespace.yaml | kubectl apply -f -" .Release.Name .Release.Namespace -}}
{{- end -}}
{{- with include "detection-api.secretRefusal" (dict "namespace" .Release.Namespace "createNamespace" $createNamespace "release" .Release.Name "secrets" $wanted) }}{{ fail . }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Whether `lookup` reaches a cluster. The namespace itself answers for a deployer with rights in it alone; where it does
     not exist yet (--create-namespace), the namespace `default` does. Input: the root context. */}}
{{- define "detection-api.hasCluster" -}}
{{- if lookup "v1" "Namespace" "" .Release.Namespace }}true
{{- else if lookup "v1" "Namespace" "" "default" }}true
{{- end -}}
{{- end }}
