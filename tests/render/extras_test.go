package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

// extras are the options of a release that uses every way of extending the chart.
func extras(t *testing.T) chart.Options {
	t.Helper()
	file, err := filepath.Abs("testdata/values-extras.yaml")
	require.NoError(t, err)
	o := options(platformFile, nil)
	o.ValuesFiles = append(o.ValuesFiles, file)
	return o
}

// The golden of a release with every extension; `go test ./render -run TestExtrasGolden -update` writes it anew.
func TestExtrasGolden(t *testing.T) {
	const golden = "testdata/values-extras.golden.yaml"
	got := canonical(t, chart.Helm4, extras(t))
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// What a site adds for pods reaches the pods of the part it is added to, and those only.
func TestExtensionsReachThePods(t *testing.T) {
	pods := objects(rendered(t, extras(t))).podTemplates()
	for _, owner := range []string{"detection-api-blue", "detection-api-green", "detection-api-store"} {
		spec := pods[owner].Spec
		require.Contains(t, spec.Containers[0].Env, corev1.EnvVar{Name: "EXTRA", Value: "1"}, owner)
		require.Contains(t, spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "extra", MountPath: "/extra"}, owner)
		require.Equal(t, "extra", spec.Volumes[len(spec.Volumes)-1].Name, owner)
		require.Equal(t, "important", spec.PriorityClassName, owner)
		require.Equal(t, map[string]string{"disk": "fast"}, spec.NodeSelector, owner)
		require.Equal(t, "cop", spec.Tolerations[0].Value, owner)
		require.Equal(t, int32(1), spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Weight, owner)
	}
	backup := pods["detection-db-backup"].Spec
	require.Equal(t, "patient", backup.PriorityClassName)
	require.Equal(t, map[string]string{"disk": "large"}, backup.NodeSelector)
	require.Equal(t, "backup", backup.Tolerations[0].Key)
	require.Nil(t, backup.Affinity)
	require.Len(t, backup.Containers[0].VolumeMounts, len(mustPods(t)["detection-db-backup"].Spec.Containers[0].VolumeMounts))
}

// mustPods are the pods of the platform's values as they are.
func mustPods(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	return mustRender(t, platformFile, nil).podTemplates()
}

// What a site adds to the network: another DNS peer, a TAK server in a namespace on any port, log shipping, more callers.
func TestExtensionsReachTheNetwork(t *testing.T) {
	policies := objects(rendered(t, extras(t)))
	spec := func(name string) networkingv1.NetworkPolicySpec {
		return get[*networkingv1.NetworkPolicy](t, policies, "NetworkPolicy/"+name).Spec
	}
	named := func(peer networkingv1.NetworkPolicyPeer) string {
		return peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]
	}
	require.Equal(t, "169.254.20.10/32", spec("allow-dns-egress").Egress[0].To[1].IPBlock.CIDR)
	tak := spec("allow-tak-egress").Egress[0]
	require.Len(t, tak.To, 1)
	require.Equal(t, "tak", named(tak.To[0]))
	require.Empty(t, tak.Ports)
	logs := spec("allow-log-shipping")
	require.Equal(t, "monitoring", named(logs.Egress[0].To[0]))
	require.Equal(t, 3100, logs.Egress[0].Ports[0].Port.IntValue())
	require.Equal(t, "detection-cop", logs.PodSelector.MatchLabels["app.kubernetes.io/part-of"])
	require.Equal(t, "tests", named(spec("allow-extra-ingress").Ingress[0].From[0]))
	require.Equal(t, int32(30800), get[*corev1.Service](t, policies, "Service/detection-api-service").Spec.Ports[0].NodePort)
}

// TAK's mesh is multicast UDP, beside TCP or instead of it.
func TestUDPToTAK(t *testing.T) {
	for _, tcp := range [][]any{{}, {8089}} {
		o := rendered(t, chart.Options{Set: map[string]any{
			"networkPolicies.takEgress.ports": tcp, "networkPolicies.takEgress.udpPorts": []any{6969}, "networkPolicies.takEgress.cidrs": []any{"239.2.3.1/32"},
		}})
		ports := get[*networkingv1.NetworkPolicy](t, objects(o), "NetworkPolicy/allow-tak-egress").Spec.Egress[0].Ports
		require.Len(t, ports, len(tcp)+1)
		last := ports[len(tcp)]
		require.Equal(t, corev1.ProtocolUDP, *last.Protocol)
		require.Equal(t, 6969, last.Port.IntValue())
	}
}

// What may be left out: the wait before a stop, a storage class, pull Secrets.
func TestWhatMayBeLeftOut(t *testing.T) {
	release := objects(rendered(t, chart.Options{Set: map[string]any{
		"api.preStopSleepSeconds": 0, "backup.persistence.storageClass": "", "imagePullSecrets": []any{},
	}}))
	for owner, pod := range release.podTemplates() {
		require.Nil(t, pod.Spec.Containers[0].Lifecycle, owner)
		require.Empty(t, pod.Spec.ImagePullSecrets, owner)
	}
	claim := get[*corev1.PersistentVolumeClaim](t, release, "PersistentVolumeClaim/detection-backup-pvc")
	require.Nil(t, claim.Spec.StorageClassName)
}

// A quota that the site gives, where it is enough, and labels of its own on one part's pods are taken as they are.
func TestWhatTheSiteGivesIsTaken(t *testing.T) {
	release := objects(rendered(t, chart.Options{Set: map[string]any{
		"resourceQuota.hard.pods": 500, "resourceQuota.hard.limitsMemory": "1Ti", "store.podLabels.rack": "seven",
		"api.podLabels.rack": "eight",
	}}))
	hard := get[*corev1.ResourceQuota](t, release, "ResourceQuota/detection-api-quota").Spec.Hard
	require.Equal(t, "500", hard.Pods().String())
	require.Equal(t, "1Ti", hard.Name(corev1.ResourceLimitsMemory, "").String())
	pods := release.podTemplates()
	require.Equal(t, "seven", pods["detection-api-store"].Labels["rack"])
	require.Equal(t, "eight", pods["detection-api-blue"].Labels["rack"])
	refused(t, chart.Options{SkipSchema: true, Set: map[string]any{"api.queueSizeLimit": "4Q"}}, "4Q: the unit must be one of k, M")
}

// Either kind of signature policy carries the annotations of the site.
func TestSignaturePoliciesAreAnnotated(t *testing.T) {
	for _, kind := range []string{"ImageValidatingPolicy", "NamespacedImageValidatingPolicy", "ClusterPolicy"} {
		o := extras(t)
		o.Set["kyverno.enabled"], o.Set["kyverno.publicKey"], o.Set["kyverno.kind"] = true, signingKey, kind
		release := rendered(t, o)
		found := 0
		for key, object := range release {
			if strings.HasPrefix(key, kind+"/") {
				found++
				require.Equal(t, "duty", object.(metav1.Object).GetAnnotations()["contact"], key)
			}
		}
		require.Equal(t, 1, found, kind)
	}
}

// Limits and scaling rules that the site takes away are not rendered as something else.
func TestWhatTheSiteTakesAway(t *testing.T) {
	release := objects(rendered(t, chart.Options{SkipSchema: true, Set: map[string]any{
		"limitRange.defaultRequest": map[string]any{"cpu": nil, "memory": nil},
		"autoscaling.behavior":      map[string]any{"scaleUp": nil, "scaleDown": nil},
	}}))
	limits := get[*corev1.LimitRange](t, release, "LimitRange/detection-api-limits").Spec.Limits
	require.Empty(t, limits[0].DefaultRequest)
	require.NotEmpty(t, limits[0].Default)
	behavior := get[*autoscalingv2.HorizontalPodAutoscaler](t, release, "HorizontalPodAutoscaler/detection-api-hpa-blue").Spec.Behavior
	require.Nil(t, behavior)
}
