{{/* Configurations of the log collectors. Either runs as a DaemonSet outside this namespace: it reads /var/log/pods of its node,
     which the restricted Pod Security Standard does not let a pod here do. */}}

{{/* Labels of a log stream by where the collector finds them, in the order they are written. Few values each: what varies, such
     as detection_id, stays in the line and is found at query time. */}}
{{- define "detection-api.logLabels" -}}
namespace: __meta_kubernetes_namespace
pod: __meta_kubernetes_pod_name
container: __meta_kubernetes_pod_container_name
app: __meta_kubernetes_pod_label_app
slot: __meta_kubernetes_pod_label_slot
{{- end }}

{{/* Configuration of Grafana Alloy. Input: the root context. */}}
{{- define "detection-api.alloy" -}}
{{- $logs := .Values.monitoring.logs -}}
// Ships the logs of namespace {{ .Release.Namespace }} on this node to Loki.
discovery.kubernetes "pods" {
  role = "pod"

  namespaces {
    names = [{{ .Release.Namespace | quote }}]
  }

  selectors {
    role  = "pod"
    field = "spec.nodeName=" + coalesce(sys.env("HOSTNAME"), constants.hostname)
  }
}

discovery.relabel "pods" {
  targets = discovery.kubernetes.pods.targets
{{- range $label, $source := include "detection-api.logLabels" . | fromYaml }}

  rule {
    source_labels = [{{ $source | quote }}]
    target_label  = {{ $label | quote }}
  }
{{- end }}

  rule {
    source_labels = ["__meta_kubernetes_pod_uid", "__meta_kubernetes_pod_container_name"]
    separator     = "/"
    target_label  = "__path__"
    replacement   = "/var/log/pods/*$1/*.log"
  }
}

local.file_match "pods" {
  path_targets = discovery.relabel.pods.output
}

loki.source.file "pods" {
  targets    = local.file_match.pods.targets
  forward_to = [loki.process.pods.receiver]
}

loki.process "pods" {
  forward_to = [loki.write.loki.receiver]

  stage.cri { }

  // A line that is no JSON, such as a panic, keeps the time at which the runtime wrote it.
  stage.json {
    expressions = {level = "level", time = "time"}
  }

  stage.timestamp {
    source = "time"
    format = "RFC3339Nano"
  }

  stage.labels {
    values = {level = ""}
  }
}
{{- with $logs.auditLogPath }}

local.file_match "audit" {
  path_targets = [{__path__ = {{ . | quote }}, job = "kubernetes-audit"}]
}

loki.source.file "audit" {
  targets    = local.file_match.audit.targets
  forward_to = [loki.process.audit.receiver]
}

loki.process "audit" {
  forward_to = [loki.write.loki.receiver]

  stage.json {
    expressions = {time = "requestReceivedTimestamp"}
  }

  stage.timestamp {
    source = "time"
    format = "RFC3339Nano"
  }
}
{{- end }}

loki.write "loki" {
  endpoint {
    url = {{ $logs.pushURL | quote }}
  }
}
{{- end }}

{{/* Configuration of Promtail. Input: the root context. */}}
{{- define "detection-api.promtail" -}}
{{- $logs := .Values.monitoring.logs -}}
server:
  http_listen_port: 3101
  grpc_listen_port: 0
positions:
  filename: /run/promtail/positions.yaml
clients:
  - url: {{ $logs.pushURL }}
scrape_configs:
  - job_name: {{ .Release.Namespace }}
    kubernetes_sd_configs:
      - role: pod
        namespaces:
          names: [{{ .Release.Namespace }}]
    relabel_configs:
      # Promtail keeps the targets whose __host__ is its own.
      - source_labels: [__meta_kubernetes_pod_node_name]
        target_label: __host__
      {{- range $label, $source := include "detection-api.logLabels" . | fromYaml }}
      - source_labels: [{{ $source }}]
        target_label: {{ $label }}
      {{- end }}
      - source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name]
        separator: /
        target_label: __path__
        replacement: /var/log/pods/*$1/*.log
    pipeline_stages:
      - cri: {}
      # A line that is no JSON, such as a panic, keeps the time at which the runtime wrote it.
      - json:
          expressions: {level: level, time: time}
      - timestamp:
          source: time
          format: RFC3339Nano
      - labels: {level: level}
  {{- with $logs.auditLogPath }}
  - job_name: kubernetes-audit
    static_configs:
      - targets: [localhost]
        labels:
          job: kubernetes-audit
          __path__: {{ . | quote }}
    pipeline_stages:
      - json:
          expressions: {time: requestReceivedTimestamp}
      - timestamp:
          source: time
          format: RFC3339Nano
  {{- end }}
{{- end }}
