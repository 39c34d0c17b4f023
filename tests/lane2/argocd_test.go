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

// TestArgoCDKeepsConfigurations goes from one generation of a slot's configuration to the next.
func TestArgoCDKeepsConfigurations(t *testing.T) {
	l := start(t)
	t.Run("the old one goes when the new pods are healthy", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.sync(t, always)
		first := a.configMaps(t, "")
		require.Len(t, first, 2)
		steps := a.sync(t, func(step argoStep) bool {
			require.Empty(t, a.missingConfigs(t), "after step %d", step.Step)
			return true
		}, "--set", "config.cotStale=6m")
		second := a.configMaps(t, "")
		require.Len(t, second, 2)
		for _, name := range first {
			require.NotContains(t, second, name)
			require.Greater(t, orderOf(steps, "ConfigMap", name), orderOf(steps, "Deployment", "detection-api-blue"), "%s is pruned last", name)
		}
	})
	t.Run("it stays while the new pods do not get ready", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.brokenGeneration(t)
		require.Empty(t, a.missingConfigs(t))
		require.Len(t, a.configMaps(t, ""), 4)
	})
	t.Run("control: without PruneLast pods lose their configuration", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.withoutPruneLast(t)
		a.brokenGeneration(t)
		require.Len(t, a.missingConfigs(t), 2)
	})
}

// brokenGeneration syncs a configuration, and then the next one with an image that cannot be had.
func (a *argoCD) brokenGeneration(t *testing.T) {
	t.Helper()
	a.sync(t, always)
	steps := a.sync(t, upTo(8), "--set", "config.cotStale=6m", "--set", "image.tag=unpullable")
	require.Equal(t, "Running", steps[len(steps)-1].Phase)
}

func (a *argoCD) withoutPruneLast(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(a.application)
	require.NoError(t, err)
	require.Contains(t, string(text), "- PruneLast=true")
	require.NoError(t, os.WriteFile(a.application, bytes.ReplaceAll(text, []byte("- PruneLast=true"), nil), 0o600))
	a.edit = func(manifests string) string {
		require.Contains(t, manifests, "sync-options: PruneLast=true")
		return strings.ReplaceAll(manifests, "sync-options: PruneLast=true", "sync-options: PruneLast=false")
	}
}

// TestArgoCDMovesTrafficLast commits a new image and the promotion at once, which nobody should do.
func TestArgoCDMovesTrafficLast(t *testing.T) {
	l := start(t)
	t.Run("after the pods", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.sync(t, always)
		steps := a.sync(t, func(argoStep) bool {
			if ready := a.deployment(t, "green").Status; a.activeSlot(t) == "green" {
				require.Equal(t, ready.Replicas, ready.UpdatedReplicas)
				require.GreaterOrEqual(t, ready.ReadyReplicas, int32(3))
			}
			return true
		}, "--set", "slots.green.image.tag=1.2.3", "--set", "activeSlot=green")
		require.Equal(t, "green", a.activeSlot(t))
		for _, slot := range []string{"blue", "green"} {
			require.Greater(t, orderOf(steps, "Service", "detection-api-service"), orderOf(steps, "Deployment", "detection-api-"+slot))
		}
	})
	t.Run("not to pods that do not get ready", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.sync(t, always)
		a.sync(t, upTo(8), "--set", "slots.green.image.tag=unpullable", "--set", "activeSlot=green")
		require.Equal(t, "blue", a.activeSlot(t))
	})
	t.Run("control: without the wave traffic moves to them", func(t *testing.T) {
		t.Parallel()
		a := l.newArgoCD(t)
		a.edit = func(manifests string) string {
			require.Contains(t, manifests, `argocd.argoproj.io/sync-wave: "1"`)
			return strings.ReplaceAll(manifests, `argocd.argoproj.io/sync-wave: "1"`, `argocd.argoproj.io/sync-wave: "0"`)
		}
		a.sync(t, always)
		a.sync(t, upTo(8), "--set", "slots.green.image.tag=unpullable", "--set", "activeSlot=green")
		require.Equal(t, "green", a.activeSlot(t))
	})
}

// TestArgoCDPromotes commits a promotion alone.
func TestArgoCDPromotes(t *testing.T) {
	l := start(t)
	t.Parallel()
	a := l.newArgoCD(t)
	a.sync(t, always)
	a.awaitReady(t, "green", 3)
	before := a.snapshot(t, a.namespace)
	a.sync(t, always, "--set", "activeSlot=green")
	require.Equal(t, "green", a.activeSlot(t))
	require.Equal(t, []string{"Service/detection-api-service"}, before.differences(a.snapshot(t, a.namespace)))
}

// TestArgoCDLeavesReplicas syncs again after the autoscaler has made a slot larger, as self-heal does.
func TestArgoCDLeavesReplicas(t *testing.T) {
	l := start(t)
	tests := []struct {
		name   string
		values []string // of the manifests
		ignore string   // argocd.ignoreReplicas
		want   int32
	}{
		{"under the chart's autoscaler", nil, "false", 7},
		{"with ignoreDifferences", []string{"--set", "autoscaling.enabled=false"}, "true", 7},
		{"control: a count in Git wins", []string{"--set", "autoscaling.enabled=false"}, "false", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := l.newArgoCD(t)
			a.useApplication(t, "--set", "argocd.ignoreReplicas="+test.ignore)
			require.NoError(t, a.SetUsage(t.Context(), controlplane.Usage{Namespace: a.namespace, Container: "detection-api", CPU: load}))
			a.sync(t, always, test.values...)
			a.scaledTo(t, "blue", 7)
			a.sync(t, always, test.values...)
			a.awaitReady(t, "blue", test.want)
		})
	}
}
