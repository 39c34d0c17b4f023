{{/* Settings of one slot as environment variables, and the ConfigMap that carries them. */}}

{{/* Settings of a slot: `config` with the slot's own keys over it. Input: root, slot. Output: JSON. */}}
{{- define "detection-api.slotConfig" -}}
{{- mergeOverwrite (deepCopy .root.Values.config) (get .root.Values.slots .slot).config | toJson -}}
{{- end }}

{{/* Data of a slot's ConfigMap: environment variables, of which those in _JSON are the contents of files (see
     detection-api.slotFiles). Input: root, slot. */}}
{{- define "detection-api.configData" -}}
{{- $config := include "detection-api.slotConfig" . | fromJson -}}
{{- $values := .root.Values -}}
{{- with $config.cameraProfiles }}
CAMERA_PROFILES: /etc/detection-api/files/cameras.json
CAMERA_PROFILES_JSON: {{ toJson . | quote }}
{{- end }}
{{- if $values.secrets.clients.existingSecret }}
CLIENTS_FILE: /etc/detection-api/clients/{{ $values.secrets.clients.key }}
{{- end }}
COT_CAMERAS: {{ $config.cotCameras | quote }}
{{- if $config.cotProfileChanges }}
COT_PROFILE_FILE: /etc/detection-api/files/cot.json
COT_PROFILE_JSON: {{ set $config.cotProfileChanges "base" $config.cotProfile | toJson | quote }}
{{- else }}
COT_PROFILE: {{ $config.cotProfile }}
{{- end }}
COT_STALE: {{ $config.cotStale | quote }}
DATA_DIR: /app/data
DRAIN_DELAY: {{ $config.drainDelay | quote }}
FLAG_GREEN_CE90_M: {{ $config.flagGreenCE90M | toString | quote }}
FLAG_YELLOW_CE90_M: {{ $config.flagYellowCE90M | toString | quote }}
{{- if $values.secrets.jwtKeys.existingSecret }}
JWT_KEYS: /etc/detection-api/jwt
{{- end }}
LEASE_DURATION: {{ $config.leaseDuration | quote }}
LISTEN_ADDR: ":8000"
LOG_FORMAT: {{ $config.logFormat | quote }}
LOG_LEVEL: {{ $config.logLevel | quote }}
MAX_BODY_BYTES: {{ $config.maxBodyBytes | int64 | quote }}
MAX_STREAMS: {{ $config.maxStreams | int64 | quote }}
{{- if $values.pictures.enabled }}
PICTURES_DIR: /app/pictures
PICTURES_MAX_AGE: {{ $config.picturesMaxAge | quote }}
PICTURES_MAX_BYTES: {{ $config.picturesMaxBytes | int64 | quote }}
{{- end }}
QUEUE_MAX_BYTES: {{ $config.queueMaxBytes | int64 | quote }}
READ_RATE: {{ $config.readsPerSecond | toString | quote }}
SHUTDOWN_TIMEOUT: {{ $config.shutdownTimeout | quote }}
SLOT: {{ .slot }}
SQLITE_TMPDIR: /app/data
STORE_TIMEOUT: {{ $config.storeTimeout | quote }}
STORE_URL: http://detection-api-store:8081
SUBJECT_RATE: {{ $config.subjectRatePerSecond | toString | quote }}
{{- include "detection-api.takData" (dict "config" $config "tls" $values.secrets.takTLS) }}
TARGET_WAIT: {{ $config.targetWait | quote }}
{{- if $values.terrain.existingClaim }}
TERRAIN: /terrain
TERRAIN_CACHE_BYTES: {{ $config.terrainCacheBytes | int64 | quote }}
TERRAIN_DATUM: {{ $config.terrainDatum }}
TERRAIN_SIGMA_M: {{ $config.terrainSigmaM | toString | quote }}
{{- end }}
TOKEN_LIFETIME: {{ $config.tokenLifetime | quote }}
TOKEN_RATE: {{ $config.tokensPerSecond | toString | quote }}
TRACKS: {{ $config.tracks | ternary "on" "off" | quote }}
TRACK_EVERY: {{ $config.trackEvery | quote }}
TRACK_GATE: {{ $config.trackGate | toString | quote }}
TRACK_INDEPENDENT_SHARE: {{ $config.trackIndependentShare | toString | quote }}
TRACK_MAX: {{ $config.trackMax | int64 | quote }}
TRACK_MAX_AGE: {{ $config.trackMaxAge | quote }}
TRACK_MAX_DISTANCE_M: {{ $config.trackMaxDistanceM | toString | quote }}
{{- end }}

{{/* What of it is about the link to TAK. Input: config, tls (secrets.takTLS). */}}
{{- define "detection-api.takData" }}
TAK_ANY_NAME: {{ .config.takAnyName | quote }}
TAK_BACKLOG_RATE: {{ .config.takBacklogPerSecond | toString | quote }}
TAK_EXPIRE_AFTER: {{ .config.takExpireAfter | quote }}
TAK_HTTP_METHOD: {{ .config.takHTTPMethod }}
{{- with .config.takPins }}
TAK_PIN: {{ join "," . | quote }}
{{- end }}
TAK_RETURN_AFTER: {{ .config.takReturnAfter | quote }}
{{- with .config.takServerName }}
TAK_SERVER_NAME: {{ . | quote }}
{{- end }}
{{- if .tls.existingSecret }}
{{- range $name, $key := dict "CA" .tls.ca "CERT" .tls.certificate "KEY" .tls.key "P12" .tls.p12 "PASSWORD_FILE" .tls.password }}
{{- with $key }}
TAK_{{ $name }}: /etc/detection-api/tak/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Volumes of a slot beside its queue, each with `mountPath`: files of the configuration, Secrets, terrain, pictures. None is
     mounted with subPath, which would keep changes from running pods. Input: root, slot. Output: a JSON list. */}}
{{- define "detection-api.slotVolumes" -}}
{{- $values := .root.Values -}}
{{- $volumes := list -}}
{{- $files := list -}}
{{- $data := include "detection-api.configData" . | fromYaml -}}
{{- range $key, $path := dict "CAMERA_PROFILES_JSON" "cameras.json" "COT_PROFILE_JSON" "cot.json" -}}
  {{- if hasKey $data $key }}{{ $files = append $files (dict "key" $key "path" $path) }}{{ end -}}
{{- end -}}
{{- if $files -}}
  {{- $volumes = append $volumes (dict "name" "files" "mountPath" "/etc/detection-api/files" "readOnly" true
      "source" (dict "configMap" (dict "name" (include "detection-api.configName" .) "items" $files))) -}}
{{- end -}}
{{- range $name, $secret := dict "clients" $values.secrets.clients.existingSecret "jwt" $values.secrets.jwtKeys.existingSecret "tak" $values.secrets.takTLS.existingSecret -}}
  {{- if $secret -}}
    {{- $volumes = append $volumes (dict "name" $name "mountPath" (printf "/etc/detection-api/%s" $name) "readOnly" true
        "source" (dict "secret" (dict "secretName" $secret "defaultMode" 288))) -}}
  {{- end -}}
{{- end -}}
{{- with $values.terrain.existingClaim -}}
  {{- $volumes = append $volumes (dict "name" "terrain" "mountPath" "/terrain" "readOnly" true
      "source" (dict "persistentVolumeClaim" (dict "claimName" . "readOnly" true))) -}}
{{- end -}}
{{- if $values.pictures.enabled -}}
  {{- $volumes = append $volumes (dict "name" "pictures" "mountPath" "/app/pictures" "readOnly" false
      "source" (dict "emptyDir" (dict "sizeLimit" $values.pictures.sizeLimit))) -}}
{{- end -}}
{{- toJson $volumes -}}
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
