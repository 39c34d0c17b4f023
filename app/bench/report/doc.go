// Package report writes what was measured: as JSON for programs, as a Markdown table between markers of a document, and as
// SVG plots.
package report
