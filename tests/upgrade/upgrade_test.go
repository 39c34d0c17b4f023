package upgrade

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	action3 "helm.sh/helm/v3/pkg/action"
	util3 "helm.sh/helm/v3/pkg/chartutil"
	fake3 "helm.sh/helm/v3/pkg/kube/fake"
	storage3 "helm.sh/helm/v3/pkg/storage"
	driver3 "helm.sh/helm/v3/pkg/storage/driver"
	action4 "helm.sh/helm/v4/pkg/action"
	common4 "helm.sh/helm/v4/pkg/chart/common"
	fake4 "helm.sh/helm/v4/pkg/kube/fake"
	storage4 "helm.sh/helm/v4/pkg/storage"
	driver4 "helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/client-go/rest"
)

// write makes a chart with one Deployment.
func write(t *testing.T, version, selector string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "web")
	for name, text := range map[string]string{
		"Chart.yaml":  "{apiVersion: v2, name: web, version: " + version + "}\n",
		"values.yaml": "replicas: 1\n",
		"templates/web.yaml": `{{- if gt (int .Values.replicas) 5 }}{{ fail "replicas: at most 5" }}{{ end }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {version: "` + version + `"}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: ` + selector + `}}
  template:
    metadata: {labels: {app: ` + selector + `}}
    spec: {containers: [{name: web, image: web}]}
`,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func load(t *testing.T, version, selector string) *Chart {
	t.Helper()
	loaded, err := Load(write(t, version, selector))
	require.NoError(t, err)
	return loaded
}

// pack packs a chart into dir.
func pack(t *testing.T, dir, version string) {
	t.Helper()
	_, err := util3.Save(load(t, version, "web").helm3, dir)
	require.NoError(t, err)
}

// inMemory makes a client that keeps releases in memory and applies objects to nothing.
func inMemory(h Helm, _ *rest.Config, namespace, name string) (client, error) {
	if h == Helm3 {
		memory := driver3.NewMemory()
		memory.SetNamespace(namespace)
		return client3{namespace: namespace, release: name, config: &action3.Configuration{
			Releases: storage3.Init(memory), KubeClient: &fake3.PrintingKubeClient{Out: io.Discard},
			Capabilities: util3.DefaultCapabilities, Log: func(string, ...any) {},
		}}, nil
	}
	memory := driver4.NewMemory()
	memory.SetNamespace(namespace)
	config := action4.NewConfiguration(action4.ConfigurationSetLogger(slog.DiscardHandler))
	config.Releases, config.KubeClient, config.Capabilities = storage4.Init(memory), &fake4.PrintingKubeClient{Out: io.Discard}, common4.DefaultCapabilities
	return client4{namespace: namespace, release: name, config: config}, nil
}

func plan(from []*Chart, to *Chart) Plan {
	return Plan{
		Release: "web", From: from, To: to, Pairs: []Pair{{Helm3, Helm3}, {Helm4, Helm4}}, connect: inMemory,
		Namespace: func(context.Context, *Chart, Pair) (string, error) { return "default", nil },
	}
}

// Every version goes up, down, up and out with each Helm, and Check sees each step.
func TestRun(t *testing.T) {
	p := plan([]*Chart{load(t, "1.0.0", "web"), load(t, "1.1.0", "web")}, load(t, "2.0.0", "web"))
	p.Sites = map[string]Site{"1.1.0": {
		Install:  map[string]any{"replicas": 2},
		Upgrades: []map[string]any{{"replicas": 3}, {"replicas": nil}},
	}}
	var seen atomic.Int32
	p.Check = func(_ context.Context, step Step) error {
		require.Equal(t, "2.0.0", step.To)
		seen.Add(1)
		return nil
	}
	matrix, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, matrix, 4)
	var names, charts []string
	for _, step := range matrix[3].Steps {
		names, charts = append(names, step.Name), append(charts, step.Chart)
		require.Equal(t, Helm4, step.Helm)
	}
	require.Equal(t, []string{"install", "upgrade", "upgrade 2", "rollback", "upgrade again", "upgrade again 2", "uninstall"}, names)
	require.Equal(t, []string{"1.1.0", "2.0.0", "2.0.0", "1.1.0", "2.0.0", "2.0.0", ""}, charts)
	require.Equal(t, int32(2*5+2*7), seen.Load())
	require.Contains(t, matrix.String(), "1.1.0  2.0.0  Helm 4  upgrade again 2")
}

// What was set before stays set in an upgrade, and a nil takes it away.
func TestValuesOfASite(t *testing.T) {
	c, err := inMemory(Helm3, nil, "default", "web")
	require.NoError(t, err)
	old, next := load(t, "1.0.0", "web"), load(t, "2.0.0", "web")
	require.NoError(t, c.install(t.Context(), old, map[string]any{"replicas": 4}))
	for _, step := range []struct {
		set  map[string]any
		want string
	}{{nil, "replicas: 4"}, {map[string]any{"replicas": 3}, "replicas: 3"}, {map[string]any{"replicas": nil}, "replicas: 1"}} {
		require.NoError(t, c.upgrade(t.Context(), next, step.set))
		_, manifest, err := c.deployed()
		require.NoError(t, err)
		require.Contains(t, manifest, step.want)
	}
}

// A plan that would prove nothing is refused.
func TestPlansThatProveNothing(t *testing.T) {
	old, next := load(t, "1.0.0", "web"), load(t, "2.0.0", "web")
	same := *next
	same.Version = "1.9.0"
	for want, p := range map[string]Plan{
		"no released version":         plan(nil, next),
		"both charts are version":     plan([]*Chart{old, next}, next),
		"have the same content":       plan([]*Chart{&same}, next),
		"are needed":                  plan([]*Chart{old}, nil),
		"which is not upgraded from":  {Release: "web", From: []*Chart{old}, To: next, Namespace: plan(nil, nil).Namespace, Sites: map[string]Site{"0.9": {}}},
		"make a namespace: forbidden": {Release: "web", From: []*Chart{old}, To: next, Namespace: func(context.Context, *Chart, Pair) (string, error) { return "", errors.New("forbidden") }},
	} {
		_, err := p.Run(t.Context())
		require.ErrorContains(t, err, want)
	}
}

// What goes wrong ends the row, names the step, and leaves the other rows alone.
func TestRowsFail(t *testing.T) {
	old := load(t, "1.0.0", "web")
	moved := plan([]*Chart{old}, load(t, "2.0.0", "other"))
	matrix, err := moved.Run(t.Context())
	require.ErrorContains(t, err, `1.0.0 to 2.0.0, Helm 3: after upgrade: the selector of Deployment/web changed from {"matchLabels":{"app":"web"}}`)
	require.ErrorContains(t, err, "Helm 4: after upgrade: the selector")
	require.Len(t, matrix[0].Steps, 2)
	require.Contains(t, matrix.String(), "failed")

	refused := plan([]*Chart{old}, load(t, "2.0.0", "web"))
	refused.Sites = map[string]Site{"1.0.0": {Upgrades: []map[string]any{{"replicas": 6}}}}
	_, err = refused.Run(t.Context())
	require.ErrorContains(t, err, "upgrade by Helm 3")
	require.ErrorContains(t, err, "replicas: at most 5")

	unhealthy := plan([]*Chart{old}, load(t, "2.0.0", "web"))
	unhealthy.Check = func(_ context.Context, step Step) error {
		if step.Name == "rollback" {
			return errors.New("no pod is ready")
		}
		return nil
	}
	_, err = unhealthy.Run(t.Context())
	require.ErrorContains(t, err, "after rollback: no pod is ready")
}

// No released version is left out: one that is missing, and one that nobody named, are errors.
func TestReleased(t *testing.T) {
	dir := t.TempDir()
	pack(t, dir, "1.0.0")
	pack(t, dir, "1.1.0")
	found, err := Released(dir, "1.0.0", "1.1.0")
	require.NoError(t, err)
	require.Len(t, found, 2)
	for want, versions := range map[string][]string{
		"nothing would be tested":     nil,
		"no archive of [1.2.0]":       {"1.0.0", "1.1.0", "1.2.0"},
		"version 1.1.0, which is not": {"1.0.0"},
	} {
		_, err := Released(dir, versions...)
		require.ErrorContains(t, err, want)
	}
	_, err = Released(t.TempDir(), "1.0.0")
	require.ErrorContains(t, err, "no archive of [1.0.0]")
}

// An archive has the digest of the directory that it was made from, and other content another one.
func TestDigest(t *testing.T) {
	dir := t.TempDir()
	pack(t, dir, "1.0.0")
	archive, err := Load(filepath.Join(dir, "web-1.0.0.tgz"))
	require.NoError(t, err)
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", archive.Digest)
	again, err := Load(filepath.Join(dir, "web-1.0.0.tgz"))
	require.NoError(t, err)
	require.Equal(t, archive.Digest, again.Digest)
	require.NotEqual(t, archive.Digest, load(t, "1.0.1", "web").Digest)
}
