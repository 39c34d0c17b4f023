// Command provisioner gives claims volumes that stay with their node: directories below the node's own disk, offered as
// PersistentVolumes of type local. It runs on the machine that holds all the nodes' disks and serves all nodes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	name := flag.String("name", "detection-api.github.com/node-disk", "provisioner name of the StorageClasses to serve")
	hostRoot := flag.String("host-root", "", "pattern of the directory that holds a node's volumes, seen from here; ${NODE} stands for its name")
	nodeRoot := flag.String("node-root", "", "the same directory as the node sees it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	disks := disks{hostRoot: *hostRoot, nodeRoot: *nodeRoot}
	if err := run(ctx, *kubeconfig, *name, disks); err != nil {
		fmt.Fprintln(os.Stderr, "provisioner:", err)
		os.Exit(1)
	}
}

// run serves claims until ctx ends.
func run(ctx context.Context, kubeconfig, name string, disks disks) error {
	if kubeconfig == "" || disks.hostRoot == "" || disks.nodeRoot == "" {
		return errors.New("the flags -kubeconfig, -host-root and -node-root are needed")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	controller.NewProvisionController(ctx, client, name, disks, controller.LeaderElection(false)).Run(ctx)
	return nil
}

// disks maps volumes to directories.
type disks struct {
	hostRoot string
	nodeRoot string
}

// directory is where this machine finds a volume of a node. Both names come from the API server, which admits no slash.
func (d disks) directory(node, volume string) string {
	return filepath.Join(os.Expand(d.hostRoot, func(string) string { return node }), volume)
}

// Provision makes the directory on the node that the scheduler chose.
func (d disks) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	node := options.SelectedNodeName
	if node == "" {
		return nil, controller.ProvisioningFinished, errors.New("no node chosen: the class must bind WaitForFirstConsumer")
	}
	// The kubelet sets the group of the volume for pods with an fsGroup; others need to write as any user.
	directory := d.directory(node, options.PVName)
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("make volume: %w", err)
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("open volume to its pod: %w", err)
	}
	return d.volume(options), controller.ProvisioningFinished, nil
}

// volume describes a made directory as a PersistentVolume that only its node can mount.
func (d disks) volume(options controller.ProvisionOptions) *v1.PersistentVolume {
	claim := options.PVC.Spec
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Resources.Requests[v1.ResourceStorage]},
			VolumeMode:                    claim.VolumeMode,
			PersistentVolumeSource: v1.PersistentVolumeSource{
				Local: &v1.LocalVolumeSource{Path: filepath.Join(d.nodeRoot, options.PVName)},
			},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{
					Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{options.SelectedNodeName},
				}},
			}}}},
		},
	}
}

// Delete removes the directory with all that is in it.
func (d disks) Delete(_ context.Context, volume *v1.PersistentVolume) error {
	node, err := nodeOf(volume)
	if err != nil {
		return err
	}
	return os.RemoveAll(d.directory(node, volume.Name))
}

// nodeOf reads back the node that volume pinned a PersistentVolume to.
func nodeOf(volume *v1.PersistentVolume) (string, error) {
	if affinity := volume.Spec.NodeAffinity; affinity != nil && affinity.Required != nil {
		for _, term := range affinity.Required.NodeSelectorTerms {
			for _, expression := range term.MatchExpressions {
				if expression.Key == v1.LabelHostname && len(expression.Values) == 1 {
					return expression.Values[0], nil
				}
			}
		}
	}
	return "", fmt.Errorf("volume %s names no node", volume.Name)
}
