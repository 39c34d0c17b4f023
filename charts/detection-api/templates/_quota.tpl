{{/* Bounds of the namespace, worked out from the worst case that this release can bring about. */}}

{{/* Pods that a rollout of n pods may have above n. Input: surge (count or percent), pods. */}}
{{- define "detection-api.surge" -}}
{{- $surge := toString .surge -}}
{{- if hasSuffix "%" $surge }}{{ divf (mulf (trimSuffix "%" $surge | float64) .pods) 100 | ceil | int64 }}{{ else }}{{ $surge }}{{ end -}}
{{- end }}

{{/* The worst case: both slots at their largest, every pod of them replaced at once (a pod counts until it is gone), the store,
     the backup, retention and release Jobs, the pod of `helm test`. Output: JSON with pods (count), requestsCPU and limitsCPU
     (thousandths of a core), requestsMemory and limitsMemory (bytes). Input: the root context. */}}
{{- define "detection-api.worstCase" -}}
{{- $values := .Values -}}
{{- $serve := 0 -}}
{{- range $slot := list "blue" "green" -}}
  {{- $most := include "detection-api.mostReplicas" (dict "root" $ "slot" $slot) | int -}}
  {{- $surge := include "detection-api.surge" (dict "surge" $values.api.strategy.maxSurge "pods" $most) | int -}}
  {{- if $most }}{{ $serve = add $serve (mul 2 $most) $surge }}{{ end -}}
{{- end -}}
{{- $jobs := add ($values.backup.enabled | ternary (add 2 ($values.backup.atRelease | ternary 1 0)) 0) ($values.helmTest.enabled | ternary 1 0) -}}
{{- $total := dict "pods" (add $serve 1 $jobs) -}}
{{- range $bound := list "requests" "limits" -}}
  {{- $cpu := 0 -}}
  {{- $memory := 0 -}}
  {{- range $part := list (dict "count" $serve "group" $values.api) (dict "count" 1 "group" $values.store) (dict "count" $jobs "group" $values.backup) -}}
    {{- $resources := get $part.group.resources $bound -}}
    {{- $cpu = add $cpu (mul $part.count (include "detection-api.millicores" $resources.cpu | int64)) -}}
    {{- $memory = add $memory (mul $part.count (include "detection-api.bytes" $resources.memory | int64)) -}}
  {{- end -}}
  {{- $_ := set $total (printf "%sCPU" $bound) $cpu -}}
  {{- $_ := set $total (printf "%sMemory" $bound) $memory -}}
{{- end -}}
{{- toJson $total -}}
{{- end }}

{{/* The `hard` part of the ResourceQuota: what is given, else the worst case and the headroom, rounded up to cores and Gi.
     Fails where a given value leaves less than the headroom. Input: the root context. */}}
{{- define "detection-api.quotaHard" -}}
{{- $quota := .Values.resourceQuota -}}
{{- $part := divf (sub 100 $quota.headroomPercent) 100 -}}
{{- $worst := include "detection-api.worstCase" . | fromJson -}}
{{- $kinds := dict
    "requestsCPU" (list "requests.cpu" "detection-api.millicores" 1000 "")
    "limitsCPU" (list "limits.cpu" "detection-api.millicores" 1000 "")
    "requestsMemory" (list "requests.memory" "detection-api.bytes" 1073741824 "Gi")
    "limitsMemory" (list "limits.memory" "detection-api.bytes" 1073741824 "Gi")
    "pods" (list "pods" "" 1 "") -}}
{{- range $key, $kind := $kinds -}}
  {{- $given := get $quota.hard $key -}}
  {{- $need := divf (get $worst $key) $part -}}
  {{- $enough := printf "%d%s" (divf $need (index $kind 2) | ceil | int64) (index $kind 3) -}}
  {{- if $given -}}
    {{- $amount := eq $key "pods" | ternary $given (include (index $kind 1 | default "detection-api.millicores") $given) | float64 -}}
    {{- if lt $amount $need }}{{ fail (printf "resourceQuota.hard.%s is %v but the worst case needs %s (both slots at their largest and replaced at once, the store, jobs, and resourceQuota.headroomPercent free): set it to at least %s, or leave it empty" $key $given $enough $enough) }}{{ end -}}
  {{- end }}
{{ index $kind 0 }}: {{ $given | default $enough | quote }}
{{- end }}
{{- range $key, $name := dict "services" "services" "persistentVolumeClaims" "persistentvolumeclaims" }}
{{ $name }}: {{ get $quota.hard $key | quote }}
{{- end }}
{{- end }}

{{/* Refuses a quota below the worst case, or below the chart's own Services and PersistentVolumeClaims. Input: the root context. */}}
{{- define "detection-api.validateQuota" -}}
{{- if .Values.resourceQuota.enabled -}}
{{- $_ := include "detection-api.quotaHard" . -}}
{{- $hard := .Values.resourceQuota.hard -}}
{{- $part := divf (sub 100 .Values.resourceQuota.headroomPercent) 100 -}}
{{- range $key, $own := dict "services" 5 "persistentVolumeClaims" (add 1 (.Values.backup.enabled | ternary 1 0)) -}}
  {{- $need := divf $own $part | ceil | int -}}
  {{- if lt (get $hard $key | int) $need }}{{ fail (printf "resourceQuota.hard.%s is %v but this chart has %d and resourceQuota.headroomPercent must stay free: set it to at least %d" $key (get $hard $key) $own $need) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}
