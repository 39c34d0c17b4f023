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
{{- end }}

{{/* Name of a slot's ConfigMap; it ends in a hash of the data, because the object is immutable. Input: root, slot. */}}
{{- define "detection-api.configName" -}}
detection-config-{{ .slot }}-{{ include "detection-api.configData" . | sha256sum | trunc 8 }}
{{- end }}

{{/* ConfigMap of a slot. Input: root, slot. */}}
{{- define "detection-api.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "detection-api.configName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.labels" (dict "root" .root "app" "detection-api" "slot" .slot) | nindent 4 }}
  {{- if .root.Values.configMaps.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
immutable: true
data:
  {{- include "detection-api.configData" . | nindent 2 }}
{{- end }}
