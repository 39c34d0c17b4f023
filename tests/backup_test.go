package tests

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/load"
	"github.com/detection-api/detection-api/tests/stack"
)

// backupLine is what `backup run` prints when a copy is kept.
var backupLine = regexp.MustCompile(`(?m)^app-\S+: (\d+) detections, .* verified`)

// TestBackup takes a copy under load by a Job made from the CronJob, as an operator would: all that was accepted before is in
// it, the store tells its time, and it can be read again from end to end by another pod.
func TestBackup(t *testing.T) {
	s, api := installed(t)
	traffic := load.Start(t.Context(), api, 100, load.Detections("backup", time.Now()))
	acceptedMore(t, traffic, 300)
	inStore(t, api, traffic.Snapshot().Accepted)
	before := storeMetric(t, s, "store_detections")
	began := time.Now()
	said := runFromCronJob(t, s, "backup-test", nil)
	took := time.Since(began)
	everythingKept(t, s, api, traffic.Stop())

	match := backupLine.FindStringSubmatch(said)
	require.NotNil(t, match, said)
	copied, err := strconv.ParseFloat(match[1], 64)
	require.NoError(t, err)
	require.GreaterOrEqual(t, copied, before, "detections in the copy, and in the store before it")
	require.InDelta(t, float64(began.Unix()), storeMetric(t, s, "backup_last_verified_timestamp_seconds"), took.Seconds()+5)

	said = runFromCronJob(t, s, "backup-test-verify", []string{"backup", "verify", "--all"})
	require.Contains(t, said, "good app-")
	require.NotContains(t, said, "BAD")
	fmt.Fprintf(progress(), "%s: a Job copied and verified %v detections under load in %v; %d copies are sound\n",
		t.Name(), copied, took.Round(time.Second), strings.Count(said, "good "))
}

// TestBackupAtRelease holds that the release proved its backup when it was installed.
func TestBackupAtRelease(t *testing.T) {
	s, _ := installed(t)
	eventually(t, 5*time.Minute, "the Job of the release to succeed", func() error {
		jobs, err := s.Kube.BatchV1().Jobs(stack.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=detection-api-backup"})
		if err != nil {
			return err
		}
		for _, job := range jobs.Items {
			if strings.HasPrefix(job.Name, "detection-db-backup-release-") && job.Status.Succeeded == 1 {
				return nil
			}
		}
		return fmt.Errorf("none of %d Jobs of the backup is a release's and has succeeded", len(jobs.Items))
	})
}

// storeMetric asks the store through a port-forward: the NetworkPolicies let nobody but Prometheus, the API and the backup in.
func storeMetric(t *testing.T, s *stack.Stack, name string) float64 {
	t.Helper()
	var value float64
	eventually(t, time.Minute, "the store's metric "+name, func() (err error) {
		value, err = scrapeStore(t, s, name)
		return err
	})
	return value
}

func scrapeStore(t *testing.T, s *stack.Stack, name string) (float64, error) {
	t.Helper()
	tunnel := k8s.NewTunnel(kubectlOptions(s), k8s.ResourceTypePod, "detection-api-store-0", 0, 8081)
	if err := tunnel.ForwardPortE(t); err != nil {
		return 0, err
	}
	defer tunnel.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+tunnel.Endpoint()+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return sumOf(response.Body, name)
}

// runFromCronJob runs a Job from the CronJob of the backup, with its own arguments or others, and returns its log.
func runFromCronJob(t *testing.T, s *stack.Stack, name string, args []string) string {
	t.Helper()
	ctx := t.Context()
	cron, err := s.Kube.BatchV1().CronJobs(stack.Namespace).Get(ctx, "detection-db-backup", metav1.GetOptions{})
	require.NoError(t, err)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}, Spec: cron.Spec.JobTemplate.Spec}
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever // the pod and its log stay
	if args != nil {
		job.Spec.Template.Spec.Containers[0].Args = args
	}
	job, err = s.Kube.BatchV1().Jobs(stack.Namespace).Create(ctx, job, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, 3*time.Minute, "the Job "+job.Name+" to succeed", func() error {
		job, err = s.Kube.BatchV1().Jobs(stack.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if job.Status.Succeeded == 0 {
			return fmt.Errorf("status %+v", job.Status)
		}
		return nil
	})
	pods, err := s.Kube.CoreV1().Pods(stack.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job.Name})
	require.NoError(t, err)
	require.NotEmpty(t, pods.Items)
	text, err := s.Kube.CoreV1().Pods(stack.Namespace).GetLogs(pods.Items[len(pods.Items)-1].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	require.NoError(t, err)
	return string(text)
}
