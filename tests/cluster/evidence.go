package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// logLimit bounds the log kept of one container, in bytes, counted from its end.
const logLimit = 8 << 20

// Export writes evidence for a failed test into dir: pods/ with the logs of every container, also of the one before a
// restart; events.txt in the order of time; objects/ with all objects but Secrets as YAML, one file a kind; and under
// provider/ the logs of the cluster's own components where the provider has them. It writes what it can, and returns all
// that went wrong on the way.
func (c *Cluster) Export(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	errProvider := c.backend.Export(ctx, filepath.Join(dir, "provider"))
	config, err := c.RESTConfig()
	if err != nil {
		return errors.Join(errProvider, err)
	}
	config.WarningHandler = rest.NoWarnings{} // every kind is listed, the deprecated ones too
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return errors.Join(errProvider, err)
	}
	anyKind, err := dynamic.NewForConfig(config)
	if err != nil {
		return errors.Join(errProvider, err)
	}
	return errors.Join(errProvider,
		exportLogs(ctx, typed, filepath.Join(dir, "pods")),
		exportEvents(ctx, typed, filepath.Join(dir, "events.txt")),
		exportObjects(ctx, typed.Discovery(), anyKind, filepath.Join(dir, "objects")))
}

func exportLogs(ctx context.Context, client kubernetes.Interface, dir string) error {
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	var failures []error
	for _, pod := range pods.Items {
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			base := filepath.Join(dir, pod.Namespace, pod.Name+"_"+status.Name)
			if status.State.Waiting == nil {
				failures = append(failures, exportLog(ctx, client, pod, status.Name, false, base+".log"))
			}
			if status.LastTerminationState.Terminated != nil {
				failures = append(failures, exportLog(ctx, client, pod, status.Name, true, base+".previous.log"))
			}
		}
	}
	return errors.Join(failures...)
}

func exportLog(ctx context.Context, client kubernetes.Interface, pod corev1.Pod, container string, previous bool, path string) error {
	limit := int64(logLimit)
	options := &corev1.PodLogOptions{Container: container, Previous: previous, LimitBytes: &limit, Timestamps: true}
	stream, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if apierrors.IsNotFound(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("log of %s/%s %s: %w", pod.Namespace, pod.Name, container, err)
	}
	defer stream.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, stream)
	return errors.Join(err, file.Close())
}

func exportEvents(ctx context.Context, client kubernetes.Interface, path string) error {
	events, err := client.CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list events: %w", err)
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	var b strings.Builder
	for _, e := range events.Items {
		fmt.Fprintf(&b, "%s %s %s/%s %s %s (x%d): %s\n", e.LastTimestamp.UTC().Format("15:04:05"), e.Type, e.Namespace,
			e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, max(e.Count, 1), e.Message)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// exportObjects writes every kind that can be listed, custom ones too. Secrets are left out: evidence is passed around.
func exportObjects(ctx context.Context, disco discovery.DiscoveryInterface, client dynamic.Interface, dir string) error {
	// With an aggregated API down the other groups are still listed.
	lists, errDiscovery := disco.ServerPreferredResources()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	failures := []error{errDiscovery}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for _, resource := range list.APIResources {
			if !wanted(resource) {
				continue
			}
			failures = append(failures, exportKind(ctx, client, version.WithResource(resource.Name), dir))
		}
	}
	return errors.Join(failures...)
}

func wanted(resource metav1.APIResource) bool {
	return slices.Contains(resource.Verbs, "list") && !slices.Contains([]string{"Secret", "Event"}, resource.Kind)
}

func exportKind(ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource, dir string) error {
	list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	for i := range list.Items {
		unstructured.RemoveNestedField(list.Items[i].Object, "metadata", "managedFields")
	}
	text, err := yaml.Marshal(list.UnstructuredContent())
	if err != nil {
		return err
	}
	name := resource.Resource
	if resource.Group != "" {
		name += "." + resource.Group
	}
	return os.WriteFile(filepath.Join(dir, name+".yaml"), text, 0o644)
}
