package render

import (
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	sigsyaml "sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// changed returns the keys of the objects that differ between two renders.
func changed(t *testing.T, before, after objects) []string {
	t.Helper()
	keys := map[string]bool{}
	for _, side := range []objects{before, after} {
		for key := range side {
			keys[key] = true
		}
	}
	var different []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, err := json.Marshal(before[key])
		require.NoError(t, err)
		b, err := json.Marshal(after[key])
		require.NoError(t, err)
		if string(a) != string(b) {
			different = append(different, key)
		}
	}
	return different
}

// Promoting changes the selector of one Service and nothing else.
func TestPromotionChangesOneService(t *testing.T) {
	for _, file := range valuesFiles {
		// Random development Secrets would differ between any two renders.
		set := func(slot string) map[string]string {
			values := map[string]string{"activeSlot": slot}
			if file == "values-dev.yaml" {
				values["secrets.development.jwtSecretKey"] = strings.Repeat("k", 48)
				values["secrets.development.storeToken"] = strings.Repeat("t", 48)
			}
			return values
		}
		blue, green := mustRender(t, file, set("blue")), mustRender(t, file, set("green"))
		const active = "Service/detection-api-service"
		require.Equal(t, []string{active}, changed(t, blue, green), file)
		before, after := get[*corev1.Service](t, blue, active).DeepCopy(), get[*corev1.Service](t, green, active)
		require.Equal(t, "green", after.Spec.Selector["slot"])
		before.Spec.Selector["slot"] = "green"
		require.Equal(t, before, after, "only the slot may differ")
	}
}

// Deploying to the idle slot touches that slot alone: its Deployment, and its ConfigMap where the configuration changes.
func TestDeployTouchesOneSlot(t *testing.T) {
	before := mustRender(t, "values.yaml", nil)
	image := mustRender(t, "values.yaml", map[string]string{"slots.green.image.tag": "9.9.9"})
	require.Equal(t, []string{"Deployment/detection-api-green"}, changed(t, before, image))

	config := mustRender(t, "values.yaml", map[string]string{"slots.green.config.logLevel": "debug"})
	different := changed(t, before, config)
	require.Len(t, different, 3, "the old ConfigMap, the new one, the Deployment")
	for _, key := range different {
		require.Contains(t, key, "green")
	}
	green := get[*appsv1.Deployment](t, config, "Deployment/detection-api-green").Spec.Template.Spec.Containers[0]
	settings := get[*corev1.ConfigMap](t, config, "ConfigMap/"+green.EnvFrom[0].ConfigMapRef.Name)
	require.Equal(t, "debug", settings.Data["LOG_LEVEL"])
	require.Equal(t, "PruneLast=true", settings.Annotations["argocd.argoproj.io/sync-options"])
}

// Selectors are immutable in a cluster, so they are held to a golden file.
func TestSelectorsNeverChange(t *testing.T) {
	got := map[string]map[string]string{}
	rendered := mustRender(t, "values.yaml", nil)
	for _, d := range all[*appsv1.Deployment](rendered) {
		got["Deployment/"+d.Name] = d.Spec.Selector.MatchLabels
	}
	for _, s := range all[*appsv1.StatefulSet](rendered) {
		got["StatefulSet/"+s.Name] = s.Spec.Selector.MatchLabels
	}
	text, err := sigsyaml.Marshal(got)
	require.NoError(t, err)
	const golden = "testdata/selectors.golden.yaml"
	if *update {
		require.NoError(t, os.WriteFile(golden, text, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(text), "selectors are immutable in a cluster: an upgrade with others fails")
}

// Spread constraints and selectors of one slot never see the other one's pods.
func TestTopologySpreadIsOfOneSlot(t *testing.T) {
	rendered := mustRender(t, "values.yaml", nil)
	for _, d := range all[*appsv1.Deployment](rendered) {
		require.Equal(t, []string{d.Name}, rendered.selectedPods(t, d.Spec.Selector))
		require.Len(t, d.Spec.Template.Spec.TopologySpreadConstraints, 2)
		for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
			require.Equal(t, []string{d.Name}, rendered.selectedPods(t, spread.LabelSelector))
			require.Equal(t, []string{"pod-template-hash"}, spread.MatchLabelKeys)
		}
	}
}

// One value moves every image, and a slot's own tag is never joined with the common digest of another image.
func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	other := "sha256:" + strings.Repeat("b", 64)
	for _, c := range []struct {
		name               string
		set                map[string]string
		blue, green, store string
	}{
		{"the chart's version", nil, ":0.3.0", ":0.3.0", ":0.3.0"},
		{"one tag", map[string]string{"image.tag": "2.0.0"}, ":2.0.0", ":2.0.0", ":2.0.0"},
		{"one digest", map[string]string{"image.digest": digest}, "@" + digest, "@" + digest, "@" + digest},
		{"tag and digest", map[string]string{"image.tag": "2.0.0", "image.digest": digest}, ":2.0.0@" + digest, ":2.0.0@" + digest, ":2.0.0@" + digest},
		{"tag of a slot", map[string]string{"image.digest": digest, "slots.green.image.tag": "2.0.0"}, "@" + digest, ":2.0.0", "@" + digest},
		{"digest of a slot", map[string]string{"image.digest": digest, "slots.green.image.digest": other}, "@" + digest, "@" + other, "@" + digest},
		{"tag of the store", map[string]string{"store.image.tag": "2.0.0"}, ":0.3.0", ":0.3.0", ":2.0.0"},
	} {
		set := map[string]string{"image.registry": "mirror.example:5000/team"}
		maps.Copy(set, c.set)
		want := map[string]string{"detection-api-blue": c.blue, "detection-api-green": c.green, "detection-api-store": c.store}
		for owner, template := range mustRender(t, "values.yaml", set).podTemplates() {
			for _, container := range append(template.Spec.InitContainers, template.Spec.Containers...) {
				require.Equal(t, "mirror.example:5000/team/detection-api"+cmp.Or(want[owner], c.store), container.Image, "%s: %s", c.name, owner)
			}
		}
	}
}

// The Go heap's limit follows the memory limit.
func TestGoMemLimit(t *testing.T) {
	for memory, want := range map[string]string{"1Gi": "858993459", "1.5Gi": "1288490188", "600M": "480000000"} {
		rendered := mustRender(t, "values.yaml", map[string]string{"api.resources.limits.memory": memory})
		env := get[*appsv1.Deployment](t, rendered, "Deployment/detection-api-blue").Spec.Template.Spec.Containers[0].Env
		i := slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, want, env[i].Value, memory)
	}
}

// TestStoreRetention: the store removes nothing unless it is told to, and large numbers reach it as whole numbers.
func TestStoreRetention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set  map[string]string
		want [3]string
	}{
		{nil, [3]string{"0", "0", "0"}},
		{map[string]string{"store.retention.detectionDays": "400", "store.retention.detectionBytes": "42949672960", "store.retention.auditDays": "90"},
			[3]string{"400", "42949672960", "90"}},
	} {
		rendered := mustRender(t, "values.yaml", c.set)
		env := environmentOf(get[*appsv1.StatefulSet](t, rendered, "StatefulSet/detection-api-store").Spec.Template.Spec.Containers[0])
		require.Equal(t, c.want, [3]string{env["RETENTION_DAYS"], env["RETENTION_MAX_BYTES"], env["AUDIT_RETENTION_DAYS"]})
	}
}
