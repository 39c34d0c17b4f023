{{/* Signed images only. The policy looks at pods and at nothing that makes them: replacing a tag by its digest in a Deployment
     would be a change that the promotion guard, Helm and Argo CD would all see. */}}

{{/* Patterns of the images that must be signed: every tag and every digest of this chart's repository.
     Input: the root context. Output: a JSON list. */}}
{{- define "detection-api.signedImages" -}}
{{- $repository := printf "%s/%s" .Values.image.registry .Values.image.repository -}}
{{- list (printf "%s:*" $repository) (printf "%s@*" $repository) | toJson -}}
{{- end }}

{{/* Policy of Kyverno 1.18 and newer, or nothing. Input: root, kind (the one that is rendered when kyverno.kind says so). */}}
{{- define "detection-api.imageValidatingPolicy" -}}
{{- $kyverno := .root.Values.kyverno -}}
{{- if and $kyverno.enabled (eq $kyverno.kind .kind) -}}
apiVersion: policies.kyverno.io/v1
kind: {{ .kind }}
metadata:
  {{- if eq .kind "ImageValidatingPolicy" }}
  name: {{ .root.Release.Namespace }}-signed-images
  {{- else }}
  name: detection-api-signed-images
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  failurePolicy: Fail
  validationActions: [{{ $kyverno.action }}]
  webhookConfiguration:
    timeoutSeconds: 20
  autogen:
    podControllers:
      controllers: []
  matchConstraints:
    {{- if eq .kind "ImageValidatingPolicy" }}
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ .root.Release.Namespace }}
    {{- end }}
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: [pods]
  matchImageReferences:
    {{- range include "detection-api.signedImages" .root | fromJsonArray }}
    - glob: {{ . | quote }}
    {{- end }}
  validationConfigurations:
    mutateDigest: true
    required: true
    verifyDigest: true
  {{- with $kyverno.credentialSecrets }}
  credentials:
    secrets: {{ toJson . }}
  {{- end }}
  attestors:
    - name: pipeline
      cosign:
        key:
          data: |
            {{- $kyverno.publicKey | trim | nindent 12 }}
        {{- if not $kyverno.transparencyLog }}
        # Without a way out there is no log to ask; the key alone decides.
        ctlog:
          insecureIgnoreSCT: true
          insecureIgnoreTlog: true
        {{- end }}
  validations:
    {{- range $containers := list "containers" "initContainers" }}
    - expression: images.{{ $containers }}.map(image, verifyImageSignatures(image, [attestors.pipeline])).all(count, count > 0)
      message: the image is not signed with the key of kyverno.publicKey
    {{- end }}
{{- end }}
{{- end }}
