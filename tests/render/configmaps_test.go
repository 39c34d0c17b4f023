package render

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// The configurations of earlier generations stay, newest first, and the one that the pods run with is never dropped for a newer one.
func TestConfigGenerations(t *testing.T) {
	loaded, err := loader.Load(chartDir)
	require.NoError(t, err)
	config := func(name, release string, minute int) map[string]any {
		return map[string]any{"metadata": map[string]any{
			"name": name, "creationTimestamp": fmt.Sprintf("2026-01-02T03:%02d:00Z", minute),
			"labels": map[string]any{"app.kubernetes.io/instance": release},
		}}
	}
	running := func(name string) map[string]any {
		container := map[string]any{"envFrom": []any{map[string]any{"configMapRef": map[string]any{"name": name}}}}
		return map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}}
	}
	live := []any{
		config("detection-config-blue-a", releaseName, 1), config("detection-config-blue-b", releaseName, 2), config("detection-config-blue-c", releaseName, 3),
		config("detection-config-green-d", releaseName, 4), config("detection-config-blue-e", "another", 5), config("kube-root-ca.crt", "", 6),
	}
	for _, c := range []struct {
		name        string
		generations int
		live        []any
		deployment  map[string]any
		want        []string
	}{
		{"none yet", 3, nil, map[string]any{}, []string{}},
		{"fewer than kept", 9, live, map[string]any{}, []string{"detection-config-blue-c", "detection-config-blue-b", "detection-config-blue-a"}},
		{"the newest", 3, live, map[string]any{}, []string{"detection-config-blue-c", "detection-config-blue-b"}},
		{"the one in use first", 3, live, running("detection-config-blue-a"), []string{"detection-config-blue-a", "detection-config-blue-c"}},
		{"only the current one", 1, live, running("detection-config-blue-a"), []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := loaded.Values
			values["configMaps"] = map[string]any{"generations": c.generations}
			root := map[string]any{"Values": values, "Release": map[string]any{"Name": releaseName}}
			var got []string
			text := evaluate(t, "detection-api.earlierConfigs", map[string]any{"root": root, "slot": "blue", "live": c.live, "deployment": c.deployment})
			require.NoError(t, json.Unmarshal([]byte(text), &got))
			require.Equal(t, c.want, got)
		})
	}
}
