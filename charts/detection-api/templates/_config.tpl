{{/* Settings of one slot as environment variables, and the ConfigMap that carries them. */}}

{{/* Settings of a slot: `config` with the slot's own keys over it. Input: root, slot. Output: JSON. */}}
{{- define "detection-api.slotConfig" -}}
{{- mergeOverwrite (deepCopy .root.Values.config) (get .root.Values.slots .slot).config | toJson -}}
{{- end }}

{{/* Data of a slot's ConfigMap. Input: root, slot. */}}
{{- define "detection-api.configData" -}}
{{- $config := include "detection-api.slotConfig" . | fromJson -}}
COT_STALE: {{ $config.cotStale | quote }}
DATA_DIR: /app/data
DRAIN_DELAY: {{ $config.drainDelay | quote }}
FLAG_GREEN_CE90_M: {{ $config.flagGreenCE90M | toString | quote }}
FLAG_YELLOW_CE90_M: {{ $config.flagYellowCE90M | toString | quote }}
LEASE_DURATION: {{ $config.leaseDuration | quote }}
LISTEN_ADDR: ":8000"
LOG_FORMAT: {{ $config.logFormat | quote }}
LOG_LEVEL: {{ $config.logLevel | quote }}
MAX_BODY_BYTES: {{ $config.maxBodyBytes | int64 | quote }}
QUEUE_MAX_BYTES: {{ $config.queueMaxBytes | int64 | quote }}
SHUTDOWN_TIMEOUT: {{ $config.shutdownTimeout | quote }}
SLOT: {{ .slot }}
SQLITE_TMPDIR: /app/data
STORE_TIMEOUT: {{ $config.storeTimeout | quote }}
STORE_URL: http://detection-api-store:8081
SUBJECT_RATE: {{ $config.subjectRatePerSecond | toString | quote }}
TARGET_WAIT: {{ $config.targetWait | quote }}
{{- end }}

{{/* Name of a slot's ConfigMap; it ends in a hash of the data, because the object is immutable. Input: root, slot. */}}
{{- define "detection-api.configName" -}}
detection-config-{{ .slot }}-{{ include "detection-api.configData" . | sha256sum | trunc 8 }}
{{- end }}

{{/* One ConfigMap of a slot. Input: root, slot, name, data (text). */}}
{{- define "detection-api.configMap" -}}
{{- /* Argo CD removes what is no longer in Git; with PruneLast the pods that still name it are gone by then. */}}
{{- $prune := dict "argocd.argoproj.io/sync-options" "PruneLast=true" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" (dict "root" .root "app" "detection-api" "slot" .slot) | nindent 4 }}
  annotations:
    {{- include "detection-api.annotations" (dict "root" .root "own" $prune) | nindent 4 }}
immutable: true
data:
  {{- .data | nindent 2 }}
{{- end }}

{{/* Names of the earlier ConfigMaps of a slot that stay, newest first; the one that the slot's pods run with comes before all
     others. Needs no cluster, so that it can be tested. Input: root, slot, live (ConfigMaps), deployment (or empty).
     Output: JSON list. */}}
{{- define "detection-api.earlierConfigs" -}}
{{- $current := include "detection-api.configName" . -}}
{{- $prefix := printf "detection-config-%s-" .slot -}}
{{- $running := "" -}}
{{- range dig "spec" "template" "spec" "containers" list .deployment -}}
  {{- range .envFrom }}{{ $running = dig "configMapRef" "name" $running . }}{{ end -}}
{{- end -}}
{{- $ages := dict -}}
{{- range .live -}}
  {{- $ours := eq (dig "labels" "app.kubernetes.io/instance" "" .metadata) $.root.Release.Name -}}
  {{- if and $ours (hasPrefix $prefix .metadata.name) (ne .metadata.name $current) -}}
    {{- $_ := set $ages (printf "%s %s" (eq .metadata.name $running | ternary "9" .metadata.creationTimestamp) .metadata.name) .metadata.name -}}
  {{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range $age := keys $ages | sortAlpha | reverse }}{{ $names = append $names (get $ages $age) }}{{ end -}}
{{- $most := sub (int .root.Values.configMaps.generations) 1 | int -}}
{{- toJson (gt (len $names) $most | ternary (slice $names 0 (min $most (len $names))) $names) -}}
{{- end }}

{{/* The ConfigMap of a slot, and those of earlier generations as the cluster has them: what a release does not render, Helm
     removes. Input: root, slot. */}}
{{- define "detection-api.configMaps" -}}
{{- include "detection-api.configMap" (merge (dict "name" (include "detection-api.configName" .) "data" (include "detection-api.configData" .)) .) }}
{{- $live := dict -}}
{{- range (lookup "v1" "ConfigMap" .root.Release.Namespace "").items }}{{ $_ := set $live .metadata.name . }}{{ end -}}
{{- $deployment := lookup "apps/v1" "Deployment" .root.Release.Namespace (printf "detection-api-%s" .slot) -}}
{{- range include "detection-api.earlierConfigs" (merge (dict "live" (values $live) "deployment" $deployment) .) | fromJsonArray }}
---
{{ include "detection-api.configMap" (merge (dict "name" . "data" (toYaml (get $live .).data)) $) }}
{{- end }}
{{- end }}
