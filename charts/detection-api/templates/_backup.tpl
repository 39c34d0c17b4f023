{{/* Pods that keep copies of app.db: the two CronJobs and the Job of a release. */}}

{{/* Labels of everything of the backup. Input: the root context. */}}
{{- define "detection-api.backupLabels" -}}
{{- include "detection-api.labels" (dict "root" . "app" "detection-api-backup") -}}
{{- end }}

{{/* The Job. Input: root, args (a list), store (bool: it talks to the store). */}}
{{- define "detection-api.backupJobSpec" -}}
backoffLimit: {{ .root.Values.backup.backoffLimit }}
activeDeadlineSeconds: {{ .root.Values.backup.activeDeadlineSeconds }}
template:
  {{- include "detection-api.backupPodTemplate" . | nindent 2 }}
{{- end }}

{{/* The pod template. Input: as for backupJobSpec. */}}
{{- define "detection-api.backupPodTemplate" -}}
{{- $values := .root.Values -}}
{{- $backup := merge (dict "terminationGracePeriodSeconds" 30 "podLabels" dict "goMemLimitPercent" 60) $values.backup -}}
metadata:
  labels:
    {{- include "detection-api.podLabels" (dict "root" .root "app" "detection-api-backup") | nindent 4 }}
    {{- include "detection-api.extraPodLabels" (dict "root" .root "group" $backup) | nindent 4 }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: detection-api-backup-sa
  restartPolicy: OnFailure
  {{- include "detection-api.podFields" (dict "root" .root "group" $backup) | nindent 2 }}
  containers:
    - name: backup
      image: {{ include "detection-api.image" (dict "root" .root "image" $values.store.image) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ .args | toJson }}
      env:
        - name: BACKUP_DIR
          value: /backup
        - name: SQLITE_TMPDIR
          value: /backup
        {{- with include "detection-api.goMemLimit" $backup }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- if .store }}
        - name: STORE_URL
          value: http://detection-api-store:8081
        {{- /* At the first installation the store starts beside the Job. */}}
        - name: STORE_WAIT
          value: 10m
        - name: TIMEOUT
          value: {{ printf "%ds" (int64 $backup.activeDeadlineSeconds) | quote }}
        {{- include "detection-api.secretEnv" (dict "name" "STORE_TOKEN" "secret" $values.secrets.store.existingSecret "key" "token") | nindent 8 }}
        {{- end }}
      resources:
        {{- toYaml $backup.resources | nindent 8 }}
      securityContext:
        {{- include "detection-api.containerSecurityContext" .root | nindent 8 }}
      {{- /* The pod of a failed Job is deleted with its log; the reason stays in the Job's events. */}}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        - name: backup
          mountPath: /backup
  volumes:
    - name: backup
      persistentVolumeClaim:
        claimName: detection-backup-pvc
{{- end }}

{{/* A CronJob. Input: root, name, schedule, args, store. */}}
{{- define "detection-api.backupCronJob" -}}
{{- if .root.Values.backup.enabled -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "detection-api.backupLabels" .root | nindent 4 }}
  {{- with include "detection-api.annotations" (dict "root" .root "own" dict) }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: Etc/UTC
  # Two at one time would share a volume that one node has, and the store makes one copy at a time.
  concurrencyPolicy: Forbid
  # A run that was missed for want of a control plane is made up for within the hour.
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: {{ .root.Values.backup.successfulJobsHistoryLimit }}
  failedJobsHistoryLimit: {{ .root.Values.backup.failedJobsHistoryLimit }}
  jobTemplate:
    metadata:
      labels:
        {{- include "detection-api.podLabels" (dict "root" .root "app" "detection-api-backup") | nindent 8 }}
    spec:
      {{- include "detection-api.backupJobSpec" . | nindent 6 }}
{{- end }}
{{- end }}
