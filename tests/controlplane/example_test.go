package controlplane_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/detection-api/detection-api/tests/controlplane"
)

// A control plane with a node in each of two zones. Helm and kubectl use the file that Kubeconfig names.
func ExampleStart() {
	ctx := context.Background()
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer plane.Close()
	err = plane.AddNodes(ctx,
		controlplane.Node{Name: "node-a", Zone: "a"},
		controlplane.Node{Name: "node-b", Zone: "b", CPU: "2", Memory: "4Gi"})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := kubernetes.NewForConfigOrDie(plane.Config())
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	fmt.Println(len(nodes.Items), err)
	// Output: 2 <nil>
}
