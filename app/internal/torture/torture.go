// Package torture says how long endurance tests run, and collects what they report. Only tests use it.
//
// An endurance test is an ordinary test that calls Budget. By default it does a few rounds, so that `go test` takes seconds.
// `make torture` finds these tests and gives each of them minutes, one after the other, through the environment:
//
//	TORTURE_FOR     how long each test goes on, a duration such as 10m
//	TORTURE_SEED    where its random numbers start
//	TORTURE_REPORT  the file that each Result is appended to, a line of JSON each
package torture

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"
)

// defaultSeed makes the short form the same each time.
const defaultSeed = 1

// Result is what an endurance test has seen.
type Result struct {
	// What was done, in a few words.
	What string `json:"what"`
	// Rounds is how often.
	Rounds int `json:"rounds"`
	// Acknowledged and Lost count detections; Lost is 0 or the test has failed.
	Acknowledged int `json:"acknowledged"`
	Lost         int `json:"lost"`
	// Control is what the same test found where something was broken on purpose.
	Control string `json:"control"`
	// Notes is what else a reader should know.
	Notes string `json:"notes,omitempty"`
}

// line is a Result in the report.
type line struct {
	Test string `json:"test"`
	Seed uint64 `json:"seed"`
	Result
}

// Budget returns how long the test is to go on, and whether it runs at length at all. In the short form it is 0 and the
// test does a fixed number of rounds.
func Budget(t testing.TB) (d time.Duration, long bool) {
	t.Helper()
	text := os.Getenv("TORTURE_FOR")
	if text == "" {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TORTURE_FOR: %v", err)
	}
	return d, true
}

// Seed returns where the test's random numbers start. It is told when the test fails, to be set again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(defaultSeed)
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TORTURE_SEED: %v", err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with TORTURE_SEED=%d", seed)
		}
	})
	return seed
}

// Report logs the result and appends it to the report, if there is one.
func Report(t testing.TB, r Result) {
	t.Helper()
	t.Logf("%s: %d rounds, %d acknowledged, %d lost; control: %s %s", r.What, r.Rounds, r.Acknowledged, r.Lost, r.Control, r.Notes)
	path := os.Getenv("TORTURE_REPORT")
	if path == "" {
		return
	}
	if err := appendLine(path, line{Test: t.Name(), Seed: Seed(t), Result: r}); err != nil {
		t.Errorf("report: %v", err)
	}
}

func appendLine(path string, l line) error {
	encoded, err := json.Marshal(l)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := file.Write(append(encoded, '\n')); err != nil {
		_ = file.Close() // the first error says more
		return err
	}
	return file.Close()
}
