// Package fuzz draws values documents from a chart's values.schema.json and checks what the chart makes of them.
//
// A document is an overlay, as a user writes one: it is laid over the chart's defaults. Most documents change a few values,
// the others many. Every document satisfies the schema, so the chart must either render it or refuse it by one line that
// names the value to change; a nil pointer, a wrong type or broken YAML in a template is a failure. A failing document is
// shrunk, written to a file, and tried first in the next run.
//
//	func TestValues(t *testing.T) {
//		mine, err := chart.Load("../../charts/mine")
//		require.NoError(t, err)
//		fuzzed, err := fuzz.New(mine, chart.Options{})
//		require.NoError(t, err)
//		fuzzed.Run(t, fuzz.Options{Cases: 300})
//	}
//
// A Property takes a document and returns an error when the chart did wrong, so further checks of the rendered objects, such
// as a server-side dry run against an API server, fit in the same way.
//
// Misspellings lists, for every key of the schema, documents in which that key is misspelt: each must be refused.
package fuzz
