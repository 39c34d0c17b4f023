package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/cluster/local/link"
	"github.com/detection-api/detection-api/tests/cluster/local/state"
)

// number finds a node's number by its name.
func (c *Cluster) number(name string) (int, error) {
	for i := 1; i <= c.record.Workers; i++ {
		if state.NodeName(i) == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("there is no node %s", name)
}

// StopNode kills the node's first process, and with it all of the node. The cable is unplugged too: the kernel keeps a dead
// node's network for as long as connections in it linger, and would go on answering for it.
func (c *Cluster) StopNode(ctx context.Context, name string) error {
	i, err := c.number(name)
	if err != nil {
		return err
	}
	if err := c.nodeMachine(i).Kill(ctx); err != nil {
		return err
	}
	return link.Remove(c.directory.Cable(i))
}

// StartNode boots the node from its disk. It returns when containerd answers, before the node is ready.
func (c *Cluster) StartNode(ctx context.Context, name string) error {
	i, err := c.number(name)
	if err != nil {
		return err
	}
	if _, ok := c.nodeMachine(i).Running(); ok {
		return nil
	}
	pid, err := c.boot(i)
	if err != nil {
		return err
	}
	return c.awaitContainerd(ctx, pid)
}

// Partition sets this machine's end of the node's cable down.
func (c *Cluster) Partition(_ context.Context, name string) error { return c.cable(name, link.SetDown) }

// Heal sets it up again.
func (c *Cluster) Heal(_ context.Context, name string) error { return c.cable(name, link.SetUp) }

func (c *Cluster) cable(name string, change func(string) error) error {
	i, err := c.number(name)
	if err != nil {
		return err
	}
	return change(c.directory.Cable(i))
}

// KillContainer asks the node's containerd to kill the container's first process.
func (c *Cluster) KillContainer(ctx context.Context, namespace, pod, container string) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	found, err := client.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return err
	}
	id, err := containerID(found, container)
	if err != nil {
		return err
	}
	i, err := c.number(found.Spec.NodeName)
	if err != nil {
		return err
	}
	process, ok := c.nodeMachine(i).Running()
	if !ok {
		return fmt.Errorf("%s is stopped", found.Spec.NodeName)
	}
	err = c.containerd(ctx, process.PID, "tasks", "kill", "--signal", "SIGKILL", id)
	return err
}

func containerID(pod *corev1.Pod, container string) (string, error) {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == container && status.State.Running != nil {
			return strings.TrimPrefix(status.ContainerID, "containerd://"), nil
		}
	}
	return "", fmt.Errorf("pod %s/%s has no running container %s", pod.Namespace, pod.Name, container)
}

// Export copies the logs of the components and, where a node has them, those of its pods.
func (c *Cluster) Export(_ context.Context, dir string) error {
	if err := copyTree(c.directory.Path("log"), filepath.Join(dir, "components")); err != nil {
		return fmt.Errorf("export component logs: %w", err)
	}
	for i := 1; i <= c.record.Workers; i++ {
		name := state.NodeName(i)
		if err := copyTree(c.directory.Path("nodes", name, "var", "log", "pods"), filepath.Join(dir, "nodes", name)); err != nil {
			return fmt.Errorf("export logs of %s: %w", name, err)
		}
	}
	return nil
}

// copyTree copies a directory; one that does not exist is empty.
func copyTree(from, to string) error {
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case entry.Type().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o644)
		}
		return nil
	})
}
