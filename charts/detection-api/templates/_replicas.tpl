{{/* Guard of the pod counts: who decides a slot's count may change only where that costs no pods that carry traffic. */}}

{{/* Why this release must not change who decides the count of a slot, in one line, or nothing. Needs no cluster, so that it can be
     tested. Input:
       namespace, slot, active (bool: the slot carries traffic), helm4 (bool)
       autoscaled (text) and replicas          what this release renders
       live, hpa                               the slot's Deployment and HorizontalPodAutoscaler in the cluster; empty: none */}}
{{- define "detection-api.replicasRefusal" -}}
{{- $name := printf "detection-api-%s" .slot -}}
{{- $running := dig "spec" "replicas" 1 .live | int -}}
{{- $value := printf "slots.%s.autoscaling" .slot -}}
{{- $scale := printf "kubectl -n %s scale deployment/%s --replicas" .namespace $name -}}
{{- if not .live -}}
{{- else if and .active .autoscaled (not .hpa) (gt $running 1) -}}
{{ $value }} is on, but Deployment {{ $name }} has a fixed count ({{ $running }}) and carries traffic: handing it to the autoscaler would start it again from one pod. Use --set {{ $value }}=false until slot {{ .slot }} is idle
{{- else if and .active .hpa (not .autoscaled) (lt .replicas $running) -}}
slots.{{ .slot }}.replicas is {{ .replicas }}, but the autoscaler that this release removes runs {{ $running }} pods for the traffic of slot {{ .slot }}: use --set slots.{{ .slot }}.replicas={{ $running }}
{{- else if and .helm4 .hpa (not .autoscaled) (ne .replicas $running) -}}
slots.{{ .slot }}.replicas is {{ .replicas }}, but the autoscaler of slot {{ .slot }} owns that field, which Helm 4 respects. Run first: {{ $scale }}={{ .replicas }}
{{- else if and .helm4 .autoscaled (eq $running 0) (include "detection-api.countOwners" .live) -}}
slot {{ .slot }} was scaled to 0 by {{ include "detection-api.countOwners" .live }}, and no autoscaler wakes it from there. Run first: {{ $scale }}=1
{{- end -}}
{{- end }}

{{/* Who, other than Helm, owns the field `replicas` of a Deployment (comma-separated). Input: the Deployment. */}}
{{- define "detection-api.countOwners" -}}
{{- $owners := list -}}
{{- range dig "metadata" "managedFields" list . -}}
  {{- if and (ne .manager "helm") (hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas") }}{{ $owners = append $owners .manager }}{{ end -}}
{{- end -}}
{{- join ", " $owners -}}
{{- end }}

{{/* Fails such a release. Says nothing where no cluster answers. Input: the root context. */}}
{{- define "detection-api.guardReplicas" -}}
{{- $service := lookup "v1" "Service" .Release.Namespace "detection-api-service" -}}
{{- range $slot := list "blue" "green" -}}
{{- $name := printf "detection-api-%s" $slot -}}
{{- with include "detection-api.replicasRefusal" (dict "namespace" $.Release.Namespace "slot" $slot
    "active" (eq $slot (dig "spec" "selector" "slot" "" $service)) "helm4" (hasPrefix "v4." $.Capabilities.HelmVersion.Version)
    "autoscaled" (include "detection-api.autoscaled" (dict "root" $ "slot" $slot)) "replicas" ((get $.Values.slots $slot).replicas | int)
    "live" (lookup "apps/v1" "Deployment" $.Release.Namespace $name)
    "hpa" (lookup "autoscaling/v2" "HorizontalPodAutoscaler" $.Release.Namespace (printf "detection-api-hpa-%s" $slot))) }}{{ fail . }}{{ end -}}
{{- end -}}
{{- end }}
