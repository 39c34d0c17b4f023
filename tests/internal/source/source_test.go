package source_test

import (
	"os"
	"path/filepath"
	"testing"
	"text/template/parse"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/internal/source"
)

func TestParseFindsActions(t *testing.T) {
	text := "a {{- if eq .x \"}}\" -}}\nb{{ `}}` }}{{/* {{ if }} */}}{{- else if '}' }}c{{else}}d{{- end }}\n{{.iffy}}{{ end_of . }}"
	f, err := source.Parse("t", text)
	require.NoError(t, err)
	var got []string
	for _, a := range f.Actions {
		got = append(got, a.Keyword+"|"+f.Text[a.Start:a.End])
	}
	require.Equal(t, []string{
		"if|{{- if eq .x \"}}\" -}}", "|{{ `}}` }}", "|{{/* {{ if }} */}}", "else if|{{- else if '}' }}", "else|{{else}}",
		"end|{{- end }}", "|{{.iffy}}", "|{{ end_of . }}",
	}, got)
	require.True(t, f.Actions[0].TrimLeft)
	require.True(t, f.Actions[0].TrimRight)
	require.Equal(t, ` if eq .x "}}"`, f.Body(f.Actions[0]))
	require.False(t, f.Actions[1].TrimRight)
	require.True(t, f.Actions[2].Comment)
	require.Len(t, f.Blocks, 1)
	require.Len(t, f.Blocks[0].Arms, 3)
	require.True(t, f.Blocks[0].HasElse())
	require.Equal(t, "c", text[f.Blocks[0].Arms[1].Start:f.Blocks[0].Arms[1].End])
	require.Equal(t, 2, f.Line(f.Blocks[0].Close.Start))
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"{{ if .x }}", "{{ end }}", "{{ x", "{{ \"a }}"} {
		_, err := source.Parse("t", text)
		require.ErrorContains(t, err, "parse template", text)
	}
}

// The blocks that are found in the text of real charts are those that the parser of text/template found.
func TestParseAgreesWithTheParser(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../../charts/*/templates/*.*", "../../../charts/*/templates/tests/*", "../../testdata/charts/*/templates/*.*"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		f, err := source.Parse(file, string(text))
		require.NoError(t, err)
		want := map[string]int{}
		for name, tree := range f.Trees {
			if name != file {
				want["define"]++
			}
			count(tree.Root, want)
		}
		got := map[string]int{}
		for _, block := range f.Blocks {
			for _, arm := range block.Arms {
				if arm.Header.Keyword != "else" {
					got[arm.Header.Keyword[max(0, len(arm.Header.Keyword)-len(block.Keyword)):]]++
				}
			}
		}
		require.Equal(t, want, got, file)
	}
}

// count counts the control actions below a list.
func count(list *parse.ListNode, into map[string]int) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			into["if"]++
			count(n.List, into)
			count(n.ElseList, into)
		case *parse.WithNode:
			into["with"]++
			count(n.List, into)
			count(n.ElseList, into)
		case *parse.RangeNode:
			into["range"]++
			count(n.List, into)
			count(n.ElseList, into)
		}
	}
}
