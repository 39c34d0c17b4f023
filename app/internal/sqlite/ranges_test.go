package sqlite

import "testing"

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
