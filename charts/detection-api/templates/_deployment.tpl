{{/* Deployment of one slot. Nothing here may depend on activeSlot: promoting must not touch a pod. */}}

{{/* Pod template of a slot. Input: root, slot. */}}
{{- define "detection-api.slotPodTemplate" -}}
{{- $values := .root.Values -}}
{{- $labels := dict "root" .root "app" "detection-api" "slot" .slot -}}
{{- $volumes := include "detection-api.slotVolumes" . | fromJsonArray -}}
metadata:
  labels:
    {{- include "detection-api.podLabels" $labels | nindent 4 }}
    {{- include "detection-api.extraPodLabels" (dict "root" .root "group" $values.api) | nindent 4 }}
  {{- with include "detection-api.podAnnotations" (dict "root" .root "group" $values.api "port" 8000) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: detection-api-sa
  {{- include "detection-api.podFields" (dict "root" .root "group" $values.api) | nindent 2 }}
  topologySpreadConstraints:
    {{- range $key, $unsatisfiable := dict "kubernetes.io/hostname" $values.api.topologySpread.hostname "topology.kubernetes.io/zone" $values.api.topologySpread.zone }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $unsatisfiable }}
      nodeTaintsPolicy: Honor
      labelSelector:
        matchLabels:
          {{- include "detection-api.selectorLabels" $labels | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  containers:
    - name: detection-api
      image: {{ include "detection-api.image" (dict "root" .root "image" (get $values.slots .slot).image) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [serve]
      ports:
        - name: http
          containerPort: 8000
          protocol: TCP
      envFrom:
        - configMapRef:
            name: {{ include "detection-api.configName" . }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- with include "detection-api.goMemLimit" $values.api }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- if not $values.secrets.jwtKeys.existingSecret }}
        {{- include "detection-api.secretEnv" (dict "name" "JWT_SECRET_KEY" "secret" $values.secrets.jwt.existingSecret "key" "secret_key") | nindent 8 }}
        {{- end }}
        {{- include "detection-api.secretEnv" (dict "name" "STORE_TOKEN" "secret" $values.secrets.store.existingSecret "key" "token") | nindent 8 }}
        {{- range $name, $key := dict "TAK_ADDR" "endpoint" "TAK_USERNAME" "username" "TAK_PASSWORD" "password" }}
        {{- include "detection-api.secretEnv" (dict "name" $name "secret" $values.secrets.tak.existingSecret "key" $key "optional" (ne $key "endpoint")) | nindent 8 }}
        {{- end }}
        {{- with $values.api.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      resources:
        {{- toYaml $values.api.resources | nindent 8 }}
      securityContext:
        {{- include "detection-api.containerSecurityContext" . | nindent 8 }}
      {{- include "detection-api.probes" $values.api.probes | nindent 6 }}
      {{- if $values.api.preStopSleepSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $values.api.preStopSleepSeconds }}
      {{- end }}
      volumeMounts:
        - name: queue
          mountPath: /app/data
        {{- range $volumes }}
        - name: {{ .name }}
          mountPath: {{ .mountPath }}
          {{- if .readOnly }}
          readOnly: true
          {{- end }}
        {{- end }}
        {{- with $values.api.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: queue
      emptyDir:
        sizeLimit: {{ $values.api.queueSizeLimit }}
    {{- range $volumes }}
    {{- toYaml (list (merge (dict "name" .name) .source)) | nindent 4 }}
    {{- end }}
    {{- with $values.api.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Fingerprint of a slot's pod template, by which the promotion guard sees that a release would restart pods.
     Input: root, slot. */}}
{{- define "detection-api.podTemplateHash" -}}
{{ include "detection-api.slotPodTemplate" . | sha256sum | trunc 16 }}
{{- end }}

{{/* The Deployment. Input: root, slot. */}}
{{- define "detection-api.deployment" -}}
{{- $labels := dict "root" .root "app" "detection-api" "slot" .slot -}}
{{- $api := .root.Values.api -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: detection-api-{{ .slot }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" $labels | nindent 4 }}
  annotations:
    {{- $hash := dict "detection-api/pod-template-hash" (include "detection-api.podTemplateHash" . | trim) }}
    {{- include "detection-api.annotations" (dict "root" .root "own" $hash) | nindent 4 }}
spec:
  {{- /* Under an autoscaler the count is its own: a release that named one would set it back. */}}
  {{- if not (include "detection-api.autoscaled" .) }}
  replicas: {{ (get .root.Values.slots .slot).replicas }}
  {{- end }}
  revisionHistoryLimit: {{ $api.revisionHistoryLimit }}
  minReadySeconds: {{ $api.minReadySeconds }}
  selector:
    matchLabels:
      {{- include "detection-api.selectorLabels" $labels | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ $api.strategy.maxSurge }}
      maxUnavailable: {{ $api.strategy.maxUnavailable }}
  template:
    {{- include "detection-api.slotPodTemplate" . | nindent 4 }}
{{- end }}
