package controlplane

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// usageResource is the resource by which KWOK is told the use of resources.
var usageResource = schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "clusterresourceusages"}

// What every container uses if no Usage says otherwise.
const (
	idleCPU    = "1m"
	idleMemory = "1Mi"
)

// Usage is what containers use.
type Usage struct {
	// Namespace of the pods; empty for all.
	Namespace string
	// Labels that the pods have; none for all pods.
	Labels map[string]string
	// Container is the name of the container; empty for all.
	Container string
	// CPU and Memory are quantities for each container, for example "700m" and "300Mi". An empty one is left as it is
	// without this Usage.
	CPU, Memory string
}

// SetUsage says what containers use from now on, those of pods that do not exist yet too. It replaces an earlier Usage for
// the same namespace, labels and container; of others that fit, the last one set counts. The metrics API tells it after
// two of its readings, so after 20 s at most.
func (c *ControlPlane) SetUsage(ctx context.Context, usage Usage) error {
	for _, text := range []string{usage.CPU, usage.Memory} {
		if _, err := quantity(text, "0"); err != nil {
			return fmt.Errorf("use of resources %q: %w", text, err)
		}
	}
	c.mutex.Lock()
	c.usages = slices.DeleteFunc(c.usages, usage.sameContainers)
	c.usages = slices.Insert(c.usages, 0, usage)
	c.mutex.Unlock()
	return c.applyUsages(ctx)
}

func (u Usage) sameContainers(other Usage) bool {
	return u.Namespace == other.Namespace && u.Container == other.Container && maps.Equal(u.Labels, other.Labels)
}

func (c *ControlPlane) applyUsages(ctx context.Context) error {
	client, err := c.dynamic()
	if err != nil {
		return err
	}
	c.mutex.Lock()
	usages := slices.Clone(c.usages)
	c.mutex.Unlock()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": usageResource.GroupVersion().String(), "kind": "ClusterResourceUsage", "metadata": map[string]any{"name": "usage"},
		"spec": map[string]any{"usages": []any{map[string]any{"usage": map[string]any{
			"cpu":    map[string]any{"expression": expression(usages, func(u Usage) string { return u.CPU }, idleCPU)},
			"memory": map[string]any{"expression": expression(usages, func(u Usage) string { return u.Memory }, idleMemory)},
		}}}},
	}}
	_, err = client.Resource(usageResource).Apply(ctx, "usage", object, metav1.ApplyOptions{FieldManager: "controlplane", Force: true})
	if err != nil {
		return fmt.Errorf("set use of resources: %w", err)
	}
	return nil
}

// expression is a CEL expression that yields the quantity of the first usage that fits.
func expression(usages []Usage, value func(Usage) string, idle string) string {
	var text strings.Builder
	for _, usage := range usages {
		if value(usage) != "" {
			fmt.Fprintf(&text, "%s ? Quantity(%q) : ", usage.condition(), value(usage))
		}
	}
	fmt.Fprintf(&text, "Quantity(%q)", idle)
	return text.String()
}

// condition is a CEL expression that holds for the containers of the usage.
func (u Usage) condition() string {
	terms := []string{"true"}
	if u.Namespace != "" {
		terms = append(terms, fmt.Sprintf("pod.metadata.namespace == %q", u.Namespace))
	}
	if u.Container != "" {
		terms = append(terms, fmt.Sprintf("container.name == %q", u.Container))
	}
	for _, key := range slices.Sorted(maps.Keys(u.Labels)) {
		terms = append(terms, fmt.Sprintf("%q in pod.metadata.labels && pod.metadata.labels[%q] == %q", key, key, u.Labels[key]))
	}
	return "(" + strings.Join(terms, " && ") + ")"
}
