{{/* The alerts: one definition, rendered as a PrometheusRule and as Grafana's alert rules (_monitoring.tpl). An alert fires while
     `expr op threshold` holds. Written so that a definition holds for both: in a text <value> is the value of expr and <pod> the
     label pod. Every rate is summed over the pods of both slots: the idle slot has no traffic, and a restarted pod starts at 0,
     which rate() takes for what it is. No traffic makes a quotient NaN, which is above nothing. Nothing here may depend on
     activeSlot: a promotion changes one object. */}}

{{/* The seven alerts of the design, as a YAML list. Input: the root context. */}}
{{- define "detection-api.sevenAlerts" -}}
{{- $ours := printf "namespace=%q" .Release.Namespace -}}
{{- $window := .Values.monitoring.rateWindow -}}
{{- with .Values.monitoring.alerts -}}
- name: HighErrorRate
  severity: critical
  expr: |-
    100 * sum(rate(detection_requests_total{ {{- $ours }},status=~"5.."}[{{ $window }}]))
      / sum(rate(detection_requests_total{ {{- $ours }}}[{{ $window }}]))
  op: ">"
  threshold: {{ .highErrorRate.percent }}
  for: {{ .highErrorRate.for }}
  summary: <value> % of the reported detections are answered with an error of ours.
  description: More than {{ .highErrorRate.percent }} % of the answers to POST /api/v1/detections are 5xx. Clients keep what was not accepted. Roll back if the slot was promoted lately.
- name: TAKPushFailure
  severity: critical
  expr: 60 * sum(rate(tak_push_failure_total{ {{- $ours }}}[{{ $window }}]))
  op: ">"
  threshold: {{ .takPushFailure.perMinute }}
  for: {{ .takPushFailure.for }}
  summary: <value> pushes to TAK fail each minute.
  description: More than {{ .takPushFailure.perMinute }} pushes fail each minute. Nothing is lost, events wait and are sent again; the map is not up to date. Look at the TAK server and the way to it.
- name: QueueDepthHigh
  severity: warning
  expr: sum(offline_queue_depth{ {{- $ours }}})
  op: ">"
  threshold: {{ int64 .queueDepthHigh.items }}
  for: {{ .queueDepthHigh.for }}
  summary: <value> detections wait in the pods' queues.
  description: More than {{ int64 .queueDepthHigh.items }} detections that TAK or the store has not confirmed. Find out which of the two is away or slow; do not delete pods meanwhile.
- name: QueueDepthCritical
  severity: critical
  expr: sum(offline_queue_depth{ {{- $ours }}})
  op: ">"
  threshold: {{ int64 .queueDepthCritical.items }}
  for: {{ .queueDepthCritical.for }}
  summary: <value> detections wait in the pods' queues.
  description: More than {{ int64 .queueDepthCritical.items }} detections that TAK or the store has not confirmed. A queue that is full refuses detections (507). Bring TAK or the store back; do not delete pods meanwhile.
- name: PodRestart
  severity: warning
  expr: sum by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{ {{- $ours }}}[{{ .podRestart.window }}]))
  op: ">"
  threshold: 0
  for: {{ .podRestart.for }}
  summary: Container <container> of pod <pod> restarted.
  description: It restarted within {{ .podRestart.window }}. Its queue survives that and is read again. Look at the log of the container before (kubectl logs --previous) and at the reason of its end.
- name: HighLatency
  severity: warning
  expr: histogram_quantile(0.99, sum by (le) (rate(detection_request_duration_seconds_bucket{ {{- $ours }}}[{{ $window }}])))
  op: ">"
  threshold: {{ .highLatency.seconds }}
  for: {{ .highLatency.for }}
  summary: The slowest hundredth of the requests takes more than <value> s.
  description: The 99th percentile of the time to answer is above {{ .highLatency.seconds }} s. Look at CPU throttling, at the store and its disk, and at how many pods serve.
- name: LowReplicas
  severity: critical
  {{- /* The ready pods behind detection-api-service are those of the active slot, whichever it is. kube-state-metrics tells of
         EndpointSlices or, if it is older, of Endpoints; the last two terms make none ready a 0 and not an absence. */}}
  {{- $slices := printf "%s,endpointslice=~\"detection-api-service-[a-z0-9]+\"" $ours }}
  {{- $endpoints := printf "%s,endpoint=\"detection-api-service\"" $ours }}
  expr: |-
    count(count by (targetref_name) (kube_endpointslice_endpoints{ {{- $slices }},ready="true"}))
      or count(count by (ip) (kube_endpoint_address{ {{- $endpoints }},ready="true"}))
      or 0 * count(kube_endpointslice_info{ {{- $slices }}})
      or 0 * count(kube_endpoint_info{ {{- $endpoints }}})
  op: "<"
  threshold: {{ int64 .lowReplicas.replicas }}
  for: {{ .lowReplicas.for }}
  summary: <value> pods of the active slot are ready.
  description: Fewer than {{ int64 .lowReplicas.replicas }} pods behind detection-api-service are ready. Look at the pods of the active slot and their events; promote the other slot if that one is well.
{{- end }}
{{- end }}

{{/* What this system must tell beside the seven, as a YAML list, or nothing. Input: the root context. */}}
{{- define "detection-api.furtherAlerts" -}}
{{- $ours := printf "namespace=%q" .Release.Namespace -}}
{{- $backup := .Values.backup.enabled -}}
{{- with .Values.monitoring.furtherAlerts -}}
{{- if .enabled -}}
- name: DeadLetters
  severity: warning
  expr: max(store_dead_letters{ {{- $ours }}})
  op: ">"
  threshold: {{ int64 .deadLetters.count }}
  for: {{ .deadLetters.for }}
  summary: <value> detections cannot be delivered to TAK.
  description: They are stored and will not be tried again by themselves. The command detection-api deadletters tells why, has them delivered after all, or gives their delivery up.
- name: QueueSetAside
  severity: critical
  expr: max by (namespace, pod) (offline_queue_set_aside_files{ {{- $ours }}})
  op: ">"
  threshold: 0
  for: {{ .queueSetAside.for }}
  summary: Pod <pod> has set <value> damaged queue files aside.
  description: They hold acknowledged detections that may be nowhere else, on a volume that goes with the pod. Copy them out before anything deletes the pod, and stop rollouts until then.
{{- if $backup }}
- name: BackupOld
  severity: warning
  {{- /* The store tells when the newest verified copy was taken, 0 for never. While it is away the job's last success counts, and
         the age of the CronJob when it never had one. */}}
  {{- $cronjob := printf "%s,cronjob=\"detection-db-backup\"" $ours }}
  expr: |-
    (time() - (
      max(backup_last_verified_timestamp_seconds{ {{- $ours }}} != 0)
        or max(kube_cronjob_status_last_successful_time{ {{- $cronjob }}})
        or max(kube_cronjob_created{ {{- $cronjob }}})
    )) / 3600
  op: ">"
  threshold: {{ int64 .backupOld.hours }}
  for: {{ .backupOld.for }}
  summary: The newest verified backup is <value> h old.
  description: There is no verified backup younger than {{ int64 .backupOld.hours }} h. Look at the log of the last Job of the CronJob detection-db-backup and at its volume.
{{- end }}
- name: StoreUnavailable
  severity: critical
  expr: max(kube_statefulset_status_replicas_ready{ {{- $ours }},statefulset="detection-api-store"})
  op: "<"
  threshold: 1
  for: {{ .storeUnavailable.for }}
  summary: The store is not ready.
  description: Detections are accepted with 202 and kept by single pods until the store is back. Do not delete pods or promote meanwhile. Look at pod detection-api-store-0, its node and its volume.
- name: TAKStalled
  severity: warning
  {{- $window := .takStalled.window }}
  expr: |-
    sum(offline_queue_depth{ {{- $ours }}})
      and on () sum(increase(tak_push_failure_total{ {{- $ours }}}[{{ $window }}])) > 0
      and on () sum(increase(tak_push_success_total{ {{- $ours }}}[{{ $window }}])) == 0
  op: ">"
  threshold: 0
  for: {{ .takStalled.for }}
  summary: <value> detections wait and none has reached TAK for {{ $window }}.
  description: Pushes fail and none succeeds; too few to be TAKPushFailure. Look at the TAK server, its address and credentials, and the NetworkPolicy allow-tak-egress.
- name: TAKCertificateExpires
  severity: warning
  expr: (min(tak_certificate_expiry_timestamp_seconds{ {{- $ours }}}) - time()) / 86400
  op: "<"
  threshold: {{ int64 .takCertificateExpires.days }}
  for: {{ .takCertificateExpires.for }}
  summary: The client certificate for TAK expires in <value> days.
  description: Without a valid one nothing reaches TAK; events wait. Put the new one into the Secret of secrets.takTLS.existingSecret; no restart is needed.
- name: MetricsMissing
  severity: warning
  expr: |-
    {{- range $what, $metric := dict
        "API" (printf "detection_requests_total{%s}" $ours)
        "store" (printf "store_detections{%s}" $ours)
        "pods" (printf "kube_pod_container_status_restarts_total{%s}" $ours)
        "endpoints" (printf "kube_endpointslice_info{%s} or kube_endpoint_info{%s}" $ours $ours) }}
    {{ ternary "" "or " (eq $what "API") }}label_replace(absent({{ $metric }}), "missing", "{{ $what }}", "", "")
    {{- end }}
  op: ">"
  threshold: 0
  for: {{ .metricsMissing.for }}
  summary: "There are no metrics of: <missing>."
  description: Alerts that look at them cannot fire. API and store are scraped from the pods, pods and endpoints come from kube-state-metrics. Look at Prometheus' targets and the NetworkPolicies allow-prometheus-scrape-api and -store.
{{- end }}
{{- end }}
{{- end }}
