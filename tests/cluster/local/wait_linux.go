package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/detection-api/detection-api/tests/condition"
)

const (
	pollInterval = 100 * time.Millisecond
	// startTime bounds each step of a bring-up; on an idle machine all of them together take some ten seconds.
	startTime = 3 * time.Minute
)

// await waits for done with the time that one step may take.
func await(ctx context.Context, what string, done func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return condition.Await(ctx, what, pollInterval, done)
}

func (c *Cluster) awaitContainerd(ctx context.Context, pid int) error {
	return await(ctx, "containerd", func(ctx context.Context) error {
		return c.containerd(ctx, pid, "namespaces", "list", "-q")
	})
}

func (c *Cluster) awaitAPI(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return await(ctx, "the API server", func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// awaitReady waits for every node, the name service and the metrics API.
func (c *Cluster) awaitReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	err = await(ctx, "the nodes", func(ctx context.Context) error { return c.nodesReady(ctx, client) })
	if err != nil {
		return err
	}
	c.progress("the nodes are ready")
	return await(ctx, "CoreDNS and metrics-server", func(ctx context.Context) error {
		return errors.Join(deploymentReady(ctx, client, "coredns"), deploymentReady(ctx, client, "metrics-server"), metricsServed(ctx, client))
	})
}

func (c *Cluster) nodesReady(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready != c.record.Workers {
		return fmt.Errorf("%d of %d nodes are ready", ready, c.record.Workers)
	}
	return nil
}

func deploymentReady(ctx context.Context, client kubernetes.Interface, name string) error {
	deployment, err := client.AppsV1().Deployments("kube-system").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if deployment.Status.ReadyReplicas < 1 {
		return fmt.Errorf("%s has no ready pod", name)
	}
	return nil
}

// metricsServed asks through the API server, as kubectl does.
func metricsServed(ctx context.Context, client kubernetes.Interface) error {
	return client.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1").Do(ctx).Error()
}

// Healthy tells whether the cluster works: its machines run, the API server answers and every node is ready.
func (c *Cluster) Healthy(ctx context.Context) error {
	if _, ok := c.controlPlane().Running(); !ok {
		return errors.New("the control plane does not run")
	}
	for i := 1; i <= c.record.Workers; i++ {
		if _, ok := c.nodeMachine(i).Running(); !ok {
			return fmt.Errorf("%s does not run", c.nodeMachine(i).Name)
		}
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return c.nodesReady(ctx, client)
}
