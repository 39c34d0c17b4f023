package render

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/detection-api/detection-api/tests/chart"
)

// runningRelease is a cluster in which a release of the chart's defaults runs with blue active and all pods ready.
func runningRelease(t *testing.T) (blue, green *appsv1.Deployment, cluster []runtime.Object) {
	t.Helper()
	release := objects(rendered(t, chart.Options{}))
	running := func(slot string) *appsv1.Deployment {
		d := get[*appsv1.Deployment](t, release, "Deployment/detection-api-"+slot)
		d.Generation, d.Spec.Replicas = 1, new(int32(3))
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}
		return d
	}
	blue, green = running("blue"), running("green")
	cluster = []runtime.Object{get[*corev1.Service](t, release, "Service/detection-api-service"), blue, green}
	for _, config := range all[*corev1.ConfigMap](release) {
		cluster = append(cluster, config)
	}
	for _, autoscaler := range all[*autoscalingv2.HorizontalPodAutoscaler](release) {
		cluster = append(cluster, autoscaler)
	}
	return blue, green, cluster
}

// A promotion is held against what the cluster says: the whole way, from `lookup` to the release.
func TestPromotionOnACluster(t *testing.T) {
	promote := chart.Options{Upgrade: true, Revision: 2, Set: map[string]any{"activeSlot": "green"}}
	selector := func(o chart.Options) string {
		return get[*corev1.Service](t, objects(rendered(t, o)), "Service/detection-api-service").Spec.Selector["slot"]
	}
	_, green, cluster := runningRelease(t)
	promote.Cluster = cluster
	require.Equal(t, "green", selector(promote))
	green.Status.ReadyReplicas = 1
	refused(t, promote, "has 1 of 3 pods ready")
	promote.Set["promotion.forceRevision"] = 2
	require.Equal(t, "green", selector(promote), "break-glass, for this revision")
	promote.Set["promotion.forceRevision"] = 1
	refused(t, promote, "--set promotion.forceRevision=2")
	green.Status.ReadyReplicas = 3
	promote.Set["config.logLevel"] = "debug"
	refused(t, promote, "would change the pods of slot")
}

// An autoscaled slot keeps what it runs; one that no longer is may not lose pods by it.
func TestPromotionToAScaledSlot(t *testing.T) {
	blue, green, cluster := runningRelease(t)
	for _, d := range []*appsv1.Deployment{blue, green} {
		d.Spec.Replicas = new(int32(7))
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas = 7, 7, 7
	}
	o := chart.Options{Upgrade: true, Revision: 2, Cluster: cluster, Set: map[string]any{"activeSlot": "green"}}
	rendered(t, o)
	o.Set["autoscaling.enabled"] = false
	refused(t, o, "replicas=7")
	o.Cluster = slices.DeleteFunc(cluster, func(object runtime.Object) bool {
		_, autoscaler := object.(*autoscalingv2.HorizontalPodAutoscaler)
		return autoscaler
	})
	refused(t, o, "would leave Deployment detection-api-green with 3 pods where slot blue runs 7")
}

// An earlier configuration that the slot's pods still run with is rendered again from the cluster, so that nothing prunes it.
func TestEarlierConfigurationStays(t *testing.T) {
	blue, _, cluster := runningRelease(t)
	before := blue.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
	o := chart.Options{Upgrade: true, Revision: 2, Set: map[string]any{"slots.blue.config": map[string]any{"queueMaxBytes": 1073741824}}}
	require.NotContains(t, objects(rendered(t, o)), "ConfigMap/"+before, "positive control: without a cluster it is forgotten")
	o.Cluster = cluster
	after := objects(rendered(t, o))
	kept := get[*corev1.ConfigMap](t, after, "ConfigMap/"+before)
	require.NotEmpty(t, kept.Data)
	require.NotEqual(t, before, get[*appsv1.Deployment](t, after, "Deployment/"+blue.Name).Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name)
}

// Development Secrets are made once: an upgrade keeps what the cluster has, and a value of the site's wins.
func TestDevelopmentSecretsAreKept(t *testing.T) {
	o := options("values-dev.yaml", nil)
	token := func() string {
		return string(get[*corev1.Secret](t, objects(rendered(t, o)), "Secret/store-credentials").Data["token"])
	}
	require.NotEqual(t, token(), token(), "without a cluster they are random")
	live := liveSecret("store-credentials", nil, "token")
	live.Data["token"] = []byte("what it was before, 32 characters and more")
	o.Cluster = []runtime.Object{live}
	require.Equal(t, string(live.Data["token"]), token())
	o.Set["secrets.development.storeToken"] = "what the site says, 32 characters and more"
	require.Equal(t, o.Set["secrets.development.storeToken"], token())
}

// Where the namespace is missing, the refusal says how to make it.
func TestMissingNamespaceIsNamed(t *testing.T) {
	cluster := []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}}}
	refused(t, chart.Options{Cluster: cluster}, "the namespace does not exist")
}

// A Secret that an option of the values needs is missed before any pod waits for it, and so is its key.
func TestMissingSecretsOfOptionsAreNamed(t *testing.T) {
	o := chart.Options{Set: withFiles}
	cluster := []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		liveSecret("tak-server-credentials", nil, "endpoint"), liveSecret("store-credentials", nil, "token"),
	}
	for _, missing := range []struct {
		there *corev1.Secret
		want  string
	}{
		{nil, "create secret generic signing-keys --from-literal=KID="},
		{liveSecret("signing-keys", nil, "2026-11"), "create secret generic clients --from-file=clients.json"},
		{liveSecret("clients", nil, "clients.json"), "create secret generic tak-client --from-file=ca.crt --from-file=tls.crt --from-file=tls.key"},
	} {
		if missing.there != nil {
			cluster = append(cluster, missing.there)
		}
		o.Cluster = cluster
		refused(t, o, missing.want)
	}
	o.Cluster = append(cluster, liveSecret("tak-client", nil, "tls.key"))
	refused(t, o, "Secret tak-client has nothing under the key ca.crt")
	o.Cluster = append(cluster, liveSecret("tak-client", nil, "ca.crt"))
	rendered(t, o)
}

// The notes warn of what the cluster lacks, and only then.
func TestNotesOfACluster(t *testing.T) {
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	o := options("values-dev.yaml", map[string]string{"secrets.development.takEndpoint": "tak:8087", "networkPolicies.takEgress.cidrs": "[]"})
	o.Cluster, o.Set["imagePullSecrets"] = []runtime.Object{space}, []any{map[string]any{"name": "pull"}}
	notes := func() string {
		release, err := loadChart(t).Render(chart.Helm4, o)
		require.NoError(t, err)
		return release.Notes
	}
	for _, part := range []string{"does not enforce", "Secret pull does not exist", "nothing reaches a TAK server"} {
		require.Contains(t, notes(), part)
	}
	require.NotContains(t, notes(), "takEndpoint is empty")
	space.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	o.Cluster = append(o.Cluster, liveSecret("pull", nil, "x"))
	require.NotContains(t, notes(), "does not enforce")
	require.NotContains(t, notes(), "does not exist")
	o.Set["imagePullSecrets"] = []any{}
	require.NotContains(t, notes(), "Secret pull")
}

// A cold slot of which nobody has recorded who set its count, and pods without configuration, are no obstacle.
func TestPlainDeploymentsOfACluster(t *testing.T) {
	_, green, cluster := runningRelease(t)
	green.Spec.Replicas, green.Status = new(int32(0)), appsv1.DeploymentStatus{ObservedGeneration: 1}
	green.ManagedFields, green.Spec.Template.Spec.Containers[0].EnvFrom = nil, nil
	release := objects(rendered(t, chart.Options{Upgrade: true, Revision: 2, Cluster: cluster}))
	require.Nil(t, get[*appsv1.Deployment](t, release, "Deployment/detection-api-green").Spec.Replicas)
}
