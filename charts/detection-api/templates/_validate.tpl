{{/* Contradictions between values that a schema cannot see. Each message names the value and what it should be. */}}

{{- define "detection-api.validate" -}}
{{- include "detection-api.validateSlots" . -}}
{{- include "detection-api.validateAutoscaling" . -}}
{{- include "detection-api.validateLimits" . -}}
{{- include "detection-api.validateQuota" . -}}
{{- include "detection-api.validatePods" . -}}
{{- include "detection-api.validateService" . -}}
{{- include "detection-api.validateSecrets" . -}}
{{- include "detection-api.validateRoutes" . -}}
{{- include "detection-api.validateSignatures" . -}}
{{- include "detection-api.validateMonitoring" . -}}
{{- end }}

{{- define "detection-api.validateSlots" -}}
{{- $values := .Values -}}
{{- if lt ((get $values.slots $values.activeSlot).replicas | int) 1 -}}
{{- fail (printf "slots.%s.replicas is 0 but activeSlot is %s: the active slot needs at least 1" $values.activeSlot $values.activeSlot) -}}
{{- end -}}
{{- $room := include "detection-api.bytes" $values.api.queueSizeLimit | int64 -}}
{{- $grace := mul $values.api.terminationGracePeriodSeconds 1000 -}}
{{- range $slot := list "blue" "green" -}}
  {{- $config := include "detection-api.slotConfig" (dict "root" $ "slot" $slot) | fromJson -}}
  {{- if ge ($config.queueMaxBytes | int64) $room -}}
    {{- fail (printf "config.queueMaxBytes is %d in slot %s but api.queueSizeLimit is %s (%d bytes): the queue must be smaller than its volume, or the pod is evicted" ($config.queueMaxBytes | int64) $slot $values.api.queueSizeLimit $room) -}}
  {{- end -}}
  {{- if ge ($config.flagGreenCE90M | float64) ($config.flagYellowCE90M | float64) -}}
    {{- fail (printf "config.flagGreenCE90M is %v in slot %s but config.flagYellowCE90M is %v: GREEN must be below YELLOW" $config.flagGreenCE90M $slot $config.flagYellowCE90M) -}}
  {{- end -}}
  {{- include "detection-api.validateStorage" (dict "root" $ "slot" $slot "config" $config) -}}
  {{- $shutdown := add (include "detection-api.milliseconds" $config.drainDelay) (include "detection-api.milliseconds" $config.shutdownTimeout) -}}
  {{- if ge (add $shutdown (mul $values.api.preStopSleepSeconds 1000)) $grace -}}
    {{- fail (printf "config.drainDelay (%s), config.shutdownTimeout (%s, both in slot %s) and api.preStopSleepSeconds (%v s) must together be less than api.terminationGracePeriodSeconds (%v s)" $config.drainDelay $config.shutdownTimeout $slot $values.api.preStopSleepSeconds $values.api.terminationGracePeriodSeconds) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/* Files, terrain, pictures and TLS of a slot. Input: root, slot, config (of the slot). */}}
{{- define "detection-api.validateStorage" -}}
{{- $values := .root.Values -}}
{{- range $name := list "cotProfileChanges" "cameraProfiles" -}}
  {{- $bytes := len (toJson (get $.config $name)) -}}
  {{- if gt $bytes 100000 -}}
    {{- fail (printf "config.%s has %d bytes as JSON in slot %s: it travels in the environment of a process, so 100000 are the most; a larger file of cameras can be in a ConfigMap of your own: api.extraVolumes, api.extraVolumeMounts, and CAMERA_PROFILES in api.extraEnv" $name $bytes $.slot) -}}
  {{- end -}}
{{- end -}}
{{- if .config.takAnyName -}}
  {{- if .config.takServerName -}}
    {{- fail (printf "config.takAnyName and config.takServerName are both set in slot %s: take any name, or that one" .slot) -}}
  {{- end -}}
  {{- if not (or .config.takPins (and $values.secrets.takTLS.existingSecret $values.secrets.takTLS.ca)) -}}
    {{- fail (printf "config.takAnyName is true in slot %s, but nothing says whose certificate it must be: give the authority's (secrets.takTLS) or config.takPins" .slot) -}}
  {{- end -}}
{{- end -}}
{{- $memory := include "detection-api.bytes" $values.api.resources.limits.memory | int64 -}}
{{- if and $values.terrain.existingClaim (gt (mul 2 (.config.terrainCacheBytes | int64)) $memory) -}}
  {{- fail (printf "config.terrainCacheBytes is %d in slot %s but api.resources.limits.memory is %s: it may be half of it at most, so raise the limit or lower the cache" (.config.terrainCacheBytes | int64) .slot $values.api.resources.limits.memory) -}}
{{- end -}}
{{- if and $values.pictures.enabled (ge (.config.picturesMaxBytes | int64) (include "detection-api.bytes" $values.pictures.sizeLimit | int64)) -}}
  {{- fail (printf "config.picturesMaxBytes is %d in slot %s but pictures.sizeLimit is %s: the pictures must be smaller than their volume, or the pod is evicted" (.config.picturesMaxBytes | int64) .slot $values.pictures.sizeLimit) -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateAutoscaling" -}}
{{- $autoscaling := .Values.autoscaling -}}
{{- if gt (int $autoscaling.minReplicas) (int $autoscaling.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %v but autoscaling.maxReplicas is %v: the least must not be more than the most" $autoscaling.minReplicas $autoscaling.maxReplicas) -}}
{{- end -}}
{{- range $slot := list "blue" "green" -}}
  {{- $replicas := (get $.Values.slots $slot).replicas | int -}}
  {{- if and (include "detection-api.autoscaled" (dict "root" $ "slot" $slot)) (gt $replicas (int $autoscaling.maxReplicas)) -}}
    {{- fail (printf "slots.%s.replicas is %d but autoscaling.maxReplicas is %v: raise the most, or lower the slot" $slot $replicas $autoscaling.maxReplicas) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateLimits" -}}
{{- $range := .Values.limitRange -}}
{{- range $resource, $define := dict "cpu" "detection-api.millicores" "memory" "detection-api.bytes" -}}
  {{- $max := get $range.max $resource -}}
  {{- range $group := list "api" "store" "backup" -}}
    {{- $limit := get (get $.Values $group).resources.limits $resource -}}
    {{- if and $range.enabled (gt (include $define $limit | int64) (include $define $max | int64)) }}{{ fail (printf "%s.resources.limits.%s is %v but limitRange.max.%s is %v: no pod of it would start" $group $resource $limit $resource $max) }}{{ end -}}
    {{- $request := get (get $.Values $group).resources.requests $resource -}}
    {{- if gt (include $define $request | int64) (include $define $limit | int64) }}{{ fail (printf "%s.resources.requests.%s is %v but its limit is %v: the request must not be more than the limit" $group $resource $request $limit) }}{{ end -}}
  {{- end -}}
  {{- $limit := get $range.default $resource -}}
  {{- $request := get $range.defaultRequest $resource -}}
  {{- if and $range.enabled (gt (include $define $limit | int64) (include $define $max | int64)) }}{{ fail (printf "limitRange.default.%s is %v but limitRange.max.%s is %v: the default must not be more than the most" $resource $limit $resource $max) }}{{ end -}}
  {{- if and $range.enabled (gt (include $define $request | int64) (include $define $limit | int64)) }}{{ fail (printf "limitRange.defaultRequest.%s is %v but limitRange.default.%s is %v: the request must not be more than the limit" $resource $request $resource $limit) }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validatePods" -}}
{{- $strategy := .Values.api.strategy -}}
{{- if and (has (toString $strategy.maxSurge) (list "0" "0%")) (has (toString $strategy.maxUnavailable) (list "0" "0%")) -}}
{{- fail "api.strategy.maxSurge and api.strategy.maxUnavailable are both 0: one of them must be at least 1, or no rollout can move" -}}
{{- end -}}
{{- $labels := list "app" "slot" "app.kubernetes.io/instance" "app.kubernetes.io/name" "app.kubernetes.io/component" "app.kubernetes.io/part-of" -}}
{{- /* Also those that are not rendered at the moment: beside what is, they would say it twice, or in another way. */ -}}
{{- $variables := list "AUDIT_RETENTION_DAYS" "RETENTION_DAYS" "RETENTION_MAX_BYTES" "POD_NAME" "GOMEMLIMIT"
    "JWT_KEYS" "JWT_SECRET_KEY" "JWT_SECRET_KEY_FILE" "STORE_TOKEN" "STORE_TOKEN_FILE" "CLIENTS_FILE"
    "TAK_ADDR" "TAK_USERNAME" "TAK_PASSWORD" "TAK_CA" "TAK_CERT" "TAK_KEY" "TAK_P12" "TAK_PASSWORD_FILE" "TAK_PIN" "TAK_SERVER_NAME"
    "COT_PROFILE" "COT_PROFILE_FILE" "TERRAIN_DATUM" "PICTURES_MAX_AGE" -}}
{{- range $label := keys .Values.podLabels | sortAlpha -}}
  {{- if has $label $labels }}{{ fail (printf "podLabels.%s: selectors use this label, choose another one" $label) }}{{ end -}}
{{- end -}}
{{- $variables = concat $variables (include "detection-api.configData" (dict "root" . "slot" "blue") | fromYaml | keys) -}}
{{- range $group := list "api" "store" -}}
  {{- $values := get $.Values $group -}}
  {{- range $label := keys $values.podLabels | sortAlpha -}}
    {{- if has $label $labels }}{{ fail (printf "%s.podLabels.%s: selectors use this label, choose another one" $group $label) }}{{ end -}}
  {{- end -}}
  {{- $taken := $variables -}}
  {{- range $values.extraEnv -}}
    {{- if has .name $taken }}{{ fail (printf "%s.extraEnv: %s is set already, by the chart or twice in the list: each name may stand once" $group .name) }}{{ end -}}
    {{- $taken = append $taken .name -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateService" -}}
{{- $service := .Values.service -}}
{{- if and $service.nodePort (ne $service.type "NodePort") -}}
{{- fail (printf "service.nodePort is %v but service.type is %s: set service.type=NodePort or service.nodePort=0" $service.nodePort $service.type) -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateSecrets" -}}
{{- $secrets := .Values.secrets -}}
{{- if and $secrets.development.create (eq .Values.environment "production") -}}
{{- fail "secrets.development.create is true but environment is production: make the Secrets outside of the release (existingSecret, sealed), or set environment=development" -}}
{{- end -}}
{{- range $key, $value := omit $secrets.development "create" -}}
  {{- if and $value (not $secrets.development.create) }}{{ fail (printf "secrets.development.%s is set but secrets.development.create is false: put the value into the existing Secret, or set secrets.development.create=true" $key) }}{{ end -}}
{{- end -}}
{{- include "detection-api.validateTAKTLS" $secrets.takTLS -}}
{{- $signing := $secrets.jwtKeys.existingSecret | default $secrets.jwt.existingSecret -}}
{{- if and $secrets.jwtKeys.existingSecret $secrets.jwt.sealed -}}
{{- fail "secrets.jwt.sealed makes a Secret that nothing reads, because secrets.jwtKeys.existingSecret is set: take one of them out" -}}
{{- end -}}
{{- $names := list $signing $secrets.tak.existingSecret $secrets.store.existingSecret "registry-credentials" -}}
{{- if ne (len (uniq $names)) 4 -}}
{{- fail (printf "secrets.*.existingSecret must name three different Secrets, none of them registry-credentials, found %s" (join ", " (initial $names))) -}}
{{- end -}}
{{- range include "detection-api.knownSecrets" . | fromJsonArray -}}
{{- include "detection-api.validateSealed" (dict "root" $ "known" . "sealed" (get $secrets .value).sealed) -}}
{{- end -}}
{{- end }}

{{/* Certificates for TAK that cannot be used. Input: secrets.takTLS. */}}
{{- define "detection-api.validateTAKTLS" -}}
{{- if and .existingSecret .p12 (or .certificate .key) -}}
{{- fail (printf "secrets.takTLS.p12 is %s but secrets.takTLS.certificate or .key is set too: a client certificate has one source, so set those two to \"\", or p12" .p12) -}}
{{- end -}}
{{- if and .existingSecret (ne (empty .certificate) (empty .key)) -}}
{{- fail "secrets.takTLS.certificate and secrets.takTLS.key go together: set both, or neither" -}}
{{- end -}}
{{- end }}

{{/* Ciphertexts that would make a Secret which the pods cannot use. Input: root, known (one of knownSecrets), sealed. */}}
{{- define "detection-api.validateSealed" -}}
{{- $value := printf "secrets.%s.sealed" .known.value -}}
{{- if .sealed -}}
  {{- if .root.Values.secrets.development.create -}}
    {{- fail (printf "%s is set and secrets.development.create is true: a Secret has one source, so set secrets.development.create=false or take the ciphertexts out" $value) -}}
  {{- end -}}
  {{- range $key := keys .sealed | sortAlpha -}}
    {{- if not (has $key $.known.keys) }}{{ fail (printf "%s.%s: nothing reads this key; it should be one of %s" $value $key (join ", " $.known.keys)) }}{{ end -}}
  {{- end -}}
  {{- if not (hasKey .sealed (first .known.keys)) -}}
    {{- fail (printf "%s has no ciphertext under the key %s, which the pods need: kubeseal --raw --namespace %s --name %s --from-file=FILE prints it" $value (first .known.keys) .root.Release.Namespace .known.name) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateRoutes" -}}
{{- $values := .Values -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled is true but httpRoute.parentRefs is empty: name the Gateway, for instance [{name: public, namespace: gateway-system}]" -}}
{{- end -}}
{{- $certificate := $values.certificate -}}
{{- if and $certificate.enabled (not (and $values.ingress.enabled $values.ingress.tls.enabled)) -}}
{{- fail "certificate.enabled is true but no Ingress uses the certificate: set ingress.enabled=true and ingress.tls.enabled=true, or certificate.enabled=false (an HTTPRoute gets its certificate from its Gateway)" -}}
{{- end -}}
{{- if and $certificate.enabled (ge (int $certificate.renewBeforeHours) (int $certificate.durationHours)) -}}
{{- fail (printf "certificate.renewBeforeHours is %v but certificate.durationHours is %v: it must be less" $certificate.renewBeforeHours $certificate.durationHours) -}}
{{- end -}}
{{- end }}

{{- define "detection-api.validateSignatures" -}}
{{- if and .Values.kyverno.enabled (not .Values.kyverno.publicKey) -}}
{{- fail "kyverno.enabled is true but kyverno.publicKey is empty: give the public key of your signatures (--set-file kyverno.publicKey=cosign.pub), or set kyverno.enabled=false" -}}
{{- end -}}
{{- end }}
