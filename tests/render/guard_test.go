package render

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
)

// deployment is a slot's Deployment as a cluster answers it.
type deployment struct {
	replicas, updated, ready, total int
	generation, observed            int
	image, hash                     string
}

// healthy returns a Deployment whose n pods are all ready.
func healthy(n int) deployment {
	return deployment{replicas: n, updated: n, ready: n, total: n, generation: 4, observed: 4, image: "r/a:1", hash: "h1"}
}

// object is the Deployment as the template sees it.
func (d deployment) object() map[string]any {
	return map[string]any{
		"metadata": map[string]any{"generation": d.generation, "annotations": map[string]any{"detection-api/pod-template-hash": d.hash}},
		"spec": map[string]any{
			"replicas": d.replicas,
			"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": d.image}}}},
		},
		"status": map[string]any{"replicas": d.total, "updatedReplicas": d.updated, "readyReplicas": d.ready, "observedGeneration": d.observed},
	}
}

// The promotion guard admits a ready, large enough, unchanged slot and says in one line what else is missing.
func TestPromotionGuard(t *testing.T) {
	with := func(change func(d *deployment)) *deployment {
		d := healthy(3)
		change(&d)
		return &d
	}
	ready, ten := healthy(3), healthy(10)
	rendered := func(replicas int, image, hash string) map[string]any {
		return map[string]any{"replicas": replicas, "image": image, "hash": hash}
	}
	same := rendered(3, "r/a:1", "h1")
	for _, c := range []struct {
		name            string
		target, current *deployment
		green, blue     map[string]any
		want            []string // empty: admitted
	}{
		{"ready and as large", &ready, &ready, same, same, nil},
		{"active slot is gone", &ready, nil, same, same, nil},
		{"larger than the active one", &ten, &ready, rendered(10, "r/a:1", "h1"), same, nil},
		{"target does not exist", nil, &ready, same, same, []string{"detection-api-green does not exist", "needed: 3 ready pods"}},
		{"pods not ready", with(func(d *deployment) { d.ready = 1 }), &ready, same, same, []string{"has 1 of 3 pods ready", "kubectl -n detection-system rollout status deployment/detection-api-green"}},
		{"no pod at all", with(func(d *deployment) { *d = deployment{generation: 1, observed: 1, image: "r/a:1", hash: "h1"} }), &ready, same, same, []string{"has 0 of 0 pods ready, slot blue runs 3"}},
		{"no pods on either side", with(func(d *deployment) { d.replicas, d.updated, d.ready, d.total = 0, 0, 0, 0 }), with(func(d *deployment) { d.replicas = 0 }), same, same, []string{"needed: 1 ready pods"}},
		{"change not seen yet", with(func(d *deployment) { d.observed = 3 }), &ready, same, same, []string{"has a change that its controller has not seen yet"}},
		{"half rolled out", with(func(d *deployment) { d.updated, d.total = 2, 4 }), &ready, same, same, []string{"is still rolling out (2 of 3 pods updated)"}},
		{"old pods still there", with(func(d *deployment) { d.total = 4 }), &ready, same, same, []string{"is still rolling out"}},
		{"active one was scaled up", &ready, &ten, same, same, []string{"has 3 of 3 pods ready, slot blue runs 10", "--set slots.green.replicas=10"}},
		{"this release would shrink it", &ten, &ten, same, same, []string{"would leave Deployment detection-api-green with 3 pods where slot blue runs 10", "--set slots.green.replicas=10"}},
		{"image in the same release", &ready, &ready, rendered(3, "r/a:2", "h2"), same, []string{"change the image of slot green from r/a:1 to r/a:2", "Deploy first, then promote"}},
		{"configuration in the same release", &ready, &ready, rendered(3, "r/a:1", "h2"), same, []string{"change the pods of slot green", "Deploy first, then promote"}},
		{"the way back is changed", &ready, &ready, same, rendered(3, "r/a:0", "h0"), []string{"change the image of slot blue from r/a:1 to r/a:0", "--reset-then-reuse-values"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			input := map[string]any{
				"namespace": namespace, "from": "blue", "to": "green", "current": map[string]any{}, "target": map[string]any{},
				"rendered": map[string]any{"green": maps.Clone(c.green), "blue": maps.Clone(c.blue)},
			}
			if c.target != nil {
				input["target"] = c.target.object()
			}
			if c.current != nil {
				input["current"] = c.current.object()
			}
			got := evaluate(t, "detection-api.promotionRefusal", input)
			if len(c.want) == 0 {
				require.Empty(t, got)
			}
			for _, part := range c.want {
				require.Contains(t, got, part)
			}
			require.NotContains(t, got, "\n")
		})
	}
}

// A production release names the missing Secrets and how to make them, and does not delete development Secrets it owns.
func TestSecretGuard(t *testing.T) {
	secret := func(key, owner string) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"meta.helm.sh/release-name": owner}},
			"data":     map[string]any{key: "eA=="},
		}
	}
	for _, c := range []struct {
		name            string
		createNamespace string
		live            map[string]any
		want            []string
	}{
		{"there", "", secret("token", ""), nil},
		{"of another release", "", secret("token", "vault"), nil},
		{"no namespace", "make it", map[string]any{}, []string{"the namespace does not exist; Secret", "Run: make it && kubectl"}},
		{"missing", "", map[string]any{}, []string{"Secret store-credentials does not exist", "kubectl -n detection-system create secret generic store-credentials --from-literal=token=x"}},
		{"without its key", "", secret("tokn", ""), []string{"has nothing under the key token", "kubectl -n detection-system delete secret store-credentials"}},
		{"of this release and empty", "", secret("other", releaseName), []string{"belongs to this release, which would delete it"}},
		{"of this release", "", secret("token", releaseName), []string{"belongs to this release, which would delete it", "--reset-then-reuse-values"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wanted := map[string]any{"name": "store-credentials", "key": "token", "create": "--from-literal=token=x", "live": c.live}
			got := evaluate(t, "detection-api.secretRefusal", map[string]any{
				"namespace": namespace, "createNamespace": c.createNamespace, "release": releaseName, "secrets": []any{wanted},
			})
			if len(c.want) == 0 {
				require.Empty(t, got)
			}
			for _, part := range c.want {
				require.Contains(t, got, part)
			}
			require.NotContains(t, got, "\n")
		})
	}
}

// A Secret whose keys are names that the site chooses need only be there.
func TestSecretGuardOfAnyKey(t *testing.T) {
	refusal := func(live map[string]any) string {
		wanted := map[string]any{"name": "signing-keys", "key": "", "create": "--from-literal=KID=x", "live": live}
		return evaluate(t, "detection-api.secretRefusal", map[string]any{
			"namespace": namespace, "createNamespace": "", "release": releaseName, "secrets": []any{wanted},
		})
	}
	require.Empty(t, refusal(map[string]any{"metadata": map[string]any{}, "data": map[string]any{"2026-11": "eA=="}}))
	require.Contains(t, refusal(map[string]any{}), "Secret signing-keys does not exist")
}
