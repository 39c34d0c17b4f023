package lane2

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/controlplane"
)

// The size of the large cluster. The chart's own pods are among the pods.
const (
	manyNodes = 1000
	manyPods  = 5000
)

// manyTimeout bounds the wait for all pods, also on a machine that does something else besides.
const manyTimeout = 20 * time.Minute

// TestThousandNodes installs the chart into a large, busy cluster, whose nodes seldom give a sign of life.
func TestThousandNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short asks for the fast tests only")
	}
	t.Parallel()
	l := ownLane(t, controlplane.Options{
		Log: os.Stderr, LostAfter: 10 * time.Minute,
		// What only kubelets and volumes of a cloud need would write each node several times while their number grows.
		ExtraControllerManagerFlags: []string{"--controllers=*,-ttl-controller,-persistentvolume-attach-detach-controller"},
	})
	require.NoError(t, errors.Join(l.AddStorageClass(t.Context(), "standard", true), l.AddStorageClass(t.Context(), "fast-ssd", false)))
	nodes := make([]controlplane.Node, manyNodes)
	for i := range nodes {
		nodes[i] = controlplane.Node{Name: manyName(i), Zone: zones[i%len(zones)], Unmetered: true}
	}
	began := time.Now()
	require.NoError(t, l.AddNodes(t.Context(), nodes...))
	t.Logf("%d nodes after %s", manyNodes, time.Since(began).Round(100*time.Millisecond))

	crowd := l.newNamespace(t)
	began = time.Now()
	l.crowd(t, crowd)
	ctx, cancel := context.WithTimeout(t.Context(), manyTimeout)
	defer cancel()
	require.NoError(t, condition.Await(ctx, "all pods", time.Second, func(ctx context.Context) error { return l.crowdReady(ctx, crowd) }))
	t.Logf("%d pods after %s", manyPods, time.Since(began).Round(100*time.Millisecond))

	r := l.newRelease(t, "helm")
	began = time.Now()
	r.install(t, "--set", "slots.blue.replicas=10,slots.green.replicas=10")
	r.awaitReady(t, "blue", 10)
	t.Logf("the chart is up after %s", time.Since(began).Round(100*time.Millisecond))
	counts := r.perZone(t, activePods)
	for _, zone := range zones {
		require.GreaterOrEqual(t, counts[zone], 3, "10 pods over three zones: %v", counts)
	}
	began = time.Now()
	r.mustUpgrade(t, "--set", "activeSlot=green")
	t.Logf("promoted after %s", time.Since(began).Round(100*time.Millisecond))
}

// crowd makes many small pods: most of them with a node already, a few on each, as the agents of a platform have; the rest
// for the scheduler to place.
func (l *lane) crowd(t *testing.T, namespace string) {
	t.Helper()
	agents := make(chan *corev1.Pod)
	creators, ctx := errgroup.WithContext(t.Context())
	for range 16 {
		creators.Go(func() error {
			for pod := range agents {
				if _, err := l.kube.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range manyPods - manyNodes {
		template := smallPod("agent")
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name, pod.Spec.NodeName = fmt.Sprintf("agent-%d", i), manyName(i%manyNodes)
		select {
		case agents <- pod:
		case <-ctx.Done():
		}
	}
	close(agents)
	require.NoError(t, creators.Wait())
	replicas := int32(manyNodes)
	_, err := l.kube.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "crowd"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "crowd"}}, Template: smallPod("crowd"),
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

func manyName(i int) string { return fmt.Sprintf("many-%d", i) }

// smallPod is what a namespace with the restricted standard takes.
func smallPod(app string) corev1.PodTemplateSpec {
	yes, no := true, false
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: &no,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "main", Image: "crowd:1",
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			Resources:       corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}},
		}},
	}}
}

// crowdReady is content when the crowd has all its pods, running.
func (l *lane) crowdReady(ctx context.Context, namespace string) error {
	crowd, err := l.kube.AppsV1().Deployments(namespace).Get(ctx, "crowd", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if crowd.Status.ReadyReplicas < manyNodes {
		return fmt.Errorf("%d of %d of the Deployment are ready", crowd.Status.ReadyReplicas, manyNodes)
	}
	// One list at the end: the agents were there first.
	pods, err := l.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	if err != nil {
		return err
	}
	if len(pods.Items) < manyPods {
		return fmt.Errorf("%d of %d run", len(pods.Items), manyPods)
	}
	return nil
}
