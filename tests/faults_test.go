package tests

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/detectionapi"
	"github.com/detection-api/detection-api/tests/load"
	"github.com/detection-api/detection-api/tests/stack"
)

// TestTAKOutage holds that a thousand detections wait for TAK, visibly, and that all of them arrive.
func TestTAKOutage(t *testing.T) {
	s, api := installed(t)
	eventually(t, time.Minute, "an empty queue", func() error { return queueDepth(t, s, 0) })
	require.NoError(t, s.TAK.Pause(t.Context()))
	t.Cleanup(func() { _ = s.TAK.Resume(context.WithoutCancel(t.Context())) })
	sent := load.Burst(t.Context(), api, 1000, load.Detections("outage", time.Now()))
	require.NoError(t, sent.Error())
	eventually(t, time.Minute, "the gauge to show the backlog", func() error { return queueDepth(t, s, 1000) })
	require.NoError(t, s.TAK.Resume(t.Context()))
	start := time.Now()
	onTAK(t, s, sent.Accepted)
	fmt.Fprintf(progress(), "TestTAKOutage: 1000 detections were on TAK %.1f s after it came back\n", time.Since(start).Seconds())
	eventually(t, time.Minute, "an empty queue", func() error { return queueDepth(t, s, 0) })
}

// TestKill holds that SIGKILL of a serving process under load loses nothing that was acknowledged.
func TestKill(t *testing.T) {
	s, api := installed(t)
	faults, ok := s.Cluster.Faults()
	if !ok {
		t.Skipf("provider %s cannot kill a container's process", s.Cluster.Provider())
	}
	traffic := load.Start(t.Context(), api, 100, load.Detections("kill", time.Now()))
	for range 3 {
		acceptedMore(t, traffic, 100)
		pod := randomPod(t, s, activeSlot(t, s))
		require.NoError(t, faults.KillContainer(t.Context(), stack.Namespace, pod.Name, "detection-api"))
		eventually(t, 3*time.Minute, "the container to restart", func() error { return restarted(s, pod) })
	}
	// What was on its way to the killed process got no answer, which is no promise either.
	everythingKept(t, s, api, traffic.Stop())
}

// TestPodDeletion holds the same for a pod that is deleted, politely and at once. The second goes on for some seconds although
// nobody knows it any more, so that the network policies may cut it off from the store: what it alone has (202) goes with it.
func TestPodDeletion(t *testing.T) {
	s, api := installed(t)
	for _, grace := range []int64{30, 0} {
		t.Run(fmt.Sprintf("grace %d s", grace), func(t *testing.T) {
			traffic := load.Start(t.Context(), api, 100, load.Detections("delete", time.Now()))
			acceptedMore(t, traffic, 100)
			pod := randomPod(t, s, activeSlot(t, s))
			err := s.Kube.CoreV1().Pods(stack.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
			require.NoError(t, err)
			eventually(t, 2*time.Minute, "the pod to be replaced", func() error { return replaced(s, pod) })
			result := traffic.Stop()
			if grace == 0 {
				kept(t, s, api, result, result.Stored)
				return
			}
			require.NoError(t, result.Error(), "a pod that is asked to go leaves no request behind")
			everythingKept(t, s, api, result)
		})
	}
}

// TestStoreDeletion holds that the API goes on while the store is away, says so, and catches up.
func TestStoreDeletion(t *testing.T) {
	s, api := installed(t)
	traffic := load.Start(t.Context(), api, 100, load.Detections("store", time.Now()))
	acceptedMore(t, traffic, 100)
	require.NoError(t, s.Kube.CoreV1().Pods(stack.Namespace).Delete(t.Context(), "detection-api-store-0", metav1.DeleteOptions{}))
	eventually(t, time.Minute, "an answer 202 while the store is away", func() error {
		if traffic.Snapshot().Queued == 0 {
			return fmt.Errorf("none yet")
		}
		return nil
	})
	eventually(t, 2*time.Minute, "the store to be back", func() error { return storeReady(s) })
	acceptedMore(t, traffic, 100)
	result := traffic.Stop()
	require.NoError(t, result.Error(), "no request failed while the store was away")
	fmt.Fprintf(progress(), "TestStoreDeletion: %d accepted, %d of them 202, slowest answer %.2f s\n", len(result.Accepted), result.Queued, result.Slowest.Seconds())
	everythingKept(t, s, api, result)
}

// everythingKept holds that each accepted detection is in the store and on TAK.
func everythingKept(t *testing.T, s *stack.Stack, api *detectionapi.Client, result load.Result) {
	t.Helper()
	kept(t, s, api, result, result.Accepted)
}

// kept holds the same of some of them.
func kept(t *testing.T, s *stack.Stack, api *detectionapi.Client, result load.Result, ids []string) {
	t.Helper()
	t.Logf("%d requests, %d failed; answers %v", result.Requests, len(result.Failed), result.Statuses)
	require.NotEmpty(t, ids)
	inStore(t, api, ids)
	onTAK(t, s, ids)
	fmt.Fprintf(progress(), "%s: %d of %d accepted ones are stored and on TAK, %d requests without an answer; answers %v\n",
		t.Name(), len(ids), len(result.Accepted), len(result.Failed), result.Statuses)
}

func onTAK(t *testing.T, s *stack.Stack, ids []string) {
	t.Helper()
	eventually(t, 3*time.Minute, "every accepted detection on TAK", func() error {
		arrived, err := s.TAK.IDs(t.Context())
		if err != nil {
			return err
		}
		return missing(ids, func(id string) bool { return arrived[id] })
	})
}

func inStore(t *testing.T, api *detectionapi.Client, ids []string) {
	t.Helper()
	stored := map[string]bool{}
	eventually(t, 2*time.Minute, "every accepted detection in the store", func() error {
		return missing(ids, func(id string) bool {
			if !stored[id] {
				answer, err := api.Get(t.Context(), "/api/v1/detections/"+id, "application/json")
				stored[id] = err == nil && answer.Status == http.StatusOK
			}
			return stored[id]
		})
	})
}

// missing counts the ids that are not there, up to some, and names the last of those.
func missing(ids []string, there func(id string) bool) error {
	first, count := "", 0
	for _, id := range ids {
		if !there(id) {
			first, count = id, count+1
			if count > 20 { // each one asked for costs a request
				break
			}
		}
	}
	if count > 0 {
		return fmt.Errorf("at least %d of %d are missing, the last seen: %s", count, len(ids), first)
	}
	return nil
}

// queueDepth compares the sum of offline_queue_depth over all serving pods.
func queueDepth(t *testing.T, s *stack.Stack, want float64) error {
	t.Helper()
	sum := 0.0
	running, err := pods(t, s, "app=detection-api")
	if err != nil {
		return err
	}
	for _, pod := range running {
		value, err := metric(t.Context(), s, pod.Name, "offline_queue_depth")
		if err != nil {
			return err
		}
		sum += value
	}
	if sum != want {
		return fmt.Errorf("offline_queue_depth is %v over all pods, want %v", sum, want)
	}
	return nil
}

// metric reads one metric of a pod through the API server.
func metric(ctx context.Context, s *stack.Stack, pod, name string) (float64, error) {
	text, err := s.Kube.CoreV1().Pods(stack.Namespace).ProxyGet("http", pod, "8000", "/metrics", nil).DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("scrape %s: %w", pod, err)
	}
	return sumOf(strings.NewReader(string(text)), name)
}

// sumOf adds up the samples of a gauge or counter in what a pod tells of itself.
func sumOf(exposition io.Reader, name string) (float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(exposition)
	if err != nil {
		return 0, fmt.Errorf("parse metrics: %w", err)
	}
	family, ok := families[name]
	if !ok {
		return 0, fmt.Errorf("there is no metric %s", name)
	}
	sum := 0.0
	for _, m := range family.GetMetric() {
		sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	return sum, nil
}

// pods are those of the release that run.
func pods(t *testing.T, s *stack.Stack, selector string) ([]corev1.Pod, error) {
	t.Helper()
	list, err := s.Kube.CoreV1().Pods(stack.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector, FieldSelector: "status.phase=Running"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func randomPod(t *testing.T, s *stack.Stack, slot string) corev1.Pod {
	t.Helper()
	running, err := pods(t, s, "app=detection-api,slot="+slot)
	require.NoError(t, err)
	serving := slices.DeleteFunc(running, func(pod corev1.Pod) bool { return !serves(pod) })
	require.NotEmpty(t, serving)
	return serving[rand.N(len(serving))]
}

func activeSlot(t *testing.T, s *stack.Stack) string {
	t.Helper()
	slot, err := selectedSlot(t.Context(), s)
	require.NoError(t, err)
	return slot
}

func selectedSlot(ctx context.Context, s *stack.Stack) (string, error) {
	service, err := s.Kube.CoreV1().Services(stack.Namespace).Get(ctx, "detection-api-service", metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return service.Spec.Selector["slot"], nil
}

// restarted says whether the killed container runs again in the same pod, and is ready.
func restarted(s *stack.Stack, before corev1.Pod) error {
	pod, err := s.Kube.CoreV1().Pods(stack.Namespace).Get(context.Background(), before.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	status := pod.Status.ContainerStatuses[0]
	if status.RestartCount == before.Status.ContainerStatuses[0].RestartCount || !status.Ready {
		return fmt.Errorf("pod %s: %d restarts, ready: %v", pod.Name, status.RestartCount, status.Ready)
	}
	return nil
}

// replaced says whether a pod is gone and its Deployment is complete again.
func replaced(s *stack.Stack, gone corev1.Pod) error {
	pod, err := s.Kube.CoreV1().Pods(stack.Namespace).Get(context.Background(), gone.Name, metav1.GetOptions{})
	if err == nil {
		return fmt.Errorf("pod %s is still %s", pod.Name, pod.Status.Phase)
	}
	return slotReady(s, gone.Labels["slot"])
}

// fewestPods is the least number of pods that the autoscaler of a slot keeps in production.
const fewestPods = 3

// slotReady says whether the autoscaler has given a slot its pods and all of them are ready. It counts the pods as well as
// the Deployment does, whose status still tells of a pod for some time after that was deleted at once.
func slotReady(s *stack.Stack, slot string) error {
	ctx := context.Background()
	d, err := s.Kube.AppsV1().Deployments(stack.Namespace).Get(ctx, "detection-api-"+slot, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pods, err := s.Kube.CoreV1().Pods(stack.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=detection-api,slot=" + slot})
	if err != nil {
		return err
	}
	ready := int32(len(slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !serves(pod) })))
	if *d.Spec.Replicas < fewestPods || ready != *d.Spec.Replicas || d.Status.ReadyReplicas != ready || d.Status.ObservedGeneration != d.Generation {
		return fmt.Errorf("slot %s has %d of %d pods ready, its Deployment tells of %d", slot, ready, *d.Spec.Replicas, d.Status.ReadyReplicas)
	}
	return nil
}

// serves says whether a pod is ready and not on its way out.
func serves(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func storeReady(s *stack.Stack) error {
	set, err := s.Kube.AppsV1().StatefulSets(stack.Namespace).Get(context.Background(), "detection-api-store", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if set.Status.ReadyReplicas != 1 {
		return fmt.Errorf("the store has %d ready pods", set.Status.ReadyReplicas)
	}
	return nil
}

// acceptedMore waits until n more detections have been accepted.
func acceptedMore(t *testing.T, traffic *load.Generator, n int) {
	t.Helper()
	goal := len(traffic.Snapshot().Accepted) + n
	eventually(t, time.Minute, fmt.Sprintf("%d more accepted detections", n), func() error {
		if got := len(traffic.Snapshot().Accepted); got < goal {
			return fmt.Errorf("%d of %d", got, goal)
		}
		return nil
	})
}

// eventually fails the test unless f is content in time, with what it saw last.
func eventually(t *testing.T, within time.Duration, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	err := condition.Await(ctx, what, 200*time.Millisecond, func(context.Context) error { return f() })
	require.NoError(t, err, "waited %v in vain", within)
}
