{{/* Names, labels, images and units that several templates share. Object names are fixed: one release in a namespace. */}}

{{/* Labels that a Deployment, StatefulSet, Service, PDB or NetworkPolicy selects by. They never change: selectors are immutable.
     Input: root, app, slot (optional). */}}
{{- define "detection-api.selectorLabels" -}}
app: {{ .app }}
{{- with .slot }}
slot: {{ . }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Labels of a pod. No version in them: a new chart version alone must not restart anything.
     Input: root, app, slot (optional). */}}
{{- define "detection-api.podLabels" -}}
{{ include "detection-api.selectorLabels" . }}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/component: {{ eq .app "detection-api" | ternary "api" (trimPrefix "detection-api-" .app) }}
app.kubernetes.io/part-of: detection-cop
{{- end }}

{{/* Labels of an object. Input: root, app, slot (optional). */}}
{{- define "detection-api.labels" -}}
{{ include "detection-api.podLabels" . }}
{{ include "detection-api.releaseLabels" .root }}
{{- end }}

{{/* Labels of an object that belongs to no single part. Input: the root context. */}}
{{- define "detection-api.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/part-of: detection-cop
{{ include "detection-api.releaseLabels" . }}
{{- end }}

{{/* Labels that say which release and chart version made an object. Input: the root context. */}}
{{- define "detection-api.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Annotations of an object as a YAML mapping, or nothing: its own ones over those of commonAnnotations.
     Input: root, own (a mapping, may be empty). */}}
{{- define "detection-api.annotations" -}}
{{- with merge (deepCopy (.own | default dict)) .root.Values.commonAnnotations }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* The slot that is not active. Input: the root context. */}}
{{- define "detection-api.idleSlot" -}}
{{- eq .Values.activeSlot "blue" | ternary "green" "blue" -}}
{{- end }}

{{/* Image reference of a slot or the store: its own tag stands without the common digest, which names another image.
     Input: root, image (tag, digest). */}}
{{- define "detection-api.image" -}}
{{- $common := .root.Values.image -}}
{{- $digest := .image.digest | default (empty .image.tag | ternary $common.digest "") -}}
{{- $tag := .image.tag | default $common.tag -}}
{{- if and (not $tag) (not $digest) }}{{ $tag = .root.Chart.AppVersion }}{{ end -}}
{{- printf "%s/%s" $common.registry $common.repository -}}
{{- with $tag }}:{{ . }}{{ end -}}
{{- with $digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* Bytes of a Kubernetes quantity such as 512Mi or 1.5G. Input: the quantity. */}}
{{- define "detection-api.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $number := regexFind "^[0-9.]+" (toString .) -}}
{{- $unit := trimPrefix $number (toString .) -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "%s: the unit must be one of k, M, G, T, Ki, Mi, Gi, Ti" (toString .)) }}{{ end -}}
{{- mulf (float64 $number) (get $units $unit) | int64 -}}
{{- end }}

{{/* Thousandths of a core of a Kubernetes quantity such as 250m, 2 or 0.5. Input: the quantity. */}}
{{- define "detection-api.millicores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text }}{{ trimSuffix "m" $text | float64 | ceil | int64 }}{{ else }}{{ mulf (float64 $text) 1000 | ceil | int64 }}{{ end -}}
{{- end }}

{{/* Milliseconds of a duration such as 20s or 500ms. Input: the duration. */}}
{{- define "detection-api.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- $number := regexFind "^[0-9]+" . -}}
{{- mul ($number | int64) (get $units (trimPrefix $number .)) -}}
{{- end }}
