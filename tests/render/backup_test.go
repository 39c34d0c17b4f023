package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/network"
)

const releaseJob = "detection-db-backup-release-"

// TestBackupCronJobs looks at what runs, when, and what each may do.
func TestBackupCronJobs(t *testing.T) {
	rendered := mustRender(t, "values.yaml", nil)
	for _, want := range []struct {
		name, schedule string
		args           []string
		token          bool
	}{
		{"detection-db-backup", "0 2 * * *", []string{"backup", "run"}, true},
		{"detection-backup-retention", "30 2 * * *", []string{"backup", "prune", "--retention-days=30"}, false},
	} {
		job := get[*batchv1.CronJob](t, rendered, "CronJob/"+want.name).Spec
		require.Equal(t, want.schedule, job.Schedule)
		require.Equal(t, new("Etc/UTC"), job.TimeZone)
		require.Equal(t, batchv1.ForbidConcurrent, job.ConcurrencyPolicy)
		require.Equal(t, new(int32(7)), job.SuccessfulJobsHistoryLimit)
		require.Equal(t, new(int32(3)), job.FailedJobsHistoryLimit)
		spec := job.JobTemplate.Spec
		require.Equal(t, new(int32(3)), spec.BackoffLimit)
		require.Equal(t, new(int64(3600)), spec.ActiveDeadlineSeconds)
		pod := spec.Template.Spec
		require.Equal(t, corev1.RestartPolicyOnFailure, pod.RestartPolicy)
		require.Equal(t, "detection-backup-pvc", pod.Volumes[0].PersistentVolumeClaim.ClaimName)
		require.Equal(t, want.args, pod.Containers[0].Args)
		environment := environmentOf(pod.Containers[0])
		require.Equal(t, "/backup", environment["BACKUP_DIR"])
		require.Equal(t, pod.Containers[0].VolumeMounts[0].MountPath, environment["SQLITE_TMPDIR"], "the root is read-only")
		_, token := environment["STORE_TOKEN"]
		require.Equal(t, want.token, token, "%s: a job has the token only if it needs it", want.name)
		store := get[*appsv1.StatefulSet](t, rendered, "StatefulSet/detection-api-store")
		require.Equal(t, store.Spec.Template.Spec.Containers[0].Image, pod.Containers[0].Image, "the same schema")
	}
	require.Equal(t, "http://detection-api-store:8081", environmentOf(releaseJobOf(t, rendered).Spec.Template.Spec.Containers[0])["STORE_URL"])
}

// environmentOf returns the variables of a container; those from Secrets are empty.
func environmentOf(container corev1.Container) map[string]string {
	values := map[string]string{}
	for _, variable := range container.Env {
		values[variable.Name] = variable.Value
	}
	return values
}

func releaseJobOf(t *testing.T, rendered objects) *batchv1.Job {
	t.Helper()
	jobs := all[*batchv1.Job](rendered)
	require.Len(t, jobs, 1)
	require.True(t, strings.HasPrefix(jobs[0].Name, releaseJob), jobs[0].Name)
	return jobs[0]
}

// TestReleaseJobIsAnotherOneWhenItsPodsAre: a Job's pod template cannot be changed, so whatever changes it must change the
// name too, and nothing else may.
func TestReleaseJobIsAnotherOneWhenItsPodsAre(t *testing.T) {
	plain := releaseJobOf(t, mustRender(t, "values.yaml", nil))
	require.Nil(t, plain.Spec.TTLSecondsAfterFinished, "Helm and Argo CD would make it again")
	for change, another := range map[string]bool{
		"image.tag=1.2.3": true, "store.image.tag=1.2.3": true, "podLabels.net=field": true, "backup.resources.limits.memory=512Mi": true,
		"secrets.store.existingSecret=other": true, "backup.activeDeadlineSeconds=60": true,
		"activeSlot=green": false, "slots.green.image.tag=1.2.3": false, "commonLabels.team=x": false, "backup.schedule=5 * * * *": false,
		"config.logLevel=debug": false, "backup.backoffLimit=0": false,
	} {
		key, value, _ := strings.Cut(change, "=")
		changed := releaseJobOf(t, mustRender(t, "values.yaml", map[string]string{key: value}))
		require.Equal(t, another, changed.Name != plain.Name, "%s: name", change)
		require.Equal(t, !another, assert.ObjectsAreEqual(plain.Spec.Template, changed.Spec.Template), "%s: pods", change)
	}
}

// TestBackupSwitches: without backups there is nothing of them, and the volume is kept when it is wanted.
func TestBackupSwitches(t *testing.T) {
	for key := range mustRender(t, "values.yaml", map[string]string{"backup.enabled": "false"}) {
		require.NotContains(t, key, "backup")
	}
	rendered := mustRender(t, "values.yaml", map[string]string{"backup.atRelease": "false"})
	require.Empty(t, all[*batchv1.Job](rendered))
	get[*batchv1.CronJob](t, rendered, "CronJob/detection-db-backup")
	for keep, want := range map[string]string{"true": "keep", "false": ""} {
		claim := get[*corev1.PersistentVolumeClaim](t, mustRender(t, "values.yaml", map[string]string{"backup.persistence.keep": keep}),
			"PersistentVolumeClaim/detection-backup-pvc")
		require.Equal(t, want, claim.Annotations["helm.sh/resource-policy"])
		require.Equal(t, "100Gi", claim.Spec.Resources.Requests.Storage().String())
		require.Equal(t, new("standard"), claim.Spec.StorageClassName)
	}
	for key := range mustRender(t, "values.yaml", map[string]string{"helmTest.enabled": "false"}) {
		require.NotContains(t, key, "test")
	}
}

// TestJobsAreInNoSelector: no Service sends traffic to a pod of a job or a test, and no workload or budget counts it.
func TestJobsAreInNoSelector(t *testing.T) {
	for _, file := range []string{"values.yaml", "values-prod.yaml", platformFile} {
		rendered := mustRender(t, file, nil)
		selectors := map[string]*metav1.LabelSelector{}
		for _, service := range all[*corev1.Service](rendered) {
			selectors["Service/"+service.Name] = &metav1.LabelSelector{MatchLabels: service.Spec.Selector}
		}
		for _, deployment := range all[*appsv1.Deployment](rendered) {
			selectors["Deployment/"+deployment.Name] = deployment.Spec.Selector
		}
		for _, set := range all[*appsv1.StatefulSet](rendered) {
			selectors["StatefulSet/"+set.Name] = set.Spec.Selector
		}
		for _, budget := range all[*policyv1.PodDisruptionBudget](rendered) {
			selectors["PodDisruptionBudget/"+budget.Name] = budget.Spec.Selector
		}
		require.NotEmpty(t, selectors)
		for key, selector := range selectors {
			pods := rendered.selectedPods(t, selector)
			require.NotEmpty(t, pods, "positive control: %s", key)
			for _, pod := range pods {
				require.Contains(t, []string{"detection-api-blue", "detection-api-green", "detection-api-store"}, pod, key)
			}
		}
	}
}

// TestHelmTestPod looks at the pod of `helm test`.
func TestHelmTestPod(t *testing.T) {
	pod := get[*corev1.Pod](t, mustRender(t, "values.yaml", nil), "Pod/detection-api-test")
	require.Equal(t, "test", pod.Annotations["helm.sh/hook"])
	require.Equal(t, "before-hook-creation,hook-succeeded", pod.Annotations["helm.sh/hook-delete-policy"])
	require.Equal(t, "detection-api-test", pod.Labels["app"])
	require.Equal(t, corev1.RestartPolicyNever, pod.Spec.RestartPolicy)
	require.Equal(t, []string{"check", "--retries=10", "http://detection-api-service:8000/ready", "http://detection-api-store:8081/ready"},
		pod.Spec.Containers[0].Args)
	require.Empty(t, pod.Spec.Containers[0].Env, "it needs no secret")
}

// TestWhoReachesWhomAmongJobs: the backup reaches the store and nothing else of ours, the test what it asks, and nobody
// reaches either.
func TestWhoReachesWhomAmongJobs(t *testing.T) {
	rendered := mustRender(t, "values.yaml", nil)
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	templates := rendered.podTemplates()
	peers := []network.Peer{
		network.Pod("api", "10.1.0.1", space, templates["detection-api-blue"]),
		network.Pod("store", "10.1.0.2", space, templates["detection-api-store"]),
		network.Pod("backup", "10.1.0.3", space, templates["detection-db-backup"], network.TCP(8081)),
		network.Pod("test", "10.1.0.4", space, templates["detection-api-test"], network.TCP(8000)),
	}
	table, err := network.Evaluate(all[*networkingv1.NetworkPolicy](rendered), peers)
	require.NoError(t, err)
	var allowed []string
	for _, row := range table.Rows {
		if row.Egress.Allowed && row.Ingress.Allowed {
			allowed = append(allowed, fmt.Sprintf("%s to %s %d", row.Source, row.Destination, row.Port.Number))
		}
	}
	require.ElementsMatch(t, []string{"api to store 8081", "backup to store 8081", "test to api 8000", "test to store 8081"}, allowed)
}
