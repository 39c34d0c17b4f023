{{/* Parts of a pod that the slots and the store share. */}}

{{/* Pod fields: no API token, not root, where it may run. Input: root, group (the values `api` or `store`). */}}
{{- define "detection-api.podFields" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
terminationGracePeriodSeconds: {{ .group.terminationGracePeriodSeconds }}
{{- with .group.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .group.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .group.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .group.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Security context of a container: the restricted profile and a read-only root. */}}
{{- define "detection-api.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The three probes on the port named http. Input: the values `probes` of a group. */}}
{{- define "detection-api.probes" -}}
{{- $probes := dict -}}
{{- range $name, $path := dict "startup" "/health" "liveness" "/health" "readiness" "/ready" -}}
{{- $http := dict "path" $path "port" "http" "scheme" "HTTP" -}}
{{- $_ := set $probes (printf "%sProbe" $name) (merge (dict "httpGet" $http) (get $ $name)) -}}
{{- end -}}
{{- toYaml $probes -}}
{{- end }}

{{/* Annotations of a pod as a YAML mapping, or nothing: those of its group, of all pods, and those by which Prometheus finds it.
     Input: root, group, port. */}}
{{- define "detection-api.podAnnotations" -}}
{{- $scrape := dict -}}
{{- if .root.Values.monitoring.scrapeAnnotations -}}
{{- $scrape = dict "prometheus.io/scrape" "true" "prometheus.io/port" (toString .port) "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{- with merge (deepCopy .group.podAnnotations) .root.Values.podAnnotations $scrape }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* Labels that a site adds to the pods of a group, or nothing. Input: root, group. */}}
{{- define "detection-api.extraPodLabels" -}}
{{- with merge (deepCopy .group.podLabels) .root.Values.podLabels }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* GOMEMLIMIT: a share of the memory limit, so that the collector works harder before the kernel kills. Nothing without a limit.
     Input: the values of a group. */}}
{{- define "detection-api.goMemLimit" -}}
{{- with .resources.limits.memory -}}
- name: GOMEMLIMIT
  value: {{ div (mul (include "detection-api.bytes" . | int64) $.goMemLimitPercent) 100 | quote }}
{{- end }}
{{- end }}

{{/* Environment variable from a Secret. Input: name, secret, key, optional. */}}
{{- define "detection-api.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}
