package notesboard

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/controlplane"
)

// begin: controlplane
func TestMyChartRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; -short asks for the fast tests only")
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{Log: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, plane.Close()) })
	require.NoError(t, plane.AddNodes(t.Context(), controlplane.Node{Name: "node-1", Zone: "zone-a"}))
	client := kubernetes.NewForConfigOrDie(plane.Config()).AppsV1().Deployments("default")
	for _, deployment := range chart.All[*appsv1.Deployment](rendered(t, map[string]any{"replicas": 3})) {
		deployment.Namespace = "default"
		_, err := client.Create(t.Context(), deployment, metav1.CreateOptions{FieldValidation: "Strict"})
		require.NoError(t, err)
		require.NoError(t, condition.Await(t.Context(), "three pods", 100*time.Millisecond, func(ctx context.Context) error {
			live, err := client.Get(ctx, deployment.Name, metav1.GetOptions{})
			if err == nil && live.Status.ReadyReplicas != 3 {
				err = fmt.Errorf("%d pods are ready", live.Status.ReadyReplicas)
			}
			return err
		}))
	}
}

// end: controlplane
