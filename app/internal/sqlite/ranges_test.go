package sqlite

import (
	"errors"
	"testing"

	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

func TestSpans(t *testing.T) {
	var set spans
	for _, n := range []int64{7, 8, 9, 1, 2, 4} {
		set.add(n)
	}
	set, err := set.normal()
	if err != nil || set.String() != "1-2,4,7-9" {
		t.Fatalf("normal = %v, %v", set, err)
	}
	if got, err := parseSpans(set.String()); err != nil || got.String() != set.String() {
		t.Errorf("parsed = %v, %v", got, err)
	}
	if got := set.above(7).String(); got != "8-9" {
		t.Errorf("above 7 = %s", got)
	}
	for other, want := range map[string]int64{
		"1-9": 0, "1-2,4,7-9": 0, "2-9": 1, "1-2,4,7-8": 9, "1-2,7-9": 4, "1,4-9": 2, "1-4": 7, "10": 1,
	} {
		than, err := parseSpans(other)
		if err != nil {
			t.Fatal(err)
		}
		if n, found := set.without(than); n != want || found != (want > 0) {
			t.Errorf("without %s = %d, %v; want %d", other, n, found, want)
		}
	}
	for _, bad := range []string{"", "x", "1-", "2-1", "0", "1,,2", "1-2-3"} {
		if got, err := parseSpans(bad); err == nil {
			t.Errorf("parsed %q as %v", bad, got)
		}
	}
	if _, err := (spans{{1, 3}, {3, 4}}).normal(); err == nil {
		t.Error("a number was taken twice")
	}
}

// TestNumbersHaveNoGaps holds what the walk through the audit trail relies on: repeated records and transactions that fail
// take no number, and neither does what follows a restart.
func TestNumbersHaveNoGaps(t *testing.T) {
	opts := StoreOptions{Options: Options{Dir: t.TempDir()}}
	s := openStore(t, opts)
	for n := range 30 {
		if err := s.Commit(t.Context(), storetest.Records(max(0, n-3), n+1, "pod-a")); err != nil {
			t.Fatal(err)
		}
		failed := s.change(t.Context(), "fail", func() error {
			rows, _, err := encode(storetest.Records(1000+n, 1002+n, "pod-a"))
			return errors.Join(err, s.ledger.insert(&rows[0], 1), s.ledger.insert(&rows[1], 1), errors.New("no"))
		})
		if failed == nil {
			t.Fatal("the transaction was committed")
		}
		if n%10 == 9 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, opts)
		}
	}
	if got := numbers(t, shell(t, s.file.path)).String(); got != "1-30" {
		t.Errorf("numbers %s", got)
	}
	if c, err := inspected(t, s); err != nil || c.AuditEntries != 30 {
		t.Errorf("inspected: %+v, %v", c, err)
	}
}
