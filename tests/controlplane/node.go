package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/detection-api/detection-api/tests/condition"
)

// Labels of the nodes that KWOK plays, and of those whose use of resources metrics-server asks for.
const (
	playedLabel, playedValue   = "controlplane/played", "true"
	meteredLabel, meteredValue = "controlplane/metered", "true"
)

// What a node has if its description does not say.
const (
	defaultCPU    = "8"
	defaultMemory = "32Gi"
	defaultPods   = 110
)

// nodeWorkers is how many nodes are made or removed at once.
const nodeWorkers = 16

// Node describes a node to be played.
type Node struct {
	// Name is the node's name, a DNS label.
	Name string
	// Zone is the value of topology.kubernetes.io/zone; empty for none.
	Zone string
	// CPU and Memory are quantities, for example "8" and "32Gi", which are also the defaults.
	CPU, Memory string
	// Pods is how many pods the node takes, 110 if it is 0.
	Pods int
	// Labels come on top of the usual ones.
	Labels map[string]string
	// Taints are the node's.
	Taints []corev1.Taint
	// Unmetered nodes have no metrics: with a thousand of them, reading metrics would be most of the work.
	Unmetered bool
}

// AddNodes makes nodes and returns when they are ready.
func (c *ControlPlane) AddNodes(ctx context.Context, nodes ...Node) error {
	names := map[string]bool{}
	objects := make([]*corev1.Node, len(nodes))
	for i, node := range nodes {
		object, err := node.object(c.nextPodNetwork())
		if err != nil {
			return fmt.Errorf("node %s: %w", node.Name, err)
		}
		names[node.Name], objects[i] = true, object
	}
	err := each(objects, nodeWorkers, func(object *corev1.Node) error {
		_, err := c.client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("add nodes: %w", err)
	}
	interval := 250*time.Millisecond + time.Duration(len(nodes))*time.Millisecond // many are asked for less often
	return condition.Await(ctx, "ready nodes", interval, func(ctx context.Context) error {
		return c.nodesReady(ctx, names)
	})
}

// RemoveNodes deletes nodes, as a cloud does with machines that are gone.
func (c *ControlPlane) RemoveNodes(ctx context.Context, names ...string) error {
	err := each(names, nodeWorkers, func(name string) error {
		return c.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
	})
	if err != nil {
		return fmt.Errorf("remove nodes: %w", err)
	}
	return nil
}

// RemoveZone deletes the nodes of a zone.
func (c *ControlPlane) RemoveZone(ctx context.Context, zone string) error {
	names, err := c.zone(ctx, zone)
	if err != nil {
		return err
	}
	return c.RemoveNodes(ctx, names...)
}

// StopZone makes the nodes of a zone fall silent, as if it had lost its power: no heartbeats, and its pods are stuck in
// what they are. Kubernetes takes the nodes for lost after
// Options.LostAfter.
func (c *ControlPlane) StopZone(ctx context.Context, zone string) error {
	return c.playZone(ctx, zone, `null`)
}

// StartZone brings the nodes of a stopped zone back.
func (c *ControlPlane) StartZone(ctx context.Context, zone string) error {
	return c.playZone(ctx, zone, `"`+playedValue+`"`)
}

func (c *ControlPlane) playZone(ctx context.Context, zone, value string) error {
	names, err := c.zone(ctx, zone)
	if err != nil {
		return err
	}
	patch := []byte(`{"metadata":{"labels":{"` + playedLabel + `":` + value + `}}}`)
	return each(names, nodeWorkers, func(name string) error {
		_, err := c.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
}

// zone names the nodes of a zone; that there are none is an error.
func (c *ControlPlane) zone(ctx context.Context, zone string) ([]string, error) {
	selector := labels.Set{corev1.LabelTopologyZone: zone}.String()
	list, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("nodes of zone %s: %w", zone, err)
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("no node is in zone %q", zone)
	}
	var names []string
	for _, node := range list.Items {
		names = append(names, node.Name)
	}
	return names, nil
}

// nodesReady is content when all named nodes are ready and open to pods.
func (c *ControlPlane) nodesReady(ctx context.Context, names map[string]bool) error {
	list, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	ready := 0
	for _, node := range list.Items {
		if names[node.Name] && isReady(node) {
			ready++
		}
	}
	if ready < len(names) {
		return errors.Join(fmt.Errorf("%d of %d are ready", ready, len(names)), c.Err())
	}
	return nil
}

func isReady(node corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return false
		}
	}
	for _, state := range node.Status.Conditions {
		if state.Type == corev1.NodeReady {
			return state.Status == corev1.ConditionTrue
		}
	}
	return false
}

// nextPodNetwork gives each node 256 addresses for pods out of 10.128.0.0/9.
func (c *ControlPlane) nextPodNetwork() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	address := netip.AddrFrom4([4]byte{10, byte(128 + c.nodeCount>>8), byte(c.nodeCount), 0})
	c.nodeCount++
	return netip.PrefixFrom(address, 24).String()
}

func (n Node) object(podNetwork string) (*corev1.Node, error) {
	resources, err := n.resources()
	if err != nil {
		return nil, err
	}
	own := map[string]string{
		corev1.LabelHostname: n.Name, corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux", playedLabel: playedValue,
	}
	if n.Zone != "" {
		own[corev1.LabelTopologyZone], own[corev1.LabelTopologyRegion] = n.Zone, "region"
	}
	if !n.Unmetered {
		own[meteredLabel] = meteredValue
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name, Labels: labels.Merge(own, n.Labels),
			Annotations: map[string]string{"metrics.k8s.io/resource-metrics-path": "/metrics/nodes/" + n.Name + "/metrics/resource"},
		},
		Spec:   corev1.NodeSpec{PodCIDR: podNetwork, PodCIDRs: []string{podNetwork}, Taints: n.Taints},
		Status: corev1.NodeStatus{Capacity: resources, Allocatable: resources, NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64"}},
	}, nil
}

func (n Node) resources() (corev1.ResourceList, error) {
	cpu, err := quantity(n.CPU, defaultCPU)
	if err != nil {
		return nil, fmt.Errorf("CPU: %w", err)
	}
	memory, err := quantity(n.Memory, defaultMemory)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	pods := n.Pods
	if pods == 0 {
		pods = defaultPods
	}
	return corev1.ResourceList{
		corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory, corev1.ResourcePods: *resource.NewQuantity(int64(pods), resource.DecimalSI),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
	}, nil
}

func quantity(text, whenEmpty string) (resource.Quantity, error) {
	if text == "" {
		text = whenEmpty
	}
	return resource.ParseQuantity(text)
}

// DeleteNamespace deletes a namespace and returns when it is gone.
func (c *ControlPlane) DeleteNamespace(ctx context.Context, name string) error {
	err := c.client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return condition.Await(ctx, "the end of namespace "+name, 250*time.Millisecond, func(ctx context.Context) error {
		namespace, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it still exists: %v", namespace.Status.Conditions)
	})
}
