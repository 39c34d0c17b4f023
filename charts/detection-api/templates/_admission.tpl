{{/* The promotion guard in the API server. It holds for everybody who changes detection-api-service: helm upgrade, helm rollback,
     Argo CD, kubectl. A policy can look at one other object, so there is a policy for each target slot. */}}

{{/* Name of the policy that guards promotions to a slot; cluster-scoped, so the namespace is part of it. Input: root, slot. */}}
{{- define "detection-api.admissionPolicyName" -}}
{{ .root.Release.Namespace }}-detection-api-promote-{{ .slot }}
{{- end }}

{{/* The policy. Input: root, slot. */}}
{{- define "detection-api.admissionPolicy" -}}
{{- if .root.Values.promotion.admissionPolicy.enabled -}}
{{- $forced := "detection-api/promotion-forced" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ include "detection-api.admissionPolicyName" . }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  failurePolicy: Fail
  paramKind:
    apiVersion: apps/v1
    kind: Deployment
  matchConstraints:
    # Not on CREATE: a first install makes the Service before the Deployments.
    resourceRules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [UPDATE]
        resources: [services]
        resourceNames: [detection-api-service]
  matchConditions:
    - name: moves-traffic-to-{{ .slot }}
      expression: >-
        object.metadata.namespace == '{{ .root.Release.Namespace }}' && has(object.spec.selector) &&
        'slot' in object.spec.selector && object.spec.selector['slot'] == '{{ .slot }}' &&
        !(has(oldObject.spec.selector) && 'slot' in oldObject.spec.selector && oldObject.spec.selector['slot'] == '{{ .slot }}')
    # Break-glass: the annotation must come, or get another value, with the very change that it is for.
    - name: not-forced
      expression: >-
        !(has(object.metadata.annotations) && '{{ $forced }}' in object.metadata.annotations &&
        !(has(oldObject.metadata.annotations) && '{{ $forced }}' in oldObject.metadata.annotations &&
        oldObject.metadata.annotations['{{ $forced }}'] == object.metadata.annotations['{{ $forced }}']))
  validations:
    - expression: >-
        has(params.status.observedGeneration) && params.status.observedGeneration == params.metadata.generation
      message: slot {{ .slot }} has a change that its controller has not seen yet; wait for kubectl rollout status deployment/detection-api-{{ .slot }}
      reason: Forbidden
    - expression: >-
        has(params.status.updatedReplicas) && params.status.updatedReplicas == params.spec.replicas &&
        params.status.replicas == params.status.updatedReplicas
      message: slot {{ .slot }} is still rolling out; wait for kubectl rollout status deployment/detection-api-{{ .slot }}
      reason: Forbidden
    - expression: >-
        has(params.status.readyReplicas) && params.status.readyReplicas >= params.spec.replicas &&
        params.status.readyReplicas >= {{ max 1 (include "detection-api.leastReplicas" . | int) }}
      messageExpression: >-
        'slot {{ .slot }} has ' + string(has(params.status.readyReplicas) ? params.status.readyReplicas : 0) + ' of ' +
        string(params.spec.replicas) + ' pods ready, needed: at least {{ max 1 (include "detection-api.leastReplicas" . | int) }}'
      reason: Forbidden
{{- end }}
{{- end }}

{{/* The binding: without the Deployment of the slot nothing may move there. Input: root, slot. */}}
{{- define "detection-api.admissionBinding" -}}
{{- if .root.Values.promotion.admissionPolicy.enabled -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "detection-api.admissionPolicyName" . }}
  labels:
    {{- include "detection-api.commonLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  policyName: {{ include "detection-api.admissionPolicyName" . }}
  matchResources:
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ .root.Release.Namespace }}
  paramRef:
    name: detection-api-{{ .slot }}
    namespace: {{ .root.Release.Namespace }}
    parameterNotFoundAction: Deny
  validationActions: [Deny]
{{- end }}
{{- end }}
