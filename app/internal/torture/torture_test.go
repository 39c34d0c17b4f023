package torture_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

func TestShortFormByDefault(t *testing.T) {
	t.Setenv("TORTURE_FOR", "")
	t.Setenv("TORTURE_SEED", "")
	if d, long := torture.Budget(t); d != 0 || long {
		t.Errorf("Budget = %v, %v; want the short form", d, long)
	}
	if a, b := torture.Seed(t), torture.Seed(t); a != b {
		t.Errorf("Seed = %d, then %d; want the same each time", a, b)
	}
}

func TestEnvironmentMakesItLong(t *testing.T) {
	t.Setenv("TORTURE_FOR", "7m")
	t.Setenv("TORTURE_SEED", "42")
	if d, long := torture.Budget(t); d != 7*time.Minute || !long {
		t.Errorf("Budget = %v, %v; want 7m0s, true", d, long)
	}
	if seed := torture.Seed(t); seed != 42 {
		t.Errorf("Seed = %d, want 42", seed)
	}
}

func TestReportAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.jsonl")
	t.Setenv("TORTURE_REPORT", path)
	for _, what := range []string{"kill -9", "power cut"} {
		torture.Report(t, torture.Result{What: what, Rounds: 3, Acknowledged: 5, Control: "lost 2"})
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	want := `{"test":"TestReportAppends","seed":1,"what":"power cut","rounds":3,"acknowledged":5,"lost":0,"control":"lost 2"}`
	if len(lines) != 2 || lines[1] != want {
		t.Errorf("report = %s\nwant two lines, the second %s", got, want)
	}
}
