package render

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/detection-api/detection-api/tests/chart"
)

// signingKey is a public key; the private one was thrown away.
const signingKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra/N9sbqOPZrfM
5/KAQN0/KjHcorm/J5yctVd7iEcnessRQjU917hmKO6JWVGHpDguIyakZA==
-----END PUBLIC KEY-----
`

// with returns base with more values over it.
func with(base map[string]any, more ...map[string]any) map[string]any {
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]any{}
	}
	for _, values := range more {
		maps.Copy(merged, values)
	}
	return merged
}

// custom returns an object of a kind that is not Kubernetes' own.
func custom(t *testing.T, o chart.Objects, key string) map[string]any {
	t.Helper()
	object, err := chart.Get[*unstructured.Unstructured](o, key)
	require.NoError(t, err)
	return object.Object
}

// field returns the field of an object by its path; a missing one is nil.
func field(t *testing.T, object map[string]any, path ...string) any {
	t.Helper()
	value, _, err := unstructured.NestedFieldNoCopy(object, path...)
	require.NoError(t, err)
	return value
}

// texts returns a list of one text field of each entry of a list.
func texts(t *testing.T, list any, name string) []string {
	t.Helper()
	var found []string
	for _, entry := range list.([]any) {
		text, _ := field(t, entry.(map[string]any), name).(string)
		found = append(found, text)
	}
	return found
}

// permitted tells whether an entry of a project's list allows a kind with a name.
func permitted(list any, group, kind, name string) bool {
	return slices.ContainsFunc(list.([]any), func(entry any) bool {
		allowed := entry.(map[string]any)
		pattern, limited := allowed["name"].(string)
		matches, err := path.Match(pattern, name)
		return allowed["group"] == group && allowed["kind"] == kind && (!limited || err == nil && matches)
	})
}

// refusedByProject returns what of a release the project would not let Argo CD apply.
func refusedByProject(t *testing.T, project map[string]any, o chart.Objects) []string {
	t.Helper()
	spec := project["spec"].(map[string]any)
	var refused []string
	for key, object := range o {
		access, err := meta.Accessor(object)
		require.NoError(t, err)
		kind := object.GetObjectKind().GroupVersionKind()
		list := spec["namespaceResourceWhitelist"]
		if access.GetNamespace() == "" {
			list = spec["clusterResourceWhitelist"]
		} else if !slices.Contains(texts(t, spec["destinations"], "namespace"), access.GetNamespace()) {
			refused = append(refused, key)
		}
		if !permitted(list, kind.Group, kind.Kind, access.GetName()) {
			refused = append(refused, key)
		}
	}
	return refused
}

// The project permits all that its Application renders, and no kind of an operator, no right and no cluster-scoped kind beyond.
func TestProjectPermitsTheReleaseOnly(t *testing.T) {
	t.Parallel()
	signed := map[string]any{"kyverno.enabled": true, "kyverno.publicKey": signingKey}
	sealed := map[string]any{"secrets.jwt.sealed": map[string]any{"secret_key": "AgB"}}
	for name, o := range map[string]chart.Options{
		"defaults":      {},
		"development":   {ValuesFiles: []string{"values-dev.yaml"}},
		"platform":      {ValuesFiles: layers(platformFile), Set: with(sealed, signed)},
		"audit viewers": {Set: map[string]any{"rbac.auditViewer.enabled": true, "rbac.auditViewer.subjects": []any{map[string]any{"kind": "Group", "name": "audit"}}}},
		"cluster roles": {Set: map[string]any{"rbac.prometheus.clusterWide": true}},
		"no roles":      {Set: map[string]any{"rbac.create": false, "rbac.auditViewer.enabled": true}},
		"namespace":     {Set: map[string]any{"namespace.create": true}},
		"for all":       {Set: with(signed, map[string]any{"kyverno.kind": "ImageValidatingPolicy"})},
		"legacy":        {Set: with(signed, map[string]any{"kyverno.kind": "ClusterPolicy"})},
	} {
		t.Run(name, func(t *testing.T) {
			o.SetArguments = []string{"argocd.enabled=true"}
			project := custom(t, rendered(t, o), "AppProject/argocd/detection-system")
			o.SetArguments = []string{"argocd.enabled=false"}
			release := rendered(t, o)
			delete(release, "Pod/detection-api-test") // skipTests
			require.Empty(t, refusedByProject(t, project, release))
			kinds := map[string]bool{"/Namespace": true}
			for _, object := range release {
				kind := object.GetObjectKind().GroupVersionKind()
				kinds[kind.Group+"/"+kind.Kind] = true
			}
			spec := project["spec"].(map[string]any)
			for _, entry := range slices.Concat(spec["clusterResourceWhitelist"].([]any), spec["namespaceResourceWhitelist"].([]any)) {
				allowed := entry.(map[string]any)
				group := allowed["group"].(string)
				if strings.Contains(group, ".k8s.io") && group != "networking.k8s.io" || strings.Contains(group, ".io") && !strings.Contains(group, "k8s.io") {
					require.True(t, kinds[group+"/"+allowed["kind"].(string)], "permitted, but never rendered: %v", allowed)
				}
			}
		})
	}
	project := custom(t, rendered(t, chart.Options{Set: map[string]any{"argocd.enabled": true}}), "AppProject/argocd/detection-system")
	foreign := rendered(t, chart.Options{Set: map[string]any{"httpRoute.enabled": true, "httpRoute.parentRefs": []any{map[string]any{"name": "public"}}}})
	delete(foreign, "Pod/detection-api-test") // skipTests
	require.Equal(t, []string{"HTTPRoute/detection-api-route"}, refusedByProject(t, project, foreign), "positive control")
}

// The Application syncs the chart with its values files, the way ADR 7 says.
func TestApplication(t *testing.T) {
	o := rendered(t, chart.Options{Set: map[string]any{"argocd.enabled": true, "argocd.valueFiles": []any{"values-prod.yaml", "values-platform.yaml"}}})
	application := custom(t, o, "Application/argocd/detection-api")
	require.Equal(t, "ServerSideDiff=true", field(t, application, "metadata", "annotations", "argocd.argoproj.io/compare-options"))
	spec := application["spec"].(map[string]any)
	require.Equal(t, []any{"CreateNamespace=true", "ServerSideApply=true", "PruneLast=true"}, field(t, spec, "syncPolicy", "syncOptions"))
	require.Equal(t, map[string]any{"prune": true, "selfHeal": true}, field(t, spec, "syncPolicy", "automated"))
	require.Equal(t, "restricted", field(t, spec, "syncPolicy", "managedNamespaceMetadata", "labels", "pod-security.kubernetes.io/enforce"))
	require.Equal(t, namespace, field(t, spec, "destination", "namespace"))
	require.Equal(t, "charts/detection-api", field(t, spec, "source", "path"))
	require.NotContains(t, spec, "ignoreDifferences")
	project := custom(t, o, "AppProject/argocd/"+spec["project"].(string))
	require.Equal(t, []any{field(t, spec, "source", "repoURL")}, field(t, project, "spec", "sourceRepos"))

	var files []string
	for _, file := range field(t, spec, "source", "helm", "valueFiles").([]any) {
		files = append(files, file.(string))
	}
	require.Equal(t, map[string]any{"argocd": map[string]any{"enabled": false}}, field(t, spec, "source", "helm", "valuesObject"))
	synced := rendered(t, chart.Options{ValuesFiles: files, Set: map[string]any{"argocd.enabled": false}})
	require.NotContains(t, synced, "Application/argocd/detection-api", "it must not manage itself, nor its project")
	require.NotContains(t, synced, "AppProject/argocd/detection-system")
}

// What the values of argocd change.
func TestApplicationSwitches(t *testing.T) {
	t.Parallel()
	require.NotContains(t, rendered(t, chart.Options{}), "Application/argocd/detection-api")
	set := map[string]any{"argocd.enabled": true, "argocd.prune": false, "argocd.selfHeal": false, "argocd.ignoreReplicas": true, "argocd.valueFiles": []any{}}
	spec := custom(t, rendered(t, chart.Options{Set: set}), "Application/argocd/detection-api")["spec"].(map[string]any)
	require.Equal(t, map[string]any{"prune": false, "selfHeal": false}, field(t, spec, "syncPolicy", "automated"))
	require.Contains(t, field(t, spec, "syncPolicy", "syncOptions"), "RespectIgnoreDifferences=true")
	require.Nil(t, field(t, spec, "source", "helm", "valueFiles"))
	require.Equal(t, []string{"detection-api-blue", "detection-api-green"}, texts(t, spec["ignoreDifferences"], "name"))
	for _, entry := range spec["ignoreDifferences"].([]any) {
		require.Equal(t, []any{"/spec/replicas"}, entry.(map[string]any)["jsonPointers"])
	}
	elsewhere := map[string]any{"argocd.enabled": true, "argocd.namespace": "gitops", "argocd.project": "cop"}
	o := rendered(t, chart.Options{Set: elsewhere})
	custom(t, o, "AppProject/gitops/cop")
	require.Equal(t, "cop", field(t, custom(t, o, "Application/gitops/detection-api"), "spec", "project"))
}

// policies are the kinds of Kyverno by the key of their object.
var policies = map[string]string{
	"NamespacedImageValidatingPolicy": "NamespacedImageValidatingPolicy/detection-api-signed-images",
	"ImageValidatingPolicy":           "ImageValidatingPolicy/detection-system-signed-images",
	"ClusterPolicy":                   "ClusterPolicy/detection-system-signed-images",
}

// glob turns a pattern in which * is any text into a regular expression.
func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// signedPatterns returns the images that a policy wants signed.
func signedPatterns(t *testing.T, policy map[string]any) []string {
	t.Helper()
	if policy["kind"] != "ClusterPolicy" {
		return texts(t, field(t, policy, "spec", "matchImageReferences"), "glob")
	}
	var patterns []string
	for _, pattern := range verifyImages(t, policy)["imageReferences"].([]any) {
		patterns = append(patterns, pattern.(string))
	}
	return patterns
}

// verifyImages returns the one rule of a ClusterPolicy.
func verifyImages(t *testing.T, policy map[string]any) map[string]any {
	t.Helper()
	rules := field(t, policy, "spec", "rules").([]any)
	require.Len(t, rules, 1)
	return rules[0].(map[string]any)["verifyImages"].([]any)[0].(map[string]any)
}

// Exactly the chosen kind is rendered, and it wants every image of the release signed and no other repository's.
func TestSignaturePolicies(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0", 64)
	for kind, key := range policies {
		o := rendered(t, chart.Options{Set: map[string]any{"kyverno.enabled": true, "kyverno.kind": kind, "kyverno.publicKey": signingKey, "slots.green.image.digest": digest, "image.registry": "localhost:5000/cop"}})
		found := slices.DeleteFunc(o.Keys(), func(key string) bool {
			return !strings.Contains(key, "Policy/") || strings.HasPrefix(key, "NetworkPolicy/")
		})
		require.Equal(t, []string{key}, found)
		policy := custom(t, o, key)
		require.Contains(t, fmt.Sprint(policy), "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8nXRh950IZbRj8Ra")
		matches := func(image string) bool {
			return slices.ContainsFunc(signedPatterns(t, policy), func(pattern string) bool { return glob(pattern).MatchString(image) })
		}
		images, err := o.Images()
		require.NoError(t, err)
		require.Len(t, images, 2)
		for _, image := range images {
			require.True(t, matches(image), "%s: %s", kind, image)
		}
		require.False(t, matches("localhost:5000/cop/other:1"))
		require.False(t, matches("localhost:5000/cop/detection-api-tools:1"))
	}
}

// The newer kinds: the action, the log, the credentials, pods only.
func TestImageValidatingPolicy(t *testing.T) {
	for kind, key := range policies {
		if kind == "ClusterPolicy" {
			continue
		}
		set := map[string]any{"kyverno.enabled": true, "kyverno.kind": kind, "kyverno.publicKey": signingKey}
		spec := custom(t, rendered(t, chart.Options{Set: set}), key)["spec"].(map[string]any)
		require.Equal(t, []any{"Deny"}, spec["validationActions"])
		require.Equal(t, []any{}, field(t, spec, "autogen", "podControllers", "controllers"))
		cosign := spec["attestors"].([]any)[0].(map[string]any)["cosign"].(map[string]any)
		require.Equal(t, map[string]any{"insecureIgnoreSCT": true, "insecureIgnoreTlog": true}, cosign["ctlog"])
		require.Equal(t, strings.TrimSpace(signingKey), strings.TrimSpace(field(t, cosign, "key", "data").(string)))
		require.NotContains(t, spec, "credentials")
		selector := field(t, spec, "matchConstraints", "namespaceSelector")
		require.Equal(t, kind == "ImageValidatingPolicy", selector != nil)
		if selector != nil {
			require.Equal(t, namespace, field(t, selector.(map[string]any), "matchLabels", "kubernetes.io/metadata.name"))
		}
		online := with(set, map[string]any{"kyverno.action": "Audit", "kyverno.transparencyLog": true, "kyverno.credentialSecrets": []any{"registry"}})
		spec = custom(t, rendered(t, chart.Options{Set: online}), key)["spec"].(map[string]any)
		require.Equal(t, []any{"Audit"}, spec["validationActions"])
		require.NotContains(t, spec["attestors"].([]any)[0].(map[string]any)["cosign"], "ctlog")
		require.Equal(t, []any{"registry"}, field(t, spec, "credentials", "secrets"))
	}
}

// The legacy kind says the same.
func TestClusterPolicy(t *testing.T) {
	t.Parallel()
	set := map[string]any{"kyverno.enabled": true, "kyverno.kind": "ClusterPolicy", "kyverno.publicKey": signingKey}
	verify := verifyImages(t, custom(t, rendered(t, chart.Options{Set: set}), policies["ClusterPolicy"]))
	require.Equal(t, "Enforce", verify["failureAction"])
	keys := func(verify map[string]any) map[string]any {
		entry := verify["attestors"].([]any)[0].(map[string]any)["entries"].([]any)[0]
		return entry.(map[string]any)["keys"].(map[string]any)
	}
	require.Equal(t, true, field(t, keys(verify), "rekor", "ignoreTlog"))
	require.Equal(t, true, field(t, keys(verify), "ctlog", "ignoreSCT"))
	require.NotContains(t, verify, "imageRegistryCredentials")
	online := with(set, map[string]any{"kyverno.action": "Audit", "kyverno.transparencyLog": true, "kyverno.credentialSecrets": []any{"registry"}})
	verify = verifyImages(t, custom(t, rendered(t, chart.Options{Set: online}), policies["ClusterPolicy"]))
	require.Equal(t, "Audit", verify["failureAction"])
	require.Equal(t, false, verify["mutateDigest"], "Kyverno changes nothing where it only watches")
	require.NotContains(t, keys(verify), "rekor")
	require.Equal(t, []any{"registry"}, field(t, verify, "imageRegistryCredentials", "secrets"))
}

// A volume that Helm keeps is kept by Argo CD too, which knows Helm's annotation only when the Application is deleted.
func TestArgoCDPrunesNoVolume(t *testing.T) {
	for _, keep := range []bool{true, false} {
		set := map[string]any{"store.persistence.keep": keep, "backup.persistence.keep": keep}
		claims := chart.All[*corev1.PersistentVolumeClaim](rendered(t, chart.Options{Set: set}))
		require.Len(t, claims, 2)
		for _, claim := range claims {
			require.Equal(t, keep, claim.Annotations["argocd.argoproj.io/sync-options"] == "Prune=false", claim.Name)
		}
	}
}
