package controlplane

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/detection-api/detection-api/tests/cluster/manifest"
	"github.com/detection-api/detection-api/tests/condition"
)

// pollInterval is how often the readiness of a program is asked for.
const pollInterval = 50 * time.Millisecond

// usageCRD is the kind by which KWOK is told the use of resources while it runs.
//
//go:embed usage-crd.yaml
var usageCRD []byte

// metricsAPI registers metrics-server. PORT and CA stand for what is known only at run time.
//
//go:embed metrics-api.yaml
var metricsAPI []byte

// bringUp starts what does not need the API server, then what does.
func (c *ControlPlane) bringUp(ctx context.Context) error {
	began := time.Now()
	if err := os.MkdirAll(c.logs, 0o755); err != nil {
		return err
	}
	var err error
	if c.ports, err = freePorts(); err != nil {
		return err
	}
	authority, err := c.writeCredentials(time.Now())
	if err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	if err := c.connect(); err != nil {
		return err
	}
	for _, p := range []program{c.etcd(), c.apiserver()} {
		if err := c.run(p); err != nil {
			return err
		}
	}
	if err := c.await(ctx, "the API server", c.apiReady); err != nil {
		return err
	}
	c.say("the API server answers after %s", time.Since(began).Round(time.Millisecond))
	if err := c.startControllers(ctx, authority); err != nil {
		return err
	}
	c.say("the control plane is ready after %s", time.Since(began).Round(time.Millisecond))
	return nil
}

// startControllers starts the clients of the API server. The kind that KWOK watches must exist before KWOK does, and the
// metrics API is registered when it is served: the API server would wait long before asking a second time.
func (c *ControlPlane) startControllers(ctx context.Context, authority []byte) error {
	for _, p := range []program{c.controllerManager(), c.scheduler(), c.metricsServer()} {
		if err := c.run(p); err != nil {
			return err
		}
	}
	if err := manifest.Apply(ctx, c.config, usageCRD); err != nil {
		return err
	}
	if err := c.await(ctx, "the kind ClusterResourceUsage", c.usagesServed); err != nil {
		return err
	}
	if err := c.applyUsages(ctx); err != nil {
		return err
	}
	kwok, err := c.kwok()
	if err != nil {
		return err
	}
	if err := c.run(kwok); err != nil {
		return err
	}
	for name, port := range map[string]int{"metrics-server": c.ports.metrics, "KWOK": c.ports.kwok} {
		if err := c.await(ctx, name, listening(port)); err != nil {
			return err
		}
	}
	text := bytes.ReplaceAll(metricsAPI, []byte("PORT"), []byte(strconv.Itoa(c.ports.metrics)))
	if err := manifest.Apply(ctx, c.config, bytes.ReplaceAll(text, []byte("CA"), base64Of(authority))); err != nil {
		return err
	}
	if err := c.await(ctx, "the metrics API", c.metricsServed); err != nil {
		return err
	}
	return c.await(ctx, "the default service account", func(ctx context.Context) error {
		_, err := c.client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// await waits until done is content, but no longer than all programs run.
func (c *ControlPlane) await(ctx context.Context, what string, done func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return condition.Await(ctx, what, pollInterval, func(ctx context.Context) error {
		if err := c.Err(); err != nil {
			cancel(err)
			return err
		}
		return done(ctx)
	})
}

func (c *ControlPlane) apiReady(ctx context.Context) error {
	return c.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

func (c *ControlPlane) usagesServed(ctx context.Context) error {
	client, err := c.dynamic()
	if err != nil {
		return err
	}
	_, err = client.Resource(usageResource).List(ctx, metav1.ListOptions{Limit: 1})
	return err
}

func (c *ControlPlane) metricsServed(ctx context.Context) error {
	client, err := c.dynamic()
	if err != nil {
		return err
	}
	services := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	service, err := client.Resource(services).Get(ctx, "v1beta1.metrics.k8s.io", metav1.GetOptions{})
	if err != nil {
		return err
	}
	conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
	for _, entry := range conditions {
		if state, ok := entry.(map[string]any); ok && state["type"] == "Available" {
			if state["status"] == "True" {
				return nil
			}
			return fmt.Errorf("not available: %v", state["message"])
		}
	}
	return errors.Join(errors.New("not yet looked at by the API server"), err)
}

func (c *ControlPlane) dynamic() (dynamic.Interface, error) { return dynamic.NewForConfig(c.config) }

func listening(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostPort(port))
		if err != nil {
			return err
		}
		return connection.Close()
	}
}
