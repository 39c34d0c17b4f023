package mutation_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/mutation"
)

func mutants(t testing.TB, text string) []mutation.Mutant {
	t.Helper()
	made, err := mutation.Mutants(map[string][]byte{"templates/t.yaml": []byte(text)})
	require.NoError(t, err)
	return made
}

// Every operator makes the mistakes that it should, and no other.
func TestOperators(t *testing.T) {
	for text, want := range map[string][]string{
		"{{ if .a }}x{{ end }}":                         {"{{ if not (.a) }}x{{ end }}", "{{ if .a }}{{ end }}"},
		"{{- if and .a .b -}} x {{- else }} y{{ end }}": {"{{- if not (and .a .b) -}} x {{- else }} y{{ end }}", "{{- if or .a .b -}} x {{- else }} y{{ end }}", "{{- if and .a .b -}}{{- else }} y{{ end }}", "{{- if and .a .b -}} x {{- else }}{{ end }}"},
		"{{ with $x := .a }}x{{ end }}":                 {"{{ with $x := .a }}{{ end }}"},
		"{{ if .a }}x{{ else if .b }}y{{ else }}z{{ end }}": {
			"{{ if not (.a) }}x{{ else if .b }}y{{ else }}z{{ end }}", "{{ if .a }}{{ else if .b }}y{{ else }}z{{ end }}",
			"{{ if .a }}y{{ else if .b }}x{{ else }}z{{ end }}", "{{ if .a }}x{{ else if not (.b) }}y{{ else }}z{{ end }}",
			"{{ if .a }}x{{ else if .b }}{{ else }}z{{ end }}", "{{ if .a }}x{{ else if .b }}z{{ else }}y{{ end }}",
			"{{ if .a }}x{{ else if .b }}y{{ else }}{{ end }}",
		},
		"a: {{ include \"x\" . | nindent 4 }}":       {"a: "},
		"{{ $x := include \"and 5\" . }}{{ $x.eq }}": nil,
		"port: 80":                                        {"port: 81"},
		"- {port: 53, protocol: UDP}":                     {"- {port: 54, protocol: UDP}"},
		"a: v1\nname: x80":                                nil,
		"n: {{ add .x 2 | max 3 }}":                       {"n: {{ sub .x 2 | max 3 }}", "n: {{ add .x 3 | max 3 }}", "n: {{ add .x 2 | min 3 }}", "n: {{ add .x 2 | max 4 }}"},
		"labels:\n  app: {{ .a }}\nother: x\n":            {"labels:\nother: x\n", "labels:\n  mutant-app: {{ .a }}\nother: x\n", "labels:\n  app: mutant-{{ .a }}\nother: x\n"},
		"{{ define \"my.labels\" -}}\napp: x\n{{- end }}": {"{{ define \"my.labels\" -}}{{- end }}", "{{ define \"my.labels\" -}}\nmutant-app: x\n{{- end }}", "{{ define \"my.labels\" -}}\napp: mutant-x\n{{- end }}", "{{ define \"my.labels\" -}}\n{{- end }}"},
		"{{/* if eq 5 */}}":                               nil,
	} {
		var got []string
		for _, mutant := range mutants(t, text) {
			got = append(got, mutant.Text)
		}
		require.ElementsMatch(t, want, got, text)
	}
}

func TestDiffShowsTheLinesThatChange(t *testing.T) {
	made := mutants(t, "kind: Service\nport: 80\nname: x\n")
	require.Len(t, made, 1)
	require.Equal(t, "-port: 80\n+port: 81\n", made[0].Diff())
	require.Equal(t, "templates/t.yaml:2: 80 becomes 81", made[0].String())
}

func TestMutantsRefuses(t *testing.T) {
	_, err := mutation.Mutants(map[string][]byte{"t": []byte("{{ if }")})
	require.ErrorContains(t, err, "mutate t")
}

func TestSample(t *testing.T) {
	made := mutants(t, strings.Repeat("port: 80\n", 10))
	require.Len(t, made, 10)
	require.Equal(t, []mutation.Mutant{made[0], made[3], made[6]}, mutation.Sample(made, 3))
	require.Equal(t, made, mutation.Sample(made, 11))
}

// chart writes a chart of one template and returns its directory.
func chart(t testing.TB, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "templates"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "templates", "t.yaml"), []byte(text), 0o644))
	return dir
}

// contains is a check that wants a text in the template.
func contains(want string) mutation.Check {
	return func(_ context.Context, dir string) (bool, string, error) {
		text, err := os.ReadFile(filepath.Join(dir, "templates", "t.yaml"))
		return !strings.Contains(string(text), want), "wants " + want, err
	}
}

const twoPorts = "port: 80\nother: 90\nunused: 7\n"

func TestRunTellsKilledSurvivedAndEquivalent(t *testing.T) {
	renders := func(replaced map[string][]byte) ([]string, error) {
		text := string(replaced["templates/t.yaml"])
		if replaced == nil {
			text = twoPorts
		}
		return []string{strings.Split(text, "unused")[0]}, nil
	}
	report, err := mutation.Run(t.Context(), mutation.Config{
		ChartDir: chart(t, twoPorts), Check: contains("port: 80"), Renders: renders,
	}, mutants(t, twoPorts))
	require.NoError(t, err)
	require.Equal(t, "3 mutants: 1 killed, 1 survived, 0 timed out, 1 equivalent; score 50.0 %", report.Summary())
	require.Equal(t, 1, report.Only(mutation.Killed)[0].Line)
	require.Contains(t, report.String(), "survived templates/t.yaml:2: 90 becomes 91\n-other: 90\n+other: 91\n")
}

func TestRunRefusesAFailingOriginal(t *testing.T) {
	_, err := mutation.Run(t.Context(), mutation.Config{ChartDir: chart(t, twoPorts), Check: contains("nothing")}, nil)
	require.ErrorContains(t, err, "the original does not pass the check: wants nothing")
}

func TestRunReportsBrokenChecksAndTimeouts(t *testing.T) {
	dir, calls := chart(t, twoPorts), make(chan struct{}, 9)
	check := func(ctx context.Context, chartDir string) (bool, string, error) {
		if chartDir == dir {
			return false, "", nil
		}
		calls <- struct{}{}
		<-ctx.Done()
		return true, "too late", nil
	}
	report, err := mutation.Run(t.Context(), mutation.Config{ChartDir: dir, Check: check, Timeout: time.Millisecond}, mutants(t, twoPorts))
	require.NoError(t, err)
	require.Len(t, report.Only(mutation.TimedOut), 3)
	require.Zero(t, report.Score())
	broken := func(_ context.Context, chartDir string) (bool, string, error) {
		if chartDir == dir {
			return false, "", nil
		}
		return false, "", errors.New("no such program")
	}
	_, err = mutation.Run(t.Context(), mutation.Config{ChartDir: dir, Check: broken}, mutants(t, twoPorts))
	require.ErrorContains(t, err, "no such program")
}
