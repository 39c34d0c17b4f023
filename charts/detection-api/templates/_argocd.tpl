{{/* What an Argo CD project of this chart must permit, worked out from the values so that it permits nothing else. */}}

{{/* Namespaces that the chart writes to. Input: the root context. Output: a JSON list. */}}
{{- define "detection-api.argocdNamespaces" -}}
{{- $monitoring := .Values.monitoring -}}
{{- list .Release.Namespace $monitoring.grafana.namespace $monitoring.logs.namespace | compact | uniq | toJson -}}
{{- end }}

{{/* Namespaced kinds by API group. Input: the root context. Output: a JSON mapping. */}}
{{- define "detection-api.argocdKinds" -}}
{{- $values := .Values -}}
{{- $groups := dict
    "core" (list "ConfigMap" "LimitRange" "PersistentVolumeClaim" "ResourceQuota" "Service" "ServiceAccount")
    "apps" (list "Deployment" "StatefulSet")
    "autoscaling" (list "HorizontalPodAutoscaler")
    "batch" (list "CronJob" "Job")
    "networking.k8s.io" (list "Ingress" "NetworkPolicy")
    "policy" (list "PodDisruptionBudget") -}}
{{- if $values.secrets.development.create }}{{ $_ := set $groups "core" (append $groups.core "Secret") }}{{ end -}}
{{- if $values.rbac.create }}{{ $_ := set $groups "rbac.authorization.k8s.io" (list "Role" "RoleBinding") }}{{ end -}}
{{- if and $values.kyverno.enabled (eq $values.kyverno.kind "NamespacedImageValidatingPolicy") -}}
{{- $_ := set $groups "policies.kyverno.io" (list $values.kyverno.kind) -}}
{{- end -}}
{{- $kinds := dict "certificates" "Certificate" "httproutes" "HTTPRoute" "prometheusrules" "PrometheusRule" "sealedsecrets" "SealedSecret" "servicemonitors" "ServiceMonitor" -}}
{{- range $group, $resources := include "detection-api.operatorResources" . | fromJson -}}
{{- $list := list -}}
{{- range $resources }}{{ $list = append $list (get $kinds .) }}{{ end -}}
{{- $_ := set $groups $group $list -}}
{{- end -}}
{{- toJson $groups -}}
{{- end }}

{{/* Cluster-scoped kinds by API group. Their objects are named after the namespace, or are the Namespace itself.
     Input: the root context. Output: a JSON mapping. */}}
{{- define "detection-api.argocdClusterKinds" -}}
{{- $values := .Values -}}
{{- $groups := dict "core" (list "Namespace") -}}
{{- $viewer := $values.rbac.auditViewer -}}
{{- if and $values.rbac.prometheus.enabled $values.rbac.prometheus.clusterWide -}}
{{- $_ := set $groups "rbac.authorization.k8s.io" (list "ClusterRole" "ClusterRoleBinding") -}}
{{- else if $viewer.enabled -}}
{{- $_ := set $groups "rbac.authorization.k8s.io" (empty $viewer.subjects | ternary (list "ClusterRole") (list "ClusterRole" "ClusterRoleBinding")) -}}
{{- end -}}
{{- if not $values.rbac.create }}{{ $_ := unset $groups "rbac.authorization.k8s.io" }}{{ end -}}
{{- if $values.promotion.admissionPolicy.enabled -}}
{{- $_ := set $groups "admissionregistration.k8s.io" (list "ValidatingAdmissionPolicy" "ValidatingAdmissionPolicyBinding") -}}
{{- end -}}
{{- if and $values.kyverno.enabled (eq $values.kyverno.kind "ImageValidatingPolicy") -}}
{{- $_ := set $groups "policies.kyverno.io" (list $values.kyverno.kind) -}}
{{- end -}}
{{- if and $values.kyverno.enabled (eq $values.kyverno.kind "ClusterPolicy") -}}
{{- $_ := set $groups "kyverno.io" (list $values.kyverno.kind) -}}
{{- end -}}
{{- toJson $groups -}}
{{- end }}
