package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/fuzz"
)

// Values that contradict each other are refused with a line that names the value.
func TestContradictionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ set, want string }{
		{"activeSlot=purple", "activeSlot"},
		{"slots.blue.replicas=0", "slots.blue.replicas is 0 but activeSlot is blue"},
		{"api.queueSizeLimit=4Gi", "config.queueMaxBytes is 4294967296 in slot blue but api.queueSizeLimit is 4Gi"},
		{"slots.green.config.queueMaxBytes=99999999999", "in slot green"},
		{"config.flagGreenCE90M=30", "GREEN must be below YELLOW"},
		{"config.shutdownTimeout=1m", "terminationGracePeriodSeconds"},
		{"api.strategy.maxSurge=0", "one of them must be at least 1"},
		{"api.podLabels.slot=blue", "api.podLabels.slot"},
		{"store.podLabels.app=x", "store.podLabels.app"},
		{"api.extraEnv[0].name=STORE_TOKEN,api.extraEnv[0].value=x", "STORE_TOKEN is set already"},
		{"api.extraEnv[0].name=LOG_LEVEL,api.extraEnv[0].value=x", "LOG_LEVEL is set already"},
		{"api.extraEnv[0].name=A,api.extraEnv[1].name=A", "A is set already"},
		{"service.nodePort=30080", "service.type=NodePort"},
		{"secrets.development.takEndpoint=tak:8087", "secrets.development.create"},
		{"secrets.store.existingSecret=jwt-signing-key", "three different Secrets"},
		{"autoscaling.minReplicas=11", "autoscaling.minReplicas is 11 but autoscaling.maxReplicas is 10"},
		{"slots.green.replicas=11", "slots.green.replicas is 11 but autoscaling.maxReplicas is 10"},
		{"resourceQuota.hard.pods=20", "resourceQuota.hard.pods is 20 but the worst case needs"},
		{"resourceQuota.hard.requestsCPU=8", "resourceQuota.hard.requestsCPU is 8 but the worst case needs"},
		{"resourceQuota.hard.limitsMemory=16Gi", "resourceQuota.hard.limitsMemory is 16Gi but the worst case needs"},
		{"resourceQuota.hard.services=5", "resourceQuota.hard.services is 5 but this chart has 5"},
		{"resourceQuota.hard.persistentVolumeClaims=2", "set it to at least 3"},
		{"limitRange.default.memory=3Gi", "limitRange.default.memory is 3Gi but limitRange.max.memory is 2Gi"},
		{"limitRange.defaultRequest.cpu=1", "limitRange.defaultRequest.cpu is 1 but limitRange.default.cpu is 500m"},
		{"limitRange.max.cpu=500m", "api.resources.limits.cpu is 1000m but limitRange.max.cpu is 500m"},
		{"store.resources.requests.memory=1.5Gi", "store.resources.requests.memory is 1.5Gi but its limit is 1Gi"},
		{"secrets.development.create=true", "environment is production"},
		{"store.retention.auditDays=30", "auditDays"},
		{"store.extraEnv[0].name=RETENTION_DAYS,store.extraEnv[0].value=x", "RETENTION_DAYS is set already"},
		{"podLabels.slot=blue", "podLabels.slot"},
		{"api.extraEnv[0].name=JWT_KEYS,api.extraEnv[0].value=x", "JWT_KEYS is set already"},
		{"config.cotProfileChanges.classes.bear.names[0]=" + strings.Repeat("b", 100_000), "config.cotProfileChanges has 1000"},
		{"api.extraEnv[0].name=JWT_SECRET_KEY_FILE,api.extraEnv[0].value=x", "JWT_SECRET_KEY_FILE is set already"},
		{"config.tokenLifetime=500ms", "tokenLifetime"},
		{"config.trackMaxAge=0s", "trackMaxAge"},
		{"config.takAnyName=true", "config.takAnyName is true in slot blue"},
		{"slots.green.config.takAnyName=true,slots.green.config.takServerName=tak", "both set in slot green"},
		{"secrets.jwtKeys.existingSecret=store-credentials", "three different Secrets"},
		{"secrets.jwtKeys.existingSecret=keys,secrets.jwt.sealed.secret_key=AgA1", "nothing reads"},
		{"config.cotProfileChanges.clases.bear.type=a-n-G", "clases"},
		{"config.cameraProfiles.drone-7.sigmas.heading=1", "heading"},
		{"terrain.existingClaim=tiles,config.terrainCacheBytes=1073741824", "config.terrainCacheBytes is 1073741824 in slot blue but api.resources.limits.memory is 1Gi"},
		{"pictures.enabled=true,slots.green.config.picturesMaxBytes=2147483648", "config.picturesMaxBytes is 2147483648 in slot green but pictures.sizeLimit is 2Gi"},
		{"secrets.takTLS.existingSecret=x,secrets.takTLS.p12=c.p12", "a client certificate has one source"},
		{"secrets.takTLS.existingSecret=x,secrets.takTLS.key=", "secrets.takTLS.certificate and secrets.takTLS.key go together"},
		{"slots.blue.replica=3", "replica"},
		{"slots.blue.replicas=null", "replicas"},
	} {
		// Terratest writes each pair as `--set key=value`, so a further pair may follow the first one's comma.
		key, value, _ := strings.Cut(c.set, "=")
		_, err := render(t, "values.yaml", map[string]string{key: value})
		require.ErrorContains(t, err, c.want, c.set)
	}
}

// validator validates values with the library that Helm uses, whose schema is compiled once instead of once for each document.
type validator struct {
	schema   *fuzz.Schema
	defaults map[string]any
}

func newValidator(t *testing.T) validator {
	t.Helper()
	loaded, err := loader.Load(chartDir)
	require.NoError(t, err)
	schema, err := fuzz.ParseSchema(loaded.Schema)
	require.NoError(t, err)
	return validator{schema: schema, defaults: loaded.Values}
}

// with validates the defaults after change has been applied to a copy of them.
func (v validator) with(t *testing.T, change func(values map[string]any)) error {
	t.Helper()
	text, err := json.Marshal(v.defaults)
	require.NoError(t, err)
	var values map[string]any
	require.NoError(t, json.Unmarshal(text, &values))
	change(values)
	// In the JSON library's own types, as Helm hands them over.
	text, err = json.Marshal(values)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return v.schema.Validate(document.(map[string]any))
}

// mappings returns the paths of all mappings in values, the root (an empty path) among them.
func mappings(values map[string]any, path []string) [][]string {
	found := [][]string{path}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if child, ok := values[key].(map[string]any); ok {
			found = append(found, mappings(child, append(slices.Clone(path), key))...)
		}
	}
	return found
}

// at returns the mapping at path.
func at(values map[string]any, path []string) map[string]any {
	for _, key := range path {
		values = values[key].(map[string]any)
	}
	return values
}

// freeMappings take any key: labels, annotations and node labels are the user's own.
var freeMappings = []string{
	"commonLabels", "commonAnnotations", "podLabels", "podAnnotations", "service.annotations",
	"secrets.jwt.sealed", "secrets.tak.sealed", "secrets.store.sealed", "secrets.registry.sealed",
	"httpRoute.annotations", "ingress.annotations", "backup.nodeSelector",
	"monitoring.serviceMonitor.labels", "monitoring.prometheusRule.labels",
	"api.podLabels", "api.podAnnotations", "api.nodeSelector", "store.podLabels", "store.podAnnotations", "store.nodeSelector",
}

// The schema refuses an unknown key at every level, and each key's removal, and a value of another type.
func TestSchemaRefusesTyposAtEveryLevel(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	require.NoError(t, v.with(t, func(map[string]any) {}), "positive control: the defaults are valid")
	levels := 0
	for _, path := range mappings(v.defaults, nil) {
		name := strings.Join(path, ".")
		typo := v.with(t, func(values map[string]any) { at(values, path)["typo"] = "x" })
		if slices.Contains(freeMappings, name) {
			require.NoError(t, typo, name)
			continue
		}
		levels++
		require.ErrorContains(t, typo, "typo", "a misspelt key below %q", name)
	}
	require.Greater(t, levels, 30)
}

// Every value refuses a type that it cannot have, and cannot be taken away with `--set key=null`.
func TestSchemaRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	leaves := 0
	for _, path := range mappings(v.defaults, nil) {
		for key, value := range at(v.defaults, path) {
			name := strings.Join(append(slices.Clone(path), key), ".")
			wrong := any(map[string]any{"a": map[string]any{"b": "c"}})
			if _, ok := value.(map[string]any); ok {
				wrong = "text"
			}
			require.Error(t, v.with(t, func(values map[string]any) { at(values, path)[key] = wrong }), "%s: wrong type", name)
			require.Error(t, v.with(t, func(values map[string]any) { delete(at(values, path), key) }), "%s: taken away", name)
			leaves++
		}
	}
	require.Greater(t, leaves, 100)
}

// Good and bad values of the kinds that users set most.
func TestSchemaValues(t *testing.T) {
	v := newValidator(t)
	digest := "sha256:" + strings.Repeat("0", 64)
	for _, c := range []struct {
		path string
		good []any
		bad  []any
	}{
		{"activeSlot", []any{"blue", "green"}, []any{"purple", "", "Blue"}},
		{"slots.blue.replicas", []any{0, 3}, []any{-1, 1.5, "3"}},
		{"slots.blue.config", []any{map[string]any{"logLevel": "debug"}}, []any{map[string]any{"loglevel": "debug"}, map[string]any{"logLevel": "loud"}}},
		{"image.digest", []any{"", digest}, []any{"latest", "sha256:00"}},
		{"image.registry", []any{"ghcr.io", "localhost:5000/a/b"}, []any{"https://ghcr.io", "ghcr.io/"}},
		{"image.pullPolicy", []any{"Never"}, []any{"Sometimes"}},
		{"config.leaseDuration", []any{"30s", "500ms"}, []any{"30", 30, "30 s"}},
		{"config.flagGreenCE90M", []any{7.5}, []any{0, "15"}},
		{"config.subjectRatePerSecond", []any{0, 7.5}, []any{-1, "5"}},
		{"config.targetWait", []any{"0s", "500ms"}, []any{0, "0.5s"}},
		{"api.resources.limits.cpu", []any{"500m", "2", 2}, []any{"2 cores", -1}},
		{"api.resources.limits.memory", []any{"1Gi", "512M"}, []any{"1GB", 1024}},
		{"api.strategy.maxSurge", []any{1, "25%"}, []any{"1", -1}},
		{"api.tolerations", []any{[]any{map[string]any{"key": "a", "operator": "Exists"}}}, []any{[]any{map[string]any{"keys": "a"}}}},
		{"api.extraEnv", []any{[]any{map[string]any{"name": "A", "value": "b"}}}, []any{[]any{map[string]any{"nmae": "A"}}, []any{map[string]any{"name": "A", "value": 1}}}},
		{"service.nodePort", []any{0, 30000}, []any{80, 40000}},
		{"secrets.development.jwtSecretKey", []any{"", strings.Repeat("k", 32)}, []any{"short"}},
		{"secrets.development.takEndpoint", []any{"", "tak:8087", "[::1]:8087"}, []any{"tak"}},
		{"networkPolicies.takEgress.cidrs", []any{[]any{"192.0.2.1/32", "2001:db8::/32"}}, []any{[]any{"192.0.2.1"}, "192.0.2.1/32"}},
		{"networkPolicies.extraIngress", []any{[]any{map[string]any{"namespaceSelector": map[string]any{}}}}, []any{[]any{map[string]any{}}, []any{map[string]any{"nameSpaceSelector": map[string]any{}}}, []any{map[string]any{"podSelector": map[string]any{}, "ipBlock": map[string]any{"cidr": "192.0.2.0/24"}}}}},
		{"networkPolicies.takEgress.ports", []any{[]any{8087}}, []any{[]any{"8087"}, []any{0}}},
	} {
		path := strings.Split(c.path, ".")
		set := func(value any) error {
			return v.with(t, func(values map[string]any) { at(values, path[:len(path)-1])[path[len(path)-1]] = value })
		}
		for _, value := range c.good {
			require.NoError(t, set(value), "%s: %v", c.path, value)
		}
		for _, value := range c.bad {
			require.Error(t, set(value), "%s: %v", c.path, value)
		}
	}
}

// evaluate renders one define of the chart with an input of its own, so that a decision which depends on a cluster can be
// tried without one.
func evaluate(t *testing.T, define string, input map[string]any) string {
	t.Helper()
	loaded := loadChart(t)
	templates := map[string][]byte{}
	for name := range loaded.Templates() {
		if !strings.HasSuffix(name, ".tpl") {
			templates[name] = nil
		}
	}
	templates["templates/result.yaml"] = fmt.Appendf(nil, `{{ dict "result" (include %q input) | toJson }}`, define)
	o := chart.Options{SkipSchema: true, Funcs: template.FuncMap{"input": func() any { return input }}}
	release, err := loaded.renderWith(templates, o)
	require.NoError(t, err)
	require.Len(t, release.Manifests, 1)
	var result struct{ Result string }
	require.NoError(t, json.Unmarshal([]byte(release.Manifests[0].YAML), &result))
	return result.Result
}
