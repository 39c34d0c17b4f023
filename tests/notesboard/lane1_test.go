// Package notesboard tests a second chart with the harness, so that what docs/testing-your-chart.md says is run.
package notesboard

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/fuzz"
	"github.com/detection-api/detection-api/tests/network"
)

const mine = "../testdata/charts/notes-board"

// begin: render
func TestMyChart(t *testing.T) {
	loaded, err := chart.Load(mine)
	require.NoError(t, err)
	fuzzed, err := fuzz.New(loaded, chart.Options{})
	require.NoError(t, err)
	fuzzed.Narrow("session.create", rapid.Just[any](false)) // a random key differs between any two renders
	fuzzed.Run(t, fuzz.Options{Cases: 50, Seed: 1}, func(objects chart.Objects) error {
		_, err := objects.Canonical()
		return err
	})
	require.Positive(t, fuzzed.Misspell(t))
}

// end: render

// begin: network
func TestWhoMayTalk(t *testing.T) {
	objects := rendered(t, nil)
	board := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "board"}}
	ingress := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ingress", Labels: map[string]string{"kubernetes.io/metadata.name": "ingress"}}}
	pods := objects.PodTemplates()
	policies := chart.All[*networkingv1.NetworkPolicy](objects)
	for _, policy := range policies {
		policy.Namespace = board.Name // the chart leaves it to Helm
	}
	table, err := network.Evaluate(policies, []network.Peer{
		network.Pod("board", "10.0.0.1", board, pods["Deployment/notes-board-board"], network.TCP(8080)),
		network.Pod("digest", "10.0.0.2", board, pods["CronJob/notes-board-digest"]),
		network.Pod("controller", "10.0.1.1", ingress, corev1.PodTemplateSpec{}),
		network.Pod("stranger", "10.0.0.3", board, corev1.PodTemplateSpec{}),
		network.Outside("mail", "192.0.2.9", network.TCP(25)),
	})
	require.NoError(t, err)
	require.Contains(t, table.String(), "controller  -> board")
	require.NotContains(t, table.String(), "stranger  -> board")
}

// end: network

func rendered(t *testing.T, set map[string]any) chart.Objects {
	t.Helper()
	loaded, err := chart.Load(mine)
	require.NoError(t, err)
	release, err := loaded.Render(chart.Helm4, chart.Options{Namespace: "board", Set: set})
	require.NoError(t, err)
	objects, err := release.Objects()
	require.NoError(t, err)
	return objects
}

// What the page shows is what runs here.
func TestPageShowsThisCode(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing-your-chart.md")
	require.NoError(t, err)
	for _, file := range []string{"lane1_test.go", "lane2_test.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		parts := strings.Split(string(source), "\n// begin: ")
		for _, part := range parts[1:] {
			name, rest, _ := strings.Cut(part, "\n")
			code, _, found := strings.Cut(rest, "\n// end: "+name)
			require.True(t, found, name)
			require.Contains(t, string(page), strings.TrimSpace(code), "docs/testing-your-chart.md shows another text of %s", name)
		}
	}
}
