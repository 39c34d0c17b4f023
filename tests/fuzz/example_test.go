package fuzz_test

import (
	"fmt"
	"log"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
	"github.com/detection-api/detection-api/tests/fuzz"
)

const board = "../testdata/charts/notes-board"

// List what a misspelt key looks like at every level of a chart's schema, and which levels could not refuse one.
func Example() {
	loaded, err := chart.Load(board)
	if err != nil {
		log.Fatal(err)
	}
	fuzzed, err := fuzz.New(loaded, chart.Options{})
	if err != nil {
		log.Fatal(err)
	}
	documents, open, err := fuzzed.Misspellings()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(documents[0].Key, "misspelt as", documents[0].Wrong)
	fmt.Println("levels that take any key:", len(open))
	// Output:
	// autoscaling misspelt as autosaling
	// levels that take any key: 0
}

// The whole test of a chart.
func TestSecondChart(t *testing.T) {
	loaded, err := chart.Load(board)
	require.NoError(t, err)
	fuzzed, err := fuzz.New(loaded, chart.Options{})
	require.NoError(t, err)
	fuzzed.Narrow("podAnnotations", fuzz.Annotations())
	fuzzed.Run(t, fuzz.Options{Cases: 40, Seed: 1})
	require.Greater(t, fuzzed.Misspell(t), 50)
}
