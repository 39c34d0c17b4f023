{{/* Secrets: rendered for development, unsealed by the Sealed Secrets controller, demanded otherwise. */}}

{{/* The Secrets this chart knows: the value that holds each one, its name, its keys (the first must be there), its type.
     Input: the root context. Output: a JSON list. */}}
{{- define "detection-api.knownSecrets" -}}
{{- $secrets := .Values.secrets -}}
{{- list
    (dict "value" "jwt" "name" $secrets.jwt.existingSecret "keys" (list "secret_key") "type" "Opaque")
    (dict "value" "tak" "name" $secrets.tak.existingSecret "keys" (list "endpoint" "username" "password") "type" "Opaque")
    (dict "value" "store" "name" $secrets.store.existingSecret "keys" (list "token") "type" "Opaque")
    (dict "value" "registry" "name" "registry-credentials" "keys" (list ".dockerconfigjson") "type" "kubernetes.io/dockerconfigjson")
    | toJson -}}
{{- end }}

{{/* Names of the Secrets that SealedSecrets of this release make, in one line, or nothing. Input: the root context. */}}
{{- define "detection-api.sealedNames" -}}
{{- $names := list -}}
{{- range include "detection-api.knownSecrets" . | fromJsonArray -}}
{{- if (get $.Values.secrets .value).sealed }}{{ $names = append $names .name }}{{ end -}}
{{- end -}}
{{- join " " $names -}}
{{- end }}

{{/* A SealedSecret, or nothing. No scope annotation: kubeseal's strict scope, so that a ciphertext fits this name in this
     namespace only. Input: root, value (key below `secrets`). */}}
{{- define "detection-api.sealedSecret" -}}
{{- $sealed := (get .root.Values.secrets .value).sealed -}}
{{- if $sealed -}}
{{- range include "detection-api.knownSecrets" .root | fromJsonArray -}}
{{- if eq .value $.value -}}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: {{ .name | quote }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "detection-api.commonLabels" $.root | nindent 4 }}
  annotations:
    {{- /* Under Argo CD the Secret is there before the pods that read it. */}}
    {{- include "detection-api.annotations" (dict "root" $.root "own" (dict "argocd.argoproj.io/sync-wave" "-1")) | nindent 4 }}
spec:
  encryptedData:
    {{- toYaml $sealed | nindent 4 }}
  template:
    type: {{ .type }}
    metadata:
      labels:
        {{- include "detection-api.commonLabels" $.root | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

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
  name: {{ .name | quote }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
type: Opaque
data:
  {{- range $key, $value := .values }}
  {{ $key }}: {{ include "detection-api.developmentValue" (merge (dict "root" $.root "secret" $.name "key" $key) $value) | b64enc | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Why the Secrets in the cluster do not do, in one line, or nothing. Needs no cluster, so that it can be tested.
     Input: namespace, createNamespace (the command that makes it; empty: it exists), release, secrets: a list of
       name, key (the one that must be there; empty: any), create (arguments for kubectl), live (the Secret, or empty), sealed (bool: a
       SealedSecret of this release makes it). */}}
{{- define "detection-api.secretRefusal" -}}
{{- $problems := list -}}
{{- $commands := list -}}
{{- with .createNamespace -}}
  {{- $problems = append $problems "the namespace does not exist" -}}
  {{- $commands = append $commands . -}}
{{- end -}}
{{- range .secrets -}}
  {{- $annotations := dig "metadata" "annotations" dict .live -}}
  {{- if and .sealed (not .live) -}}
    {{- /* Its SealedSecret comes with this release. */ -}}
  {{- else if not .live -}}
    {{- $problems = append $problems (printf "Secret %s does not exist" .name) -}}
    {{- $commands = append $commands (printf "kubectl -n %s create secret generic %s %s" $.namespace .name .create) -}}
  {{- else if eq (get $annotations "meta.helm.sh/release-name") $.release -}}
    {{- $problems = append $problems (printf "Secret %s belongs to this release, which would delete it" .name) -}}
  {{- else if .sealed -}}
    {{- $owners := list -}}
    {{- range dig "metadata" "ownerReferences" list .live }}{{ $owners = append $owners .kind }}{{ end -}}
    {{- if not (or (has "SealedSecret" $owners) (eq (get $annotations "sealedsecrets.bitnami.com/managed") "true")) -}}
    {{- $problems = append $problems (printf "Secret %s was made by hand, and the Sealed Secrets controller replaces it only when it is told to" .name) -}}
    {{- $commands = append $commands (printf "kubectl -n %s annotate secret %s sealedsecrets.bitnami.com/managed=true" $.namespace .name) -}}
    {{- end -}}
  {{- else if and .key (not (get (.live.data | default dict) .key)) -}}
    {{- $problems = append $problems (printf "Secret %s has nothing under the key %s" .name .key) -}}
    {{- $commands = append $commands (printf "kubectl -n %s delete secret %s && kubectl -n %s create secret generic %s %s" $.namespace .name $.namespace .name .create) -}}
  {{- end -}}
{{- end -}}
{{- if and $problems $commands -}}
namespace {{ .namespace }}: {{ join "; " $problems }}. Run: {{ join " && " $commands }} (or for development: --set secrets.development.create=true)
{{- else if $problems -}}
namespace {{ .namespace }}: {{ join "; " $problems }}. The release was installed with development Secrets: add its values file, --reset-then-reuse-values or --set secrets.development.create=true
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
{{- if $secrets.jwtKeys.existingSecret -}}
{{- $wanted = append (rest $wanted) (dict "name" $secrets.jwtKeys.existingSecret "key" "" "create" "--from-literal=KID=\"$(openssl rand -base64 48)\"") -}}
{{- end -}}
{{- with $secrets.clients.existingSecret -}}
{{- $wanted = append $wanted (dict "name" . "key" $secrets.clients.key "create" (printf "--from-file=%s" $secrets.clients.key)) -}}
{{- end -}}
{{- with $secrets.takTLS -}}
{{- $files := compact (list .ca .certificate .key .p12 .password) -}}
{{- if and .existingSecret $files -}}
{{- $wanted = append $wanted (dict "name" .existingSecret "key" (first $files) "create" (printf "--from-file=%s" (join " --from-file=" $files))) -}}
{{- end -}}
{{- end -}}
{{- $sealed := splitList " " (include "detection-api.sealedNames" .) -}}
{{- range $wanted }}{{ $_ := merge . (dict "live" (lookup "v1" "Secret" $.Release.Namespace .name) "sealed" (has .name $sealed)) }}{{ end -}}
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
