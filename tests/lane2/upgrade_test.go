package lane2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/upgrade"
)

// released are the versions that are in use. A version that is released is added here, and its archive to
// testdata/releases; both or neither.
var released = []string{"0.1.0", "0.2.0"}

// sites is what users of a version do to upgrade without an interruption: 0.2.0 scales slots automatically, which makes a
// slot start again from one pod. So the active slot is left out until traffic has moved to the other one.
func sites() map[string]upgrade.Site {
	return map[string]upgrade.Site{"0.1.0": {
		Upgrades: []map[string]any{
			{"slots": map[string]any{"blue": map[string]any{"autoscaling": false}}},
			{"activeSlot": "green"},
			{"slots": map[string]any{"blue": map[string]any{"autoscaling": true}}},
		},
	}}
}

func (l *lane) upgradePlan(t *testing.T) upgrade.Plan {
	t.Helper()
	from, err := upgrade.Released(filepath.Join("testdata", "releases"), released...)
	require.NoError(t, err)
	to, err := upgrade.Load(l.chart())
	require.NoError(t, err)
	return upgrade.Plan{
		Config: l.Config(), Release: releaseName, From: from, To: to, Sites: sites(),
		Namespace: func(context.Context, *upgrade.Chart, upgrade.Pair) (string, error) {
			return l.newRelease(t, "").namespace, nil
		},
	}
}

// TestUpgrade takes every released version to this chart and back, with Helm 3, with Helm 4, and from one to the other.
// The slot that carries traffic has all its pods the whole time.
func TestUpgrade(t *testing.T) {
	l := start(t)
	t.Parallel()
	plan := l.upgradePlan(t)
	var rows sync.Map
	plan.Check = func(ctx context.Context, step upgrade.Step) error {
		known, _ := rows.LoadOrStore(step.Namespace, &upgradeRow{lane: l, namespace: step.Namespace})
		return known.(*upgradeRow).check(ctx, step)
	}
	matrix, err := plan.Run(t.Context())
	t.Logf("\n%s", matrix)
	require.NoError(t, err)
	for _, row := range matrix {
		require.Contains(t, strings.Join(row.Owners["Deployment/detection-api-blue"], " "), "helm")
		t.Logf("%s: owners of Deployment/detection-api-blue %v, of Service/detection-api-service %v", row.Pair,
			row.Owners["Deployment/detection-api-blue"], row.Owners["Service/detection-api-service"])
		require.NotEmpty(t, row.Owners["StatefulSet/detection-api-store"])
	}
}

// What TestUpgrade's users do is needed: the plain upgrade is refused before anything changes, by a line that says what to
// set. That is also the control of the test above, for Helm 3 and Helm 4.
func TestUpgradeNeedsItsSteps(t *testing.T) {
	l := start(t)
	t.Parallel()
	plan := l.upgradePlan(t)
	plan.Sites, plan.From = nil, plan.From[:1] // 0.1.0, the one with steps
	plan.Pairs = []upgrade.Pair{{Install: upgrade.Helm3, Upgrade: upgrade.Helm3}, {Install: upgrade.Helm4, Upgrade: upgrade.Helm4}}
	plan.Check = func(ctx context.Context, step upgrade.Step) error { return l.awaitSlot(ctx, step.Namespace, "blue", 3) }
	matrix, err := plan.Run(t.Context())
	require.Error(t, err)
	for _, row := range matrix {
		require.ErrorContains(t, row.Err, "slots.blue.autoscaling=false", row.Pair)
		require.Len(t, row.Steps, 2, "refused at the first upgrade")
	}
}

// Positive control: an upgrade of a chart to itself proves nothing and is refused.
func TestUpgradeToTheSameVersion(t *testing.T) {
	from, err := upgrade.Released(filepath.Join("testdata", "releases"), released...)
	require.NoError(t, err)
	plan := upgrade.Plan{Release: releaseName, From: from, To: from[0], Namespace: func(context.Context, *upgrade.Chart, upgrade.Pair) (string, error) { return "", nil }}
	_, err = plan.Run(t.Context())
	require.ErrorContains(t, err, "proves nothing")
}

// awaitSlot waits until a slot has so many ready pods of its latest change.
func (l *lane) awaitSlot(ctx context.Context, namespace, slot string, pods int32) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	return condition.Await(ctx, fmt.Sprintf("%d ready pods of slot %s", pods, slot), pollInterval, func(ctx context.Context) error {
		d, err := l.kube.AppsV1().Deployments(namespace).Get(ctx, "detection-api-"+slot, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := d.Status
		if s.ObservedGeneration != d.Generation || *d.Spec.Replicas != pods || s.UpdatedReplicas != pods || s.ReadyReplicas != pods || s.Replicas != pods {
			return fmt.Errorf("wants %d: %d pods, %d updated, %d ready", *d.Spec.Replicas, s.Replicas, s.UpdatedReplicas, s.ReadyReplicas)
		}
		return nil
	})
}

// upgradeRow is what TestUpgrade remembers of a row.
type upgradeRow struct {
	*lane
	namespace string
	uids      map[string]string
	watched   func() error
}

func (r *upgradeRow) check(ctx context.Context, step upgrade.Step) error {
	if step.Name == "uninstall" {
		return r.onlyDataIsLeft(ctx, r.namespace)
	}
	for _, slot := range []string{"blue", "green"} {
		if err := r.awaitSlot(ctx, r.namespace, slot, 3); err != nil {
			return err
		}
	}
	if r.watched != nil {
		if err := r.watched(); err != nil {
			return err
		}
	}
	r.watched = r.watchTraffic(ctx, 3)
	return r.sameWorkloads(ctx)
}

// watchTraffic looks at the slot that carries traffic all the time until the returned function is called, which says
// whether it ever had fewer ready pods than it should have.
func (r *upgradeRow) watchTraffic(ctx context.Context, want int32) func() error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		goOn := errors.New("go on looking")
		var failure error
		// It ends with the context, or at the first failure.
		_ = condition.Await(ctx, "a failure", pollInterval, func(ctx context.Context) error {
			service, err := r.kube.CoreV1().Services(r.namespace).Get(ctx, "detection-api-service", metav1.GetOptions{})
			if err != nil {
				return goOn
			}
			slot := service.Spec.Selector["slot"]
			d, err := r.kube.AppsV1().Deployments(r.namespace).Get(ctx, "detection-api-"+slot, metav1.GetOptions{})
			if err == nil && d.Status.ReadyReplicas < want {
				failure = fmt.Errorf("slot %s carried traffic with %d ready pods, want %d", slot, d.Status.ReadyReplicas, want)
				return nil
			}
			return goOn
		})
		ended <- failure
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// sameWorkloads returns an error if a workload, the volume or the way in was replaced since they were first seen.
func (r *upgradeRow) sameWorkloads(ctx context.Context) error {
	found := map[string]string{}
	for _, slot := range []string{"blue", "green"} {
		d, err := r.kube.AppsV1().Deployments(r.namespace).Get(ctx, "detection-api-"+slot, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found["Deployment "+slot] = string(d.UID)
	}
	store, err := r.kube.AppsV1().StatefulSets(r.namespace).Get(ctx, "detection-api-store", metav1.GetOptions{})
	if err != nil {
		return err
	}
	data, err := r.kube.CoreV1().PersistentVolumeClaims(r.namespace).Get(ctx, "detection-data-pvc", metav1.GetOptions{})
	if err != nil {
		return err
	}
	service, err := r.kube.CoreV1().Services(r.namespace).Get(ctx, "detection-api-service", metav1.GetOptions{})
	if err != nil {
		return err
	}
	found["StatefulSet"], found["volume"], found["Service"] = string(store.UID), string(data.UID), string(service.UID)
	if r.uids == nil {
		r.uids = found
	}
	if !maps.Equal(r.uids, found) {
		return fmt.Errorf("replaced instead of changed: %v, before %v", found, r.uids)
	}
	return nil
}

// onlyDataIsLeft returns an error if uninstalling left workloads, or took the data away.
func (l *lane) onlyDataIsLeft(ctx context.Context, namespace string) error {
	deployments, err := l.kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	services, err := l.kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(deployments.Items)+len(services.Items) > 0 {
		return fmt.Errorf("%d Deployments and %d Services are left", len(deployments.Items), len(services.Items))
	}
	_, err = l.kube.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, "detection-data-pvc", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the data went with the release")
	}
	return err
}
