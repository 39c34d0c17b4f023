package controlplane_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/controlplane"
)

const (
	waitTime = time.Minute
	interval = 200 * time.Millisecond
)

// start starts a control plane whose logs are kept when the test fails.
func start(t *testing.T, options controlplane.Options) (*controlplane.ControlPlane, kubernetes.Interface) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a control plane")
	}
	options.Log = t.Output()
	c, err := controlplane.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			c.Keep()
			t.Log("logs are in", c.Logs())
		}
		require.NoError(t, c.Err(), "no program has ended by itself")
		require.NoError(t, c.Close())
	})
	client, err := kubernetes.NewForConfig(c.Config())
	require.NoError(t, err)
	return c, client
}

// await fails the test when done is not content in time.
func await(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	require.NoError(t, condition.Await(ctx, what, interval, done))
}

func newNamespace(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	require.NoError(t, err)
}

func deployment(name string, replicas int32, image string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main", Image: image,
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
				}}},
			},
		},
	}
}

func deploy(t *testing.T, client kubernetes.Interface, namespace string, d *appsv1.Deployment) {
	t.Helper()
	_, err := client.AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{})
	require.NoError(t, err)
}

// awaitReplicas waits until a Deployment has exactly so many ready replicas.
func awaitReplicas(t *testing.T, client kubernetes.Interface, namespace, name string, want int32) {
	t.Helper()
	await(t, name, func(ctx context.Context) error {
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && (d.Status.ReadyReplicas != want || d.Status.Replicas != want) {
			err = fmt.Errorf("%d of %d replicas are ready, want %d", d.Status.ReadyReplicas, d.Status.Replicas, want)
		}
		return err
	})
}

// TestControlPlane goes through the life of a control plane: most of its time is the start, so it is one test.
func TestControlPlane(t *testing.T) {
	began := time.Now()
	c, client := start(t, controlplane.Options{})
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	require.NoError(t, c.AddNodes(t.Context(), controlplane.Node{Name: "a", Zone: "zone-a"}, controlplane.Node{Name: "b", Zone: "zone-b"}))

	t.Run("a Deployment becomes available", func(t *testing.T) {
		newNamespace(t, client, "web")
		deploy(t, client, "web", deployment("good", 3, "image:1"))
		deploy(t, client, "web", deployment("bad", 1, "image:unpullable"))
		awaitReplicas(t, client, "web", "good", 3)
		await(t, "the pod without an image", func(ctx context.Context) error {
			pods, err := client.CoreV1().Pods("web").List(ctx, metav1.ListOptions{LabelSelector: "app=bad"})
			if err != nil {
				return err
			}
			for _, pod := range pods.Items {
				for _, status := range pod.Status.ContainerStatuses {
					if status.State.Waiting != nil && status.State.Waiting.Reason == "ImagePullBackOff" {
						return nil
					}
				}
			}
			return fmt.Errorf("not told to be without an image: %d pods", len(pods.Items))
		})
	})
	t.Run("a claim gets a volume", func(t *testing.T) { claim(t, c, client) })
	t.Run("the autoscaler follows the use", func(t *testing.T) { scale(t, c, client) })
	t.Run("a silent zone is lost and comes back", func(t *testing.T) { loseZone(t, c, client) })
	t.Run("a namespace is deleted with what is in it", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), waitTime)
		defer cancel()
		require.NoError(t, c.DeleteNamespace(ctx, "web"))
	})
}

// claim also shows that the control plane's own volumes go with their claims.
func claim(t *testing.T, c *controlplane.ControlPlane, client kubernetes.Interface) {
	require.NoError(t, c.AddStorageClass(t.Context(), "standard", true))
	claims := client.CoreV1().PersistentVolumeClaims("web")
	_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	await(t, "the claim", func(ctx context.Context) error {
		found, err := claims.Get(ctx, "data", metav1.GetOptions{})
		if err == nil && found.Status.Phase != corev1.ClaimBound {
			err = fmt.Errorf("the claim is %s", found.Status.Phase)
		}
		return err
	})
	require.NoError(t, claims.Delete(t.Context(), "data", metav1.DeleteOptions{}))
	await(t, "the end of the volume", func(ctx context.Context) error {
		volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
		if err == nil && len(volumes.Items) > 0 {
			err = fmt.Errorf("%d are left", len(volumes.Items))
		}
		return err
	})
}

// scale watches an autoscaler that looks at one container.
func scale(t *testing.T, c *controlplane.ControlPlane, client kubernetes.Interface) {
	least, target := int32(3), int32(70)
	_, err := client.AutoscalingV2().HorizontalPodAutoscalers("web").Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "good"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "good"},
			MinReplicas:    &least, MaxReplicas: 6,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ContainerResourceMetricSourceType,
				ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
					Name: corev1.ResourceCPU, Container: "main",
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &target},
				},
			}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	usage := controlplane.Usage{Namespace: "web", Labels: map[string]string{"app": "good"}, Container: "main", CPU: "300m"}
	require.NoError(t, c.SetUsage(t.Context(), usage))
	began := time.Now()
	awaitReplicas(t, client, "web", "good", 6)
	t.Logf("scaled up after %s", time.Since(began).Round(time.Second))
	usage.CPU = "10m"
	require.NoError(t, c.SetUsage(t.Context(), usage))
	began = time.Now()
	awaitReplicas(t, client, "web", "good", 3)
	t.Logf("scaled down after %s", time.Since(began).Round(time.Second))
}

func loseZone(t *testing.T, c *controlplane.ControlPlane, client kubernetes.Interface) {
	nodeReady := func(want corev1.ConditionStatus) func(context.Context) error {
		return func(ctx context.Context) error {
			node, err := client.CoreV1().Nodes().Get(ctx, "b", metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, state := range node.Status.Conditions {
				if state.Type == corev1.NodeReady && state.Status == want {
					return nil
				}
			}
			return fmt.Errorf("ready is not %s: %v", want, node.Status.Conditions)
		}
	}
	require.ErrorContains(t, c.StopZone(t.Context(), "zone-x"), "zone-x")
	require.NoError(t, c.StopZone(t.Context(), "zone-b"))
	began := time.Now()
	await(t, "the loss of node b", nodeReady(corev1.ConditionUnknown))
	t.Logf("lost after %s", time.Since(began).Round(time.Second))
	require.NoError(t, c.StartZone(t.Context(), "zone-b"))
	await(t, "the return of node b", nodeReady(corev1.ConditionTrue))
}

// TestTwoAtOnce starts a second control plane while the first runs.
func TestTwoAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts control planes")
	}
	var group sync.WaitGroup
	names := make([]string, 2)
	for i := range names {
		group.Go(func() {
			c, err := controlplane.Start(t.Context(), controlplane.Options{})
			if !assert.NoError(t, err) {
				return
			}
			defer func() { assert.NoError(t, c.Close()) }()
			client, err := kubernetes.NewForConfig(c.Config())
			if !assert.NoError(t, err) {
				return
			}
			namespace, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
			assert.NoError(t, err)
			names[i] = string(namespace.UID)
		})
	}
	group.Wait()
	require.NotEqual(t, names[0], names[1])
}

// TestNothingIsLeft closes a control plane and looks for its programs and files.
func TestNothingIsLeft(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	c, _ := start(t, controlplane.Options{})
	require.NotEmpty(t, withArgument(t, temporary), "the positive control: running programs are found")
	require.NoError(t, c.Close())
	require.Empty(t, withArgument(t, temporary))
	entries, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// withArgument lists the command lines on this machine that mention text.
func withArgument(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(content), text) {
			found = append(found, string(content))
		}
	}
	return found
}
