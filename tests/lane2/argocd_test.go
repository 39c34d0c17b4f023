package lane2

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/controlplane"
)

// argoCD syncs the chart to a namespace as Argo CD does: rendered by Helm 4, applied by Argo CD's own engine, step by step
// (tests/argosync).
type argoCD struct {
	*release
	program     string
	application string // a file
	// edit changes what the chart renders, for the controls.
	edit func(manifests string) string
}

// argoStep is one line of argosync.
type argoStep struct {
	Step           int
	Phase, Message string
	Tasks          []argoTask
}

type argoTask struct {
	Order                              int
	Kind, Name, Result, State, Message string
}

// argoBuild builds the program once; TestMain cannot hand it over another way.
var argoBuild = sync.OnceValues(func() (string, error) {
	l, err := suite.start()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	return l.repository.ArgoSync(ctx)
})

func (l *lane) newArgoCD(t *testing.T) *argoCD {
	t.Helper()
	program, err := argoBuild()
	require.NoError(t, err)
	a := &argoCD{release: l.newRelease(t, "helm4"), program: program, edit: func(manifests string) string { return manifests }}
	a.useApplication(t)
	return a
}

// useApplication renders the chart's Application. Its name marks what belongs to it, so it gets one of its own here.
func (a *argoCD) useApplication(t *testing.T, values ...string) {
	t.Helper()
	a.application = a.render(t, "application.yaml", append(values, "--set", "argocd.enabled=true", "--show-only", "templates/argocd-application.yaml")...)
	text, err := os.ReadFile(a.application)
	require.NoError(t, err)
	named := strings.Replace(string(text), "  name: "+releaseName+"\n", "  name: "+a.namespace+"\n", 1)
	require.NotEqual(t, string(text), named)
	require.NoError(t, os.WriteFile(a.application, []byte(named), 0o600))
}

// render writes what the chart renders, as Argo CD asks it to, into a file.
func (a *argoCD) render(t *testing.T, file string, flags ...string) string {
	t.Helper()
	args := []string{"template", releaseName, a.chart(), "--values", a.chart("values-prod.yaml"), "--skip-tests", "--kube-version", "v1.37.2"}
	output, err := a.helm(t, append(args, flags...)...)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), file)
	require.NoError(t, os.WriteFile(path, []byte(output), 0o600))
	return path
}

// sync syncs one state of Git. After each step it asks whether to go on.
func (a *argoCD) sync(t *testing.T, goOn func(argoStep) bool, values ...string) []argoStep {
	t.Helper()
	path := a.render(t, "manifests.yaml", values...)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(a.edit(string(text))), 0o600))
	cmd := exec.CommandContext(t.Context(), a.program, "-kubeconfig", a.kubeconfig, "-application", a.application, "-manifests", path, "-wave-delay", "0s")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	steps, stopped := follow(t, stdout, stdin, goOn)
	if stopped {
		require.NoError(t, cmd.Process.Kill())
	}
	if err := cmd.Wait(); !stopped {
		require.NoError(t, err, "%s\n%+v", &stderr, steps)
	}
	return steps
}

func follow(t *testing.T, output io.Reader, input io.Writer, goOn func(argoStep) bool) (steps []argoStep, stopped bool) {
	t.Helper()
	scanner := bufio.NewScanner(output)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var step argoStep
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &step))
		t.Logf("step %d: %s %s, %d tasks", step.Step, step.Phase, step.Message, len(step.Tasks))
		steps = append(steps, step)
		if !goOn(step) {
			return steps, true
		}
		_, err := fmt.Fprintln(input)
		require.NoError(t, err)
	}
	require.NoError(t, scanner.Err())
	return steps, false
}

func always(argoStep) bool { return true }

// upTo lets so many steps run.
func upTo(steps int) func(argoStep) bool {
	return func(s argoStep) bool { return s.Step < steps }
}

// missingConfigs are the ConfigMaps that a ReplicaSet with pods names and that are not there: its next pod could not start.
func (a *argoCD) missingConfigs(t *testing.T) []string {
	t.Helper()
	sets, err := a.kube.AppsV1().ReplicaSets(a.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	names := a.configMaps(t, "")
	missing := []string{}
	for _, set := range sets.Items {
		name := set.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name
		if set.Status.Replicas > 0 && !slices.Contains(names, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// configMaps are the names of the configurations of a slot, or of both.
func (r *release) configMaps(t *testing.T, slot string) []string {
	t.Helper()
	list, err := r.kube.CoreV1().ConfigMaps(r.namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	var names []string
	for _, config := range list.Items {
		if strings.HasPrefix(config.Name, "detection-config-"+slot) {
			names = append(names, config.Name)
		}
	}
	return names
}

// orderOf is when an object was applied, 0 if it was not.
func orderOf(steps []argoStep, kind, name string) int {
	for _, step := range steps {
		for _, task := range step.Tasks {
			if task.Kind == kind && task.Name == name {
				return task.Order
			}
		}
	}
	return 0
}

// TestArgoCD lives with the chart: it heals what needs no healing, promotes, and rolls out.
func TestArgoCD(t *testing.T) {
	l := start(t)
	t.Parallel()
	a := l.newArgoCD(t)
	require.NoError(t, a.SetUsage(t.Context(), controlplane.Usage{Namespace: a.namespace, Container: "detection-api", CPU: load}))
	a.sync(t, always)
	a.scaledTo(t, "blue", 7)

	before := a.snapshot(t, a.namespace)
	a.sync(t, always)
	require.Empty(t, before.differences(a.snapshot(t, a.namespace)), "a sync of the same state of Git writes nothing")
	require.Equal(t, int32(7), *a.deployment(t, "blue").Spec.Replicas, "the autoscaler's count")

	a.sync(t, always, "--set", "activeSlot=green")
	require.Equal(t, "green", a.activeSlot(t))
	require.Equal(t, []string{"Service/detection-api-service"}, before.differences(a.snapshot(t, a.namespace)), "a promotion changes one object")
	a.testRollout(t)
}

// testRollout commits a configuration, an image and the way back to slot blue at once, which nobody should do. At no step
// is a configuration missing or traffic sent to a slot that is not ready.
func (a *argoCD) testRollout(t *testing.T) {
	t.Helper()
	first := a.configMaps(t, "")
	require.Len(t, first, 2)
	steps := a.sync(t, func(step argoStep) bool {
		require.Empty(t, a.missingConfigs(t), "after step %d", step.Step)
		if blue := a.deployment(t, "blue").Status; a.activeSlot(t) == "blue" {
			require.Equal(t, []int32{7, 7}, []int32{blue.UpdatedReplicas, blue.ReadyReplicas})
		}
		return true
	}, "--set", "config.cotStale=6m,slots.blue.image.tag=1.2.3,activeSlot=blue")
	require.Equal(t, "blue", a.activeSlot(t))
	second := a.configMaps(t, "")
	require.Len(t, second, 2)
	for _, slot := range []string{"blue", "green"} {
		applied := orderOf(steps, "Deployment", "detection-api-"+slot)
		require.Positive(t, applied)
		require.Greater(t, orderOf(steps, "Service", "detection-api-service"), applied, "traffic moves last")
		for _, name := range first {
			require.NotContains(t, second, name)
			require.Greater(t, orderOf(steps, "ConfigMap", name), applied, "%s is pruned last", name)
		}
	}
}

// TestArgoCDBrokenRollout commits all of that with an image that cannot be had.
func TestArgoCDBrokenRollout(t *testing.T) {
	t.Parallel()
	l := start(t)
	const broken = "config.cotStale=6m,image.tag=unpullable,activeSlot=green"
	t.Run("traffic and configurations stay", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.sync(t, always)
		steps := a.sync(t, upTo(5), "--set", broken)
		require.Equal(t, "Running", steps[len(steps)-1].Phase)
		require.Len(t, a.configMaps(t, ""), 4)
		require.Empty(t, a.missingConfigs(t))
		require.Equal(t, "blue", a.activeSlot(t))
	})
	t.Run("control: without the chart's wave and PruneLast they do not", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.withoutOrder(t)
		a.sync(t, always)
		a.sync(t, upTo(5), "--set", broken)
		require.Len(t, a.missingConfigs(t), 2)
		require.Equal(t, "green", a.activeSlot(t))
	})
}

// withoutOrder takes away what gives the sync its order.
func (a *argoCD) withoutOrder(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(a.application)
	require.NoError(t, err)
	require.Contains(t, string(text), "- PruneLast=true")
	require.NoError(t, os.WriteFile(a.application, bytes.ReplaceAll(text, []byte("- PruneLast=true"), nil), 0o600))
	const prune, wave = "sync-options: PruneLast=true", `sync-wave: "1"`
	a.edit = func(manifests string) string {
		require.Contains(t, manifests, prune)
		require.Contains(t, manifests, wave)
		return strings.NewReplacer(prune, "sync-options: PruneLast=false", wave, `sync-wave: "0"`).Replace(manifests)
	}
}

// TestArgoCDCounts has something other than the chart's autoscaler set the count of a slot, and syncs again.
func TestArgoCDCounts(t *testing.T) {
	t.Parallel()
	l := start(t)
	for name, test := range map[string]struct {
		ignore string // argocd.ignoreReplicas
		want   int32
	}{
		"ignoreReplicas keeps it":      {"true", 7},
		"control: without it Git wins": {"false", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := l.newArgoCD(t)
			a.useApplication(t, "--set", "argocd.ignoreReplicas="+test.ignore)
			a.sync(t, always, "--set", "autoscaling.enabled=false")
			a.scaledTo(t, "blue", 7)
			a.sync(t, always, "--set", "autoscaling.enabled=false")
			a.awaitReady(t, "blue", test.want)
		})
	}
}
