// Package dataplane proves that a cluster carries traffic as it should. Ready nodes and pods prove nothing of the kind:
// a cluster whose Services lead nowhere, or whose policies are not enforced, looks the same.
package dataplane

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/detection-api/detection-api/tests/cluster/manifest"
	"github.com/detection-api/detection-api/tests/condition"
)

const (
	// stepTime bounds each step of the check.
	stepTime     = time.Minute
	pollInterval = 100 * time.Millisecond
	// connectTime is how long a client in a pod tries; a denied connection takes all of it.
	connectTime = time.Second
)

//go:embed pods.yaml
var podsText string

//go:embed policy.yaml
var policyText string

// checker is one run of the check.
type checker struct {
	client    kubernetes.Interface
	namespace string
}

// values fill in the manifests.
type values struct {
	Namespace, Image string
	Pods             []pod
}

type pod struct{ Name, Node string }

// Check runs pods of the probe image under the restricted security profile, on two nodes if there are two, and shows that
// a Service is reached through its cluster IP from either node, that its name resolves, and that a NetworkPolicy stops
// exactly the clients it should: connections that fail under the policy succeeded before it.
func Check(ctx context.Context, config *rest.Config, image string) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("data-plane check: make client: %w", err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "data-plane-check-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("data-plane check: make namespace: %w", err)
	}
	c := checker{client: client, namespace: namespace.Name}
	if err := c.run(ctx, config, image); err != nil {
		// The namespace stays: its pods' logs are the evidence.
		return fmt.Errorf("data-plane check: %w", err)
	}
	if err := client.CoreV1().Namespaces().Delete(ctx, c.namespace, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("data-plane check: remove namespace: %w", err)
	}
	return nil
}

func (c checker) run(ctx context.Context, config *rest.Config, image string) error {
	near, far, err := c.twoNodes(ctx)
	if err != nil {
		return err
	}
	values := values{Namespace: c.namespace, Image: image, Pods: []pod{
		{"server", near}, {"stranger-near", near}, {"friend", far}, {"stranger-far", far},
	}}
	if err := applyTemplate(ctx, config, podsText, values); err != nil {
		return err
	}
	if err := await(ctx, "the pods", c.podsReady); err != nil {
		return err
	}
	service, err := c.client.CoreV1().Services(c.namespace).Get(ctx, "server", metav1.GetOptions{})
	if err != nil {
		return err
	}
	target := "http://" + service.Spec.ClusterIP
	// All clients get through: the positive control of the denial below.
	for _, client := range []string{"friend", "stranger-near", "stranger-far"} {
		if err := c.expectFetch(ctx, client, target); err != nil {
			return err
		}
	}
	if err := c.expectName(ctx, "server."+c.namespace+".svc.cluster.local", service.Spec.ClusterIP); err != nil {
		return err
	}
	if err := applyTemplate(ctx, config, policyText, values); err != nil {
		return err
	}
	for _, client := range []string{"stranger-near", "stranger-far"} {
		if err := c.expectDenied(ctx, client, target); err != nil {
			return err
		}
	}
	return nil
}

func applyTemplate(ctx context.Context, config *rest.Config, text string, values values) error {
	parsed, err := template.New("manifest").Parse(text)
	if err != nil {
		return err
	}
	var rendered bytes.Buffer
	if err := parsed.Execute(&rendered, values); err != nil {
		return err
	}
	return manifest.Apply(ctx, config, rendered.Bytes())
}

// twoNodes picks two nodes that take pods, or twice the same if there is only one.
func (c checker) twoNodes(ctx context.Context) (near, far string, err error) {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", "", err
	}
	var names []string
	for _, node := range nodes.Items {
		if takesPods(node) {
			names = append(names, node.Labels[corev1.LabelHostname])
		}
	}
	if len(names) == 0 {
		return "", "", errors.New("no node takes pods")
	}
	return names[0], names[len(names)-1], nil
}

func takesPods(node corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return false
		}
	}
	return !node.Spec.Unschedulable
}

func (c checker) podsReady(ctx context.Context) error {
	pods, err := c.client.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if !ready(pod) {
			return fmt.Errorf("pod %s is %s", pod.Name, pod.Status.Phase)
		}
	}
	return nil
}

func ready(pod corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// expectFetch waits until the client in a pod reaches target.
func (c checker) expectFetch(ctx context.Context, pod, target string) error {
	return await(ctx, fmt.Sprintf("%s to reach %s", pod, target), func(ctx context.Context) error {
		return c.reaches(ctx, pod, target)
	})
}

func (c checker) reaches(ctx context.Context, pod, target string) error {
	got, err := c.ask(ctx, pod, "fetch", "url", target)
	switch {
	case err != nil:
		return err
	case !got.OK:
		return fmt.Errorf("%s does not reach it: %s", pod, got.Text)
	case got.Text != "server":
		return fmt.Errorf("%q answered", got.Text)
	}
	return nil
}

// expectDenied waits until the client in a pod is kept from target. The friend must get through right after: a connection that
// is only slow does not count as denied.
func (c checker) expectDenied(ctx context.Context, pod, target string) error {
	return await(ctx, fmt.Sprintf("%s to be kept from %s", pod, target), func(ctx context.Context) error {
		got, err := c.ask(ctx, pod, "fetch", "url", target)
		if err != nil {
			return err
		}
		if got.OK {
			return fmt.Errorf("%q answered", got.Text)
		}
		return c.reaches(ctx, "friend", target)
	})
}

func (c checker) expectName(ctx context.Context, name, address string) error {
	return await(ctx, "the name "+name, func(ctx context.Context) error {
		got, err := c.ask(ctx, "friend", "resolve", "name", name)
		if err == nil && (!got.OK || got.Text != address) {
			err = fmt.Errorf("got %q", got.Text)
		}
		return err
	})
}

// result is what the probe answers.
type result struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// ask makes the probe in a pod do something, through the API server, which works wherever this program runs.
func (c checker) ask(ctx context.Context, pod, action, parameter, value string) (result, error) {
	content, err := c.client.CoreV1().Pods(c.namespace).ProxyGet("http", pod, "8080", action, map[string]string{
		parameter: value, "timeout": connectTime.String(),
	}).DoRaw(ctx)
	if err != nil {
		return result{}, fmt.Errorf("ask pod %s: %w", pod, err)
	}
	var got result
	if err := json.Unmarshal(content, &got); err != nil {
		return result{}, fmt.Errorf("answer of pod %s: %w", pod, err)
	}
	return got, nil
}

// await waits for done with the time that one step may take.
func await(ctx context.Context, what string, done func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	return condition.Await(ctx, what, pollInterval, done)
}
