package chart_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/detection-api/detection-api/tests/chart"
)

const boardDir = "../testdata/charts/notes-board"

func load(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := chart.Load(boardDir)
	require.NoError(t, err)
	return loaded
}

// objects renders and decodes with both engines, which must agree, and returns what Helm 4 gave.
func objects(t *testing.T, c *chart.Chart, o chart.Options) chart.Objects {
	t.Helper()
	texts := map[chart.Engine]string{}
	var decoded chart.Objects
	for _, engine := range chart.Engines() {
		release, err := c.Render(engine, o)
		require.NoError(t, err)
		decoded, err = release.Objects()
		require.NoError(t, err)
		texts[engine], err = decoded.Canonical()
		require.NoError(t, err)
	}
	require.Equal(t, texts[chart.Helm3], texts[chart.Helm4])
	return decoded
}

// refusal wants both engines to refuse, and returns what Helm 4 says.
func refusal(t *testing.T, c *chart.Chart, o chart.Options) string {
	t.Helper()
	_, err := c.Render(chart.Helm3, o)
	require.Error(t, err)
	_, err = c.Render(chart.Helm4, o)
	require.Error(t, err)
	return err.Error()
}

func TestRender(t *testing.T) {
	for _, engine := range chart.Engines() {
		release, err := load(t).Render(engine, chart.Options{Release: "team", Namespace: "notes", Upgrade: true, Revision: 7})
		require.NoError(t, err)
		require.Contains(t, release.Notes, "kubectl -n notes port-forward service/team-board")
		require.Contains(t, release.Notes, "revision 7")
		require.Equal(t, "templates/networkpolicies.yaml", release.Manifests[0].Template, "in the order of installation")
		require.Len(t, release.Hooks, 1)
		hook := release.Hooks[0]
		require.Equal(t, "templates/tests/ready.yaml", hook.Template)
		require.Equal(t, []string{"test"}, hook.Events)
		require.Equal(t, 1, hook.Weight)
		require.Equal(t, []string{"before-hook-creation", "hook-succeeded"}, hook.DeletePolicies)
		require.Contains(t, release.YAML(), "# Source: templates/tests/ready.yaml")
	}
}

// Values come from the defaults, then files, then Set, then SetArguments.
func TestValues(t *testing.T) {
	c := load(t)
	extra := filepath.Join(t.TempDir(), "extra.yaml")
	require.NoError(t, os.WriteFile(extra, []byte("autoscaling: {minReplicas: 4}\n"), 0o600))
	values, err := c.Values(chart.Options{
		ValuesFiles:  []string{"values-large.yaml", extra},
		Set:          map[string]any{"digest.recipients[0]": "a@b.example", "board.port": 9000, "podAnnotations.a\\.b/c": "d"},
		SetArguments: []string{"board.port=9001,board.title=x"},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"enabled": true, "maxReplicas": 12.0, "minReplicas": 4.0}, values["autoscaling"])
	require.Equal(t, map[string]any{"port": int64(9001), "title": "x"}, values["board"])
	require.Equal(t, map[string]any{"a.b/c": "d"}, values["podAnnotations"])
	require.Equal(t, map[string]any{"recipients": []any{"a@b.example"}}, values["digest"])
	_, err = c.Values(chart.Options{ValuesFiles: []string{"values-none.yaml"}})
	require.ErrorContains(t, err, "values-none.yaml is neither in the chart")
	defaults, err := c.Defaults()
	require.NoError(t, err)
	require.Equal(t, 2.0, defaults["replicas"])
}

func TestRefusals(t *testing.T) {
	c := load(t)
	require.Contains(t, refusal(t, c, chart.Options{Set: map[string]any{"replica": 1}}), "replica")
	require.Contains(t, refusal(t, c, chart.Options{Set: map[string]any{"image.tag": "latest"}}), "/image/tag")
	require.Contains(t, refusal(t, c, chart.Options{Set: map[string]any{"replicas": nil}}), "replicas", "a default taken away")
	require.Contains(t, refusal(t, c, chart.Options{Set: map[string]any{"digest.recipients": []string{}}}), "digest.recipients is empty")
	require.Contains(t, refusal(t, c, chart.Options{KubeVersion: "1.32.0"}), "chart requires kubeVersion: >=1.33.0-0")
	require.Contains(t, refusal(t, c, chart.Options{KubeVersion: "new"}), "kube version new")
	_, err := c.Render(chart.Helm4, chart.Options{Set: map[string]any{"image.tag": "latest"}, SkipSchema: true})
	require.NoError(t, err)
	_, err = c.Render(chart.Helm3, chart.Options{Funcs: template.FuncMap{"a": strings.ToUpper}})
	require.ErrorContains(t, err, "only Helm 4")
	_, err = c.Render(2, chart.Options{})
	require.ErrorContains(t, err, "use Helm3 or Helm4")
}

func TestCapabilities(t *testing.T) {
	c := load(t).WithTemplates(map[string][]byte{"templates/says.yaml": []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: says}
data:
  kube: {{ .Capabilities.KubeVersion.Version }}
  monitor: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" | quote }}
  apps: {{ .Capabilities.APIVersions.Has "apps/v1" | quote }}
  helm: {{ .Capabilities.HelmVersion.Version }}
`)})
	for engine, version := range map[chart.Engine]string{chart.Helm3: "v3.22.0", chart.Helm4: "v4.3.1"} {
		release, err := c.Render(engine, chart.Options{KubeVersion: "1.36.1", APIVersions: []string{"monitoring.coreos.com/v1/ServiceMonitor"}})
		require.NoError(t, err)
		decoded, err := release.Objects()
		require.NoError(t, err)
		says, err := chart.Get[*corev1.ConfigMap](decoded, "ConfigMap/says")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"kube": "v1.36.1", "monitor": "true", "apps": "true", "helm": version}, says.Data)
	}
	require.Contains(t, c.Templates(), "templates/says.yaml")
	require.NotContains(t, load(t).Templates(), "templates/says.yaml", "the original is as it was")
	require.NotContains(t, c.WithTemplates(map[string][]byte{"templates/says.yaml": nil}).Templates(), "templates/says.yaml")
}

// `lookup` finds what Options.Cluster has, in the engine of either version.
func TestCluster(t *testing.T) {
	live := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "notes-board-session", Namespace: "default"}, Data: map[string][]byte{"key": []byte("kept")}}
	another := live.DeepCopy()
	another.Namespace = "another"
	another.Data["key"] = []byte("other")
	kept := objects(t, load(t), chart.Options{Set: map[string]any{"session.create": true}, Cluster: []runtime.Object{another, live}})
	secret, err := chart.Get[*corev1.Secret](kept, "Secret/notes-board-session")
	require.NoError(t, err)
	require.Equal(t, "kept", string(secret.Data["key"]))

	list := load(t).WithTemplates(map[string][]byte{"templates/list.yaml": []byte(`apiVersion: v1
kind: ConfigMap
metadata: {name: list}
data: {count: {{ (lookup "v1" "Secret" "" "").items | len | quote }}, none: {{ lookup "v1" "Secret" "default" "none" | toJson | quote }}}
`)})
	counted := objects(t, list, chart.Options{Cluster: []runtime.Object{another, live}})
	found, err := chart.Get[*corev1.ConfigMap](counted, "ConfigMap/list")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"count": "2", "none": "{}"}, found.Data)
}

// An archive renders as the directory that it was made of.
func TestLoadArchive(t *testing.T) {
	c := load(t)
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	files := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(c.Files())) {
		data := c.Files()[name]
		require.NoError(t, files.WriteHeader(&tar.Header{Name: "notes-board/" + name, Mode: 0o644, Size: int64(len(data))}))
		_, err := files.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, files.Close())
	require.NoError(t, zipped.Close())
	path := filepath.Join(t.TempDir(), "notes-board-1.3.0.tgz")
	require.NoError(t, os.WriteFile(path, archive.Bytes(), 0o600))
	packed, err := chart.Load(path)
	require.NoError(t, err)
	require.Equal(t, []string{"notes-board", "1.3.0", "2.1.0"}, []string{packed.Name(), packed.Version(), packed.AppVersion()})
	large := chart.Options{ValuesFiles: []string{"values-large.yaml"}}
	different, err := chart.Changed(objects(t, c, large), objects(t, packed, large))
	require.NoError(t, err)
	require.Empty(t, different)
	_, err = chart.Load(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "load chart")
}

func TestChanged(t *testing.T) {
	c := load(t)
	before := objects(t, c, chart.Options{})
	after := objects(t, c, chart.Options{Set: map[string]any{"replicas": 1, "board.title": "Other"}})
	different, err := chart.Changed(before, after)
	require.NoError(t, err)
	require.Equal(t, []string{"ConfigMap/notes-board-board", "Deployment/notes-board-board", "PodDisruptionBudget/notes-board-board"}, different)
	require.Len(t, chart.All[*batchv1.CronJob](before), 1)
	_, err = chart.Get[*appsv1.Deployment](before, "Deployment/none")
	require.ErrorContains(t, err, "Deployment/none is not rendered; there are ConfigMap/notes-board-board, ")
	_, err = chart.Get[*appsv1.StatefulSet](before, "Deployment/notes-board-board")
	require.ErrorContains(t, err, "is a *v1.Deployment, not a *v1.StatefulSet")
}

func TestPodTemplatesAndImages(t *testing.T) {
	o := chart.Options{Set: map[string]any{"image.digest": "sha256:" + strings.Repeat("0", 64)}}
	rendered := objects(t, load(t), o)
	require.Equal(t, []string{"CronJob/notes-board-digest", "Deployment/notes-board-board", "Pod/notes-board-ready"},
		slices.Sorted(maps.Keys(rendered.PodTemplates())))
	images, err := rendered.Images()
	require.NoError(t, err)
	require.Equal(t, []string{"registry.example/notes-board@sha256:" + strings.Repeat("0", 64)}, images)
}
