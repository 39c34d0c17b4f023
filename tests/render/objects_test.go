package render

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
)

// Every values file renders into objects that decode strictly, and none of them is in another namespace.
func TestRenderedObjectsDecodeStrictly(t *testing.T) {
	for _, file := range valuesFiles {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			rendered := mustRender(t, file, nil)
			require.NotEmpty(t, rendered)
			for key, object := range rendered {
				meta, ok := object.(metav1.Object)
				require.True(t, ok, key)
				require.Equal(t, namespace, meta.GetNamespace(), key)
			}
			secrets := all[*corev1.Secret](rendered)
			if file == "values-dev.yaml" {
				require.Len(t, secrets, 3)
			} else {
				require.Empty(t, secrets, "a production release must not carry Secrets")
			}
		})
	}
}

// Positive control of the strict decoder: a misspelt field and a second object of the same name are found.
func TestDecodeRefuses(t *testing.T) {
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n"
	for name, text := range map[string]string{
		"misspelt field": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selectr: {}}\n",
		"same name":      service + "---\n" + service,
		"unknown kind":   "apiVersion: v1\nkind: Servis\nmetadata: {name: a}\n",
	} {
		_, err := decode(text)
		require.Error(t, err, name)
	}
}

// The restricted Pod Security Standard, in the version the Namespace pins and in the newest one.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	require.NoError(t, err)
	evaluate := func(template corev1.PodTemplateSpec, version psaapi.Version) psapolicy.AggregateCheckResult {
		level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: version}
		return psapolicy.AggregateCheckResults(evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec))
	}
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, map[string]string{"namespace.create": "true"})
		labels := get[*corev1.Namespace](t, rendered, "Namespace/"+namespace).Labels
		require.Equal(t, "restricted", labels["pod-security.kubernetes.io/enforce"])
		pinned, err := psaapi.ParseVersion(labels["pod-security.kubernetes.io/enforce-version"])
		require.NoError(t, err)
		for owner, template := range rendered.podTemplates() {
			for _, version := range []psaapi.Version{pinned, psaapi.LatestVersion()} {
				result := evaluate(template, version)
				require.True(t, result.Allowed, "%s: %s: %s", file, owner, result.ForbiddenDetail())
			}
			template.Spec.SecurityContext.RunAsNonRoot = nil
			require.False(t, evaluate(template, pinned).Allowed, "positive control")
		}
	}
}

// What the standard does not ask for: no API token, no writable root, no Service variables, the app's user.
func TestPodsAreHardened(t *testing.T) {
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, nil)
		accounts := map[string]*corev1.ServiceAccount{}
		for _, account := range all[*corev1.ServiceAccount](rendered) {
			accounts[account.Name] = account
		}
		want := 4 // both slots, the store, the test
		if _, backups := rendered["CronJob/detection-db-backup"]; backups {
			want += 3
		}
		require.Len(t, rendered.podTemplates(), want)
		for owner, template := range rendered.podTemplates() {
			spec := template.Spec
			require.Equal(t, new(false), spec.AutomountServiceAccountToken, owner)
			require.Contains(t, accounts, spec.ServiceAccountName, owner)
			require.Equal(t, new(false), accounts[spec.ServiceAccountName].AutomountServiceAccountToken, owner)
			require.Equal(t, new(false), spec.EnableServiceLinks, owner)
			require.Equal(t, new(int64(1000)), spec.SecurityContext.RunAsUser, owner)
			require.Equal(t, new(int64(1000)), spec.SecurityContext.FSGroup, owner)
			for _, container := range append(spec.InitContainers, spec.Containers...) {
				require.Equal(t, new(true), container.SecurityContext.ReadOnlyRootFilesystem, owner)
				require.NotEmpty(t, container.Resources.Requests, owner)
				require.NotEmpty(t, container.Resources.Limits, owner)
			}
			for _, volume := range spec.Volumes {
				require.Nil(t, volume.Projected, owner)
			}
		}
	}
}

// Only the store mounts the volume with app.db; the queue's cap is below its volume.
func TestVolumes(t *testing.T) {
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, nil)
		claim := get[*corev1.PersistentVolumeClaim](t, rendered, "PersistentVolumeClaim/detection-data-pvc")
		for owner, template := range rendered.podTemplates() {
			if app := template.Labels["app"]; app != "detection-api" && app != "detection-api-store" {
				require.NotContains(t, fmt.Sprint(template.Spec.Volumes), claim.Name, owner)
				continue
			}
			require.Len(t, template.Spec.Volumes, 1, owner)
			volume := template.Spec.Volumes[0]
			require.Equal(t, "/app/data", template.Spec.Containers[0].VolumeMounts[0].MountPath, owner)
			if owner == "detection-api-store" {
				require.Equal(t, claim.Name, volume.PersistentVolumeClaim.ClaimName)
				continue
			}
			require.NotNil(t, volume.EmptyDir, owner)
			config := template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
			settings := get[*corev1.ConfigMap](t, rendered, "ConfigMap/"+config)
			require.Equal(t, new(true), settings.Immutable)
			queue, err := resource.ParseQuantity(settings.Data["QUEUE_MAX_BYTES"])
			require.NoError(t, err)
			require.Negative(t, queue.Cmp(*volume.EmptyDir.SizeLimit), owner)
		}
	}
}

// The source design's probes, and a Service for every slot that exists.
func TestProbesOfTheSlots(t *testing.T) {
	rendered := mustRender(t, "values.yaml", nil)
	for _, slot := range []string{"blue", "green"} {
		container := get[*appsv1.Deployment](t, rendered, "Deployment/detection-api-"+slot).Spec.Template.Spec.Containers[0]
		for _, want := range []struct {
			probe                                       *corev1.Probe
			path                                        string
			delaySec, periodSec, timeoutSec, failureCap int32
		}{
			{container.StartupProbe, "/health", 5, 5, 3, 30},
			{container.LivenessProbe, "/health", 10, 30, 5, 3},
			{container.ReadinessProbe, "/ready", 5, 5, 3, 1},
		} {
			require.Equal(t, want.path, want.probe.HTTPGet.Path)
			require.Equal(t, intstr.FromString("http"), want.probe.HTTPGet.Port)
			got := []int32{want.probe.InitialDelaySeconds, want.probe.PeriodSeconds, want.probe.TimeoutSeconds, want.probe.FailureThreshold}
			require.Equal(t, []int32{want.delaySec, want.periodSec, want.timeoutSec, want.failureCap}, got, want.path)
		}
		require.Equal(t, int32(8000), container.Ports[0].ContainerPort)
	}
}

// Each Service reaches the pods it is named for.
func TestServicesSelect(t *testing.T) {
	want := map[string][]string{
		"detection-api-service":  {"detection-api-blue"},
		"detection-api-blue":     {"detection-api-blue"},
		"detection-api-green":    {"detection-api-green"},
		"detection-api-headless": {"detection-api-blue", "detection-api-green"},
		"detection-api-store":    {"detection-api-store"},
	}
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, nil)
		require.Len(t, all[*corev1.Service](rendered), len(want))
		for _, service := range all[*corev1.Service](rendered) {
			selector := &metav1.LabelSelector{MatchLabels: service.Spec.Selector}
			require.Equal(t, want[service.Name], rendered.selectedPods(t, selector), "%s: %s", file, service.Name)
		}
	}
}

// One budget for each slot; a slot no larger than minAvailable can still be drained; a cold slot has none.
func TestPodDisruptionBudgets(t *testing.T) {
	one, two := intstr.FromInt32(1), intstr.FromInt32(2)
	for _, c := range []struct {
		name, replicas           string
		minAvailable, maxMissing *intstr.IntOrString
	}{
		{"larger than minAvailable", "3", &two, nil},
		{"as large as minAvailable", "2", nil, &one},
		{"one pod", "1", nil, &one},
	} {
		rendered := mustRender(t, "values.yaml", map[string]string{"slots.green.replicas": c.replicas, "autoscaling.enabled": "false"})
		for _, budget := range all[*policyv1.PodDisruptionBudget](rendered) {
			require.Equal(t, []string{budget.Name}, rendered.selectedPods(t, budget.Spec.Selector), c.name)
			require.Equal(t, policyv1.AlwaysAllow, *budget.Spec.UnhealthyPodEvictionPolicy)
		}
		green := get[*policyv1.PodDisruptionBudget](t, rendered, "PodDisruptionBudget/detection-api-green")
		require.Equal(t, c.minAvailable, green.Spec.MinAvailable, c.name)
		require.Equal(t, c.maxMissing, green.Spec.MaxUnavailable, c.name)
	}
	cold := mustRender(t, "values.yaml", map[string]string{"slots.green.replicas": "0"})
	require.Len(t, all[*policyv1.PodDisruptionBudget](cold), 1)
}

// Every policy applies to pods that exist, every peer inside the namespace exists, and every pod is denied by default.
func TestNetworkPolicies(t *testing.T) {
	for _, file := range valuesFiles {
		rendered := mustRender(t, file, map[string]string{"networkPolicies.logShipping.enabled": "true"})
		owners := slices.Sorted(maps.Keys(rendered.podTemplates()))
		for _, policy := range all[*networkingv1.NetworkPolicy](rendered) {
			require.NotEmpty(t, rendered.selectedPods(t, &policy.Spec.PodSelector), policy.Name)
			for _, peer := range peers(policy) {
				if peer.PodSelector != nil && peer.NamespaceSelector == nil {
					require.NotEmpty(t, rendered.selectedPods(t, peer.PodSelector), policy.Name)
				}
			}
		}
		deny := get[*networkingv1.NetworkPolicy](t, rendered, "NetworkPolicy/default-deny-all")
		require.Equal(t, owners, rendered.selectedPods(t, &deny.Spec.PodSelector))
		require.Len(t, deny.Spec.PolicyTypes, 2)
		require.Empty(t, deny.Spec.Ingress)
		require.Empty(t, deny.Spec.Egress)
		dns := get[*networkingv1.NetworkPolicy](t, rendered, "NetworkPolicy/allow-dns-egress")
		require.Equal(t, owners, rendered.selectedPods(t, &dns.Spec.PodSelector))
	}
}

// A rule without peers would allow every address, so an emptied list must take its policy away.
func TestNoNetworkPolicyAllowsEverybody(t *testing.T) {
	emptied := map[string]string{
		"networkPolicies.takEgress.cidrs":                      "[]",
		"networkPolicies.ingressController.namespaceSelectors": "[]",
		"networkPolicies.prometheus.namespaceSelectors":        "[]",
	}
	rendered := mustRender(t, "values.yaml", emptied)
	names := []string{}
	for _, policy := range all[*networkingv1.NetworkPolicy](rendered) {
		names = append(names, policy.Name)
		if len(policy.Spec.Egress)+len(policy.Spec.Ingress) > 0 {
			require.NotEmpty(t, peers(policy), policy.Name)
		}
	}
	require.Equal(t, []string{
		"allow-api-from-test", "allow-api-to-store", "allow-backup-to-store", "allow-dns-egress", "allow-store-from-api",
		"allow-store-from-backup", "allow-store-from-test", "allow-test-egress", "default-deny-all",
	}, names)
}

// peers returns both directions' peers of a policy.
func peers(policy *networkingv1.NetworkPolicy) []networkingv1.NetworkPolicyPeer {
	var found []networkingv1.NetworkPolicyPeer
	for _, rule := range policy.Spec.Ingress {
		found = append(found, rule.From...)
	}
	for _, rule := range policy.Spec.Egress {
		found = append(found, rule.To...)
	}
	return found
}
