{{/* The promotion guard: traffic moves only to a slot that is ready, as large as the active one, and not being changed. */}}

{{/* Why a promotion is refused, in one line, or nothing when it is safe. Needs no cluster, so that it can be tested.
     Input:
       namespace, from and to      the slots
       current, target             the Deployments of `from` and `to` as the cluster has them; empty: there is none
       rendered                    slot to {replicas, image, hash}: what this release would make of both Deployments */}}
{{- define "detection-api.promotionRefusal" -}}
{{- $name := printf "detection-api-%s" .to -}}
{{- $changed := include "detection-api.promotionChange" . -}}
{{- $found := "" -}}
{{- $running := dig "spec" "replicas" 0 .current | int -}}
{{- $need := max 1 $running -}}
{{- if .target -}}
  {{- $status := .target.status | default dict -}}
  {{- $wanted := dig "spec" "replicas" 1 .target | int -}}
  {{- $need = max 1 $wanted $running -}}
  {{- $ready := $status.readyReplicas | default 0 | int -}}
  {{- $updated := $status.updatedReplicas | default 0 | int -}}
  {{- if ne ($status.observedGeneration | default 0 | int64) (.target.metadata.generation | int64) -}}
    {{- $found = "has a change that its controller has not seen yet" -}}
  {{- else if or (lt $updated $wanted) (gt ($status.replicas | default 0 | int) $updated) -}}
    {{- $found = printf "is still rolling out (%d of %d pods updated)" $updated $wanted -}}
  {{- else if lt $ready $need -}}
    {{- $found = printf "has %d of %d pods ready, slot %s runs %d" $ready $wanted .from $running -}}
  {{- end -}}
{{- end -}}
{{- $small := lt (get .rendered .to).replicas $need -}}
{{- $head := printf "promotion of slot %s refused: " .to -}}
{{- $wait := printf "kubectl -n %s rollout status deployment/%s" .namespace $name -}}
{{- $size := printf "--set slots.%s.replicas=%d" .to $need -}}
{{- if not .target -}}
{{ $head }}Deployment {{ $name }} does not exist; needed: {{ $need }} ready pods. First, with activeSlot={{ .from }}: this upgrade, which makes it, then {{ $wait }}, then promote
{{- else if and $found $small -}}
{{ $head }}Deployment {{ $name }} {{ $found }}; needed: {{ $need }} ready pods. First, with activeSlot={{ .from }}: helm upgrade ... {{ $size }}, then {{ $wait }}, then promote with the same {{ $size }}
{{- else if $found -}}
{{ $head }}Deployment {{ $name }} {{ $found }}; needed: {{ $need }} ready pods of its latest change. Run: {{ $wait }} and promote again (activeSlot stays {{ .from }} until then)
{{- else if $small -}}
{{ $head }}this release would leave Deployment {{ $name }} with {{ (get .rendered .to).replicas }} pods where slot {{ .from }} runs {{ $running }}; needed: {{ $need }}. Promote with {{ $size }}
{{- else if $changed -}}
{{ $head }}{{ $changed }}. Deploy first, then promote: run this upgrade with activeSlot={{ .from }}, then {{ $wait }}, then promote; to promote what runs now, repeat its values (-f FILE or --reset-then-reuse-values)
{{- end -}}
{{- end }}

{{/* What this release would change in the pods of either slot, or nothing. A promotion changes Services only: the target's pods
     must be the ones that were tried, the old slot's pods are the way back. Input: as promotionRefusal. */}}
{{- define "detection-api.promotionChange" -}}
{{- $changes := list -}}
{{- range $slot, $live := dict .to .target .from .current -}}
  {{- if $live -}}
    {{- $rendered := get $.rendered $slot -}}
    {{- $image := (first $live.spec.template.spec.containers).image -}}
    {{- $hash := dig "metadata" "annotations" "detection-api/pod-template-hash" "" $live -}}
    {{- if ne $image $rendered.image -}}
      {{- $changes = append $changes (printf "the same release would change the image of slot %s from %s to %s" $slot $image $rendered.image) -}}
    {{- else if and $hash (ne $hash $rendered.hash) -}}
      {{- $changes = append $changes (printf "the same release would change the pods of slot %s (configuration, resources or other settings)" $slot) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- join "; " $changes -}}
{{- end }}

{{/* Fails an upgrade that would move traffic unsafely. `lookup` finds nothing in `helm template` and on a first install, and
     then there is nothing to guard. Input: the root context. */}}
{{- define "detection-api.guardPromotion" -}}
{{- $service := lookup "v1" "Service" .Release.Namespace "detection-api-service" -}}
{{- $from := dig "spec" "selector" "slot" "" $service -}}
{{- $to := .Values.activeSlot -}}
{{- if and $from (ne $from $to) (ne (int .Values.promotion.forceRevision) .Release.Revision) -}}
{{- $live := dict -}}
{{- range $slot := list "blue" "green" }}{{ $_ := set $live $slot (lookup "apps/v1" "Deployment" $.Release.Namespace (printf "detection-api-%s" $slot)) }}{{ end -}}
{{- $rendered := dict -}}
{{- range $slot := list "blue" "green" -}}
{{- $values := get $.Values.slots $slot -}}
{{- /* An autoscaled slot keeps the pods that it has when it is promoted, and never has fewer than its floor. */ -}}
{{- $replicas := include "detection-api.leastReplicas" (dict "root" $ "slot" $slot) | int -}}
{{- if include "detection-api.autoscaled" (dict "root" $ "slot" $slot) -}}
{{- $replicas = max $replicas (dig "spec" "replicas" 0 (get $live $slot) | int) -}}
{{- end -}}
{{- $_ := set $rendered $slot (dict "replicas" $replicas
    "image" (include "detection-api.image" (dict "root" $ "image" $values.image) | trim)
    "hash" (include "detection-api.podTemplateHash" (dict "root" $ "slot" $slot) | trim)) -}}
{{- end -}}
{{- with include "detection-api.promotionRefusal" (dict "namespace" .Release.Namespace "from" $from "to" $to "rendered" $rendered
    "current" (get $live $from) "target" (get $live $to)) -}}
{{- fail (printf "%s (break-glass, for this one revision: --set promotion.forceRevision=%d)" . $.Release.Revision) -}}
{{- end -}}
{{- end -}}
{{- end }}
