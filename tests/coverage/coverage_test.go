package coverage_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/coverage"
)

// tricky has a trim marker on every side of every kind of action, and text that looks like actions.
const tricky = `{{- /* a comment with {{ if }} */ -}}
{{- define "name" -}}
  {{- with .name }}  [{{ . }}]  {{- else }} nameless {{ end -}}
{{- end -}}
{{ define "nothing" }}{{ end }}
a: {{ if .a -}}   yes   {{- end }}
b: {{- if .b }} yes {{ end -}}   .
c: {{ if and .a (eq .b "}}") -}}
  1
{{- else if .b -}} 2 {{- else if .c }} 3 {{ end }}
d: {{- if .a }}{ {{- end }}{ {{- if .b -}} } {{- else -}} }} {{- end }}
e: {{ range $i, $e := .list -}} {{ if eq $e "stop" }}{{ break }}{{ end }} {{ $i }}={{ $e }}, {{- else -}} none {{ end -}}
f: {{ range .list }} {{ if eq . "skip" -}} {{ continue }} {{- end }}{{ . }} {{- end }}
g: {{ block "g" . -}}  {{ template "name" . }}  {{- end }}
h: {{ $x := "kept" }}{{ if .a }}{{ $x = "set" }}{{ end }}{{ $x }}{{ template "nothing" . }}
`

var data = []map[string]any{
	{},
	{"a": true, "name": "n", "list": []string{"x", "skip", "y"}},
	{"b": "}}", "list": []string{"stop", "x"}},
	{"a": true, "b": "}}"},
	{"c": true},
}

func execute(t *testing.T, text string, funcs template.FuncMap, data any) string {
	t.Helper()
	parsed, err := template.New("t").Funcs(funcs).Parse(text)
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, parsed.Execute(&b, data))
	return b.String()
}

func instrument(t *testing.T, text string) (*coverage.Profile, string) {
	t.Helper()
	profile, err := coverage.Instrument(map[string][]byte{"t": []byte(text)})
	require.NoError(t, err)
	return profile, string(profile.Templates()["t"])
}

func TestInstrumentChangesNoByteOfTheOutput(t *testing.T) {
	profile, instrumented := instrument(t, tricky)
	require.Equal(t, strings.Count(tricky, "\n"), strings.Count(instrumented, "\n"), "line numbers of errors stay")
	for _, d := range data {
		require.Equal(t, execute(t, tricky, nil, d), execute(t, instrumented, profile.Funcs(), d))
	}
	// Positive control: a probe that prints is seen.
	loud := profile.Funcs()
	for name := range loud {
		loud[name] = func(int) string { return "!" }
	}
	require.NotEqual(t, execute(t, tricky, nil, data[0]), execute(t, instrumented, loud, data[0]))
}

func TestReportNamesWhatWasNotTaken(t *testing.T) {
	profile, instrumented := instrument(t, "{{ if .a }}1{{ else if .b }}2{{ end }}\n{{ range .list }}.{{ end }}\n{{ with .w }}{{ else }}-{{ end }}")
	require.Zero(t, profile.Report().Percent())
	execute(t, instrumented, profile.Funcs(), map[string]any{"b": true, "list": []int{1, 2}})
	report := profile.Report()
	var missed []string
	for _, branch := range report.Missed() {
		missed = append(missed, fmt.Sprintf("%s:%d %s", branch.Template, branch.Line, branch.Way))
	}
	require.Equal(t, []string{
		"t:1 if .a: yes", "t:1 if .a and every else if: no", "t:2 range .list: empty", "t:3 with .w: yes",
	}, missed)
	require.InDelta(t, 100*3.0/7, report.Percent(), 0.01)
	require.Contains(t, report.String(), "template branches taken: 3 of 7 (42.9 %)")
	require.Contains(t, report.String(), "t:2  never: range .list: empty")
}

// What is written out is never empty; what goes through a pipeline or comes from elsewhere may be.
func TestRangeOverWhatIsWrittenOut(t *testing.T) {
	for text, branches := range map[string]int{
		"{{ range list 1 2 }}{{ end }}":                          1,
		"{{- range $k, $v := dict \"a\" (.b | not) -}}{{ end }}": 1,
		"{{ range list }}{{ end }}":                              2,
		"{{ range list 1 | rest }}{{ end }}":                     2,
		"{{ range $x := listings 1 }}{{ else }}-{{ end }}":       2,
		"{{ range list 1 }}{{ else }}never{{ end }}":             2,
	} {
		profile, _ := instrument(t, text)
		require.Len(t, profile.Report(), branches, text)
	}
}

func TestReportIsCompleteAfterAllWays(t *testing.T) {
	profile, instrumented := instrument(t, tricky)
	for _, d := range data {
		execute(t, instrumented, profile.Funcs(), d)
	}
	require.Empty(t, profile.Report().Missed())
	require.InDelta(t, 100, profile.Report().Percent(), 0)
}

func TestProfileCountsConcurrentRenders(t *testing.T) {
	profile, instrumented := instrument(t, "{{ if .a }}{{ end }}")
	var renders sync.WaitGroup
	for range 8 {
		renders.Go(func() {
			for range 100 {
				execute(t, instrumented, profile.Funcs(), map[string]any{"a": true})
			}
		})
	}
	renders.Wait()
	require.Equal(t, uint64(800), profile.Report()[0].Hits)
	require.Zero(t, profile.Report()[1].Hits)
}

func TestInstrumentRefuses(t *testing.T) {
	_, err := coverage.Instrument(map[string][]byte{"t": []byte("{{ if }")})
	require.ErrorContains(t, err, "instrument t")
}
