package render

import (
	"encoding/json"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// accepted are the checks of kube-score that this chart does not follow, for which objects, and why.
var accepted = []struct{ check, objects, reason string }{
	{"container-image-pull-policy", "*/*", "Always would need the registry at every start of a pod, also where images are loaded into the nodes (air gap); a released tag is not moved, and a digest can be set"},
	{"container-ephemeral-storage-request-and-limit", "*/*", "root file systems are read-only and every emptyDir has a sizeLimit, which is what a pod is evicted for"},
	{"container-security-context-user-group-id", "*/*", "user and group 1000 are those of the image and of the source design; the check wants them above 10000, against clashes with users of the host"},
	{"deployment-has-host-podantiaffinity", "Deployment/detection-api-*", "two topologySpreadConstraints spread each slot over zones and nodes, without refusing the third pod on two nodes"},
	{"statefulset-has-servicename", "StatefulSet/detection-api-store", "the store is one pod and is reached through a Service with an address of its own; nobody needs a DNS name for each pod"},
	{"service-type", "Service/detection-api-service", "values-dev.yaml alone: a port of the node is how a laptop without an ingress reaches it"},
}

// finding is a check of kube-score that an object fails.
type finding struct{ check, object, comment string }

// TestKubeScore holds every values file to kube-score: clean but for what is accepted above, all of which is still needed.
func TestKubeScore(t *testing.T) {
	t.Parallel()
	needed := map[string]bool{}
	for _, file := range allFiles() {
		for _, f := range score(t, canonical(t, chart.Helm4, options(file, fixed(file)))) {
			check := excuse(f)
			require.NotEmpty(t, check, "%s: %s fails %s: %s", file, f.object, f.check, f.comment)
			needed[check] = true
		}
	}
	for _, a := range accepted {
		require.True(t, needed[a.check], "%s is accepted but no object fails it any more; take it out", a.check)
	}
	bad := strings.ReplaceAll(canonical(t, chart.Helm4, options("values.yaml", nil)), "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
	require.True(t, slices.ContainsFunc(score(t, bad), func(f finding) bool {
		return f.check == "container-security-context-readonlyrootfilesystem"
	}), "positive control: kube-score finds a writable root file system")
}

// excuse returns the check of the accepted exception that covers f; empty when none does.
func excuse(f finding) string {
	for _, a := range accepted {
		if matched, err := path.Match(a.objects, f.object); err == nil && matched && a.check == f.check {
			return a.check
		}
	}
	return ""
}

// score runs kube-score on a stream of YAML.
func score(t *testing.T, stream string) []finding {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join("..", "..", "build", "bin", "kube-score"), "score", "-", "--output-format", "json")
	command.Stdin = strings.NewReader(stream)
	output, err := command.Output()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		require.NoError(t, err, "run `make tools` first")
	}
	var objects []struct {
		Kind   struct{ Kind string } `json:"type_meta"`
		Meta   struct{ Name string } `json:"object_meta"`
		Checks []struct {
			Check    struct{ ID string }
			Grade    int
			Skipped  bool
			Comments []struct{ Path, Summary string }
		}
	}
	require.NoError(t, json.Unmarshal(output, &objects), "%s", output)
	require.NotEmpty(t, objects)
	var found []finding
	for _, object := range objects {
		for _, check := range object.Checks {
			// 10 is OK, 7 almost; 5 is a warning, 1 critical.
			if !check.Skipped && check.Grade <= 5 {
				summaries := []string{}
				for _, comment := range check.Comments {
					summaries = append(summaries, comment.Summary)
				}
				found = append(found, finding{check.Check.ID, object.Kind.Kind + "/" + object.Meta.Name, strings.Join(summaries, "; ")})
			}
		}
	}
	return found
}
