package lane2

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/condition"
)

// evict asks for the end of a pod as a drain does.
func (r *release) evict(t *testing.T, pod string) error {
	t.Helper()
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: r.namespace}}
	return r.kube.PolicyV1().Evictions(r.namespace).Evict(t.Context(), eviction)
}

// awaitPending is content when so many pods of the active slot wait for a node, and its budget has noticed.
func (r *release) awaitPending(ctx context.Context, want int) error {
	pods, err := r.kube.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: activePods})
	if err != nil {
		return err
	}
	pending := 0
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodPending {
			pending++
		}
	}
	if pending != want || len(pods.Items) != 3 {
		return fmt.Errorf("%d of %d wait", pending, len(pods.Items))
	}
	return nil
}

// watchLeast looks at the active slot all the time until the returned function is called, which says whether the slot
// ever had fewer ready pods than it should have.
func (r *release) watchLeast(t *testing.T, want int32) func() error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var group sync.WaitGroup
	var failure error
	done := errors.New("go on looking")
	group.Go(func() {
		// It ends with the context, or at the first failure.
		_ = condition.Await(ctx, "a failure", pollInterval, func(ctx context.Context) error {
			d, err := r.kube.AppsV1().Deployments(r.namespace).Get(ctx, "detection-api-blue", metav1.GetOptions{})
			if err == nil && d.Status.ReadyReplicas < want {
				failure = fmt.Errorf("%d pods were ready, want %d", d.Status.ReadyReplicas, want)
				return nil
			}
			return done
		})
	})
	return func() error {
		cancel()
		group.Wait()
		return failure
	}
}
