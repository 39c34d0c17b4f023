package sqlite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
)

func found(t *testing.T, s *Store, q detection.Query) []string {
	t.Helper()
	entries, err := s.Find(t.Context(), q, 0, maxEntries)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Detection.ID)
	}
	return ids
}

func planOf(t *testing.T, s *Store, q statement) string {
	t.Helper()
	rows, err := s.file.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q.text, q.args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var (
			id, parent, unused int
			detail             string
		)
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	return strings.Join(plan, "\n")
}

// scansATable says that a plan reads all of a table; views of json_each and of other parts of the query are no tables.
func scansATable(plan string) bool {
	for line := range strings.SplitSeq(plan, "\n") {
		table, scan := strings.CutPrefix(line, "SCAN ")
		table, _, _ = strings.Cut(table, " ")
		if scan && slices.Contains([]string{"catalogue", "c", "blocks", "detections", "d", "audit", "a"}, table) {
			return true
		}
	}
	return false
}

func TestNoSearchReadsAllOfATable(t *testing.T) {
	s := openStore(t, StoreOptions{})
	at := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for name, q := range map[string]detection.Query{
		"nothing": {}, "class": {Class: "x"}, "camera": {Camera: "x"}, "flag": {Flag: "RED"}, "track": {Track: "x"},
		"from": {From: at}, "from and until": {From: at, Until: at}, "retracted": {Class: "x", Retracted: true},
		"area":                     {Within: &detection.Box{West: 1, South: 1, East: 2, North: 2}},
		"across the antimeridian":  {Within: &detection.Box{West: 179, South: 1, East: -179, North: 2}},
		"class in an area by time": {Class: "x", From: at, Within: &detection.Box{West: 1, South: 1, East: 2, North: 2}},
	} {
		what := searchOf(&q)
		blocks := ""
		if query, ok := what.candidates(1 << 40); ok {
			blocks = "[3,2,1]"
			if plan := planOf(t, s, query); scansATable(plan) {
				t.Errorf("%s: the blocks are found by\n%s", name, plan)
			}
		}
		if plan := planOf(t, s, what.entries(blocks, 1<<40, 10)); scansATable(plan) {
			t.Errorf("%s: the entries are found by\n%s", name, plan)
		}
	}
	for name, q := range map[string]statement{
		"trail":  {trailed, []any{"x", 10}},
		"follow": {followed, []any{1, 10}},
		"key":    {`SELECT d.id FROM catalogue c JOIN detections d USING (seq) WHERE c.key = CAST(? AS TEXT)`, []any{"x"}},
		"enter":  {insertCatalogue, make([]any, 12)},
	} {
		if plan := planOf(t, s, q); scansATable(plan) {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
	if plan := planOf(t, s, statement{`SELECT seq FROM catalogue c WHERE class = 'x'`, nil}); !scansATable(plan) { // positive control
		t.Errorf("a search without an index is not noticed:\n%s", plan)
	}
}

// TestWhatAnOlderReleaseWroteIsFound writes with the statements of the release before, which knows no catalogue, and removes
// with them.
func TestWhatAnOlderReleaseWroteIsFound(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, StoreOptions{Options: Options{Dir: dir}})
	commit(t, s, storetest.Records(0, 3, "pod-a")...)
	old := schemaOne{t: t, conn: s.file.writer.conn, head: s.ledger.head}
	for _, r := range storetest.Records(3, 6, "pod-a") {
		old.accept(r)
	}
	old.exec(`DELETE FROM outbox WHERE seq = 2`)
	old.exec(`DELETE FROM detections WHERE seq = 2`)
	old.append("", eventRemoved, "retention: 1 detections: 2")
	old.exec(`INSERT INTO removed VALUES (2, 2)`)
	old.exec(`UPDATE counts SET detections = 5, outbox = 5, bytes = (SELECT sum(octet_length(body)) FROM detections)`)
	if _, err := inspected(t, s); err != nil {
		t.Errorf("what the older release leaves: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, StoreOptions{Options: Options{Dir: dir}})
	want := []string{storetest.ID(5), storetest.ID(4), storetest.ID(3), storetest.ID(2), storetest.ID(0)}
	at := storetest.Record(0, "").Detection.Fix
	for name, q := range map[string]detection.Query{
		"all": {}, "by camera": {Camera: "cam-1"},
		"by area": {Within: &detection.Box{West: at.LonDeg, South: at.LatDeg, East: at.LonDeg, North: at.LatDeg}},
	} {
		if got := found(t, s, q); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, id := range want {
		if trail, err := s.Trail(t.Context(), id); err != nil || len(trail) != 1 || trail[0].Event != eventAccepted {
			t.Errorf("trail of %s = %+v, %v", id, trail, err)
		}
	}
	if _, err := inspected(t, s); err != nil {
		t.Error(err)
	}
}

func commit(t *testing.T, s *Store, records ...detection.Record) {
	t.Helper()
	if err := s.Commit(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// TestAWrongCatalogueIsFound is what an inspection says of a catalogue in which something else would be found.
func TestAWrongCatalogueIsFound(t *testing.T) {
	for _, c := range []struct{ name, change, want string }{
		{"another class", `UPDATE catalogue SET class = 'x' WHERE seq = 2`, "number 2 is not in the catalogue as it is"},
		{"another place", `UPDATE catalogue SET lat = lat + 1e-6 WHERE seq = 2`, "number 2 is not in the catalogue as it is"},
		{"another time", `UPDATE catalogue SET seen_at = seen_at + 1 WHERE seq = 2`, "number 2 is not in the catalogue as it is"},
		{"a key", `UPDATE catalogue SET key = 'x' WHERE seq = 2`, "number 2 is not in the catalogue as it is"},
		{"a row too few", `DELETE FROM catalogue WHERE seq = 2`, "number 2 is not in the catalogue as it is"},
		{"a row too many", `INSERT INTO catalogue (seq, seen_at) VALUES (99, 0); INSERT INTO catalogue (seq, seen_at) VALUES (0, 0)`, "which is no detection"},
		{"a block too few", `DELETE FROM blocks WHERE kind = 5`, "where it would be looked for"},
		{"another audit entry", `UPDATE catalogue SET accepted = 1 WHERE seq = 2`, "about the audit entry of number 2"},
		{"a retraction that was none", `UPDATE catalogue SET retracted_at = 5 WHERE seq = 2`, "about the retraction of number 2"},
		{"a retraction undone", `UPDATE catalogue SET retracted_at = NULL WHERE seq = 1`, "about the retraction of number 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t, StoreOptions{})
			commit(t, s, storetest.Records(0, 3, "")...)
			taken := storetest.Record(9, "")
			taken.Detection.Retracts = storetest.ID(0)
			commit(t, s, taken)
			if _, err := inspected(t, s); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			if _, err := shell(t, s.file.path).Exec(c.change); err != nil {
				t.Fatal(err)
			}
			if _, err := inspected(t, s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("inspected: %v, want %q", err, c.want)
			}
		})
	}
}

// TestPagesWhileRetentionRemoves pages through 1,500 detections of which retention removes the older ones meanwhile.
func TestPagesWhileRetentionRemoves(t *testing.T) {
	clock := storetest.NewClock()
	s := openStore(t, StoreOptions{Options: Options{Now: clock.Now}, Retention: Retention{MaxAge: 24 * time.Hour}})
	const all = 1500
	records := storetest.Records(0, all, "")
	for i := range records {
		records[i].Deliver = false
		if i >= all/2 {
			records[i].Detection.ReceivedAt = clock.Now().Add(48 * time.Hour)
		}
	}
	commit(t, s, records...)
	clock.Advance(48 * time.Hour)
	var got []string
	for before := int64(0); ; {
		page, err := s.Find(t.Context(), detection.Query{Camera: "cam-1"}, before, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, e.Detection.ID)
		}
		if len(page) < 100 {
			break
		}
		before = page[99].Seq
		if len(got) == 300 {
			if removed := swept(t, s); removed.Detections != all/2 {
				t.Fatalf("removed %+v", removed)
			}
		}
	}
	want := storetest.IDs(all/2, all)
	slices.Reverse(want)
	if !slices.Equal(got, want) {
		t.Errorf("pages have %d, want the %d that stay", len(got), len(want))
	}
	if _, err := inspected(t, s); err != nil {
		t.Error(err)
	}
}

// TestARetractionGoesAfterItsTarget removes by age a retraction that is older than what it takes back.
func TestARetractionGoesAfterItsTarget(t *testing.T) {
	clock := storetest.NewClock()
	s := openStore(t, StoreOptions{Options: Options{Now: clock.Now}, Retention: Retention{MaxAge: 24 * time.Hour}})
	taken, target, newest := storetest.Record(0, ""), storetest.Record(1, ""), storetest.Record(2, "")
	taken.Detection.Retracts = target.Detection.ID
	target.Detection.ReceivedAt = clock.Now().Add(time.Hour) // it waited in a queue
	for _, r := range []*detection.Record{&taken, &target, &newest} {
		r.Deliver = false
	}
	commit(t, s, taken, target, newest)
	for _, step := range []struct {
		after time.Duration
		want  int64 // removed
	}{{24*time.Hour + time.Minute, 0}, {time.Hour, 1}, {0, 1}} {
		clock.Advance(step.after)
		if got := swept(t, s); got.Detections != step.want {
			t.Errorf("after %v: removed %d, want %d", step.after, got.Detections, step.want)
		}
		if got := fmt.Sprint(found(t, s, detection.Query{})); got != fmt.Sprint([]string{newest.Detection.ID}) {
			t.Errorf("after %v: found %s", step.after, got)
		}
	}
}

// TestStrangeTextsAreFound commits texts that JSON writes otherwise than they are, and holds the catalogue against the JSON.
func TestStrangeTextsAreFound(t *testing.T) {
	s := openStore(t, StoreOptions{})
	for n, strange := range []string{"\x00", "a\x00b", "\x1f\x7f", "<&>\u2028", "\"\\/", "\U0001F681", "\xff\xfe", "a\xf0\x9f", "\ufffd", "é", "1e5", "null", " "} {
		r := storetest.Record(n, "")
		r.Detection.ObjectClass, r.Detection.CameraID = strange, "cam "+strange
		r.Detection.Track = &detection.Track{ID: "track " + strange}
		r.Detection.IdempotencyKey = "key " + strange + fmt.Sprint(n)
		commit(t, s, r)
		for _, q := range []detection.Query{{Class: strange}, {Camera: "cam " + strange}, {Track: "track " + strange}} {
			if got := found(t, s, q); !slices.Contains(got, storetest.ID(n)) {
				t.Errorf("%+q is not found: %q", strange, got)
			}
		}
		if _, err := inspected(t, s); err != nil {
			t.Fatalf("%+q: %v", strange, err)
		}
	}
}

// TestManyPositions holds that numbers which SQLite reads from JSON are those that Go wrote.
func TestManyPositions(t *testing.T) {
	s := openStore(t, StoreOptions{})
	random := rand.New(rand.NewPCG(8, 8))
	records := storetest.Records(0, 3000, "")
	for i := range records {
		fix := &records[i].Detection.Fix
		fix.LatDeg, fix.LonDeg = random.Float64()*180-90, random.Float64()*360-180
		if i%3 == 0 { // on the edges of cells
			fix.LatDeg, fix.LonDeg = math.Round(fix.LatDeg*100)/100, math.Round(fix.LonDeg*100)/100
		}
		records[i].Detection.SeenAt = time.UnixMicro(random.Int64N(1<<52) - 1<<51).UTC()
	}
	commit(t, s, records...)
	if _, err := inspected(t, s); err != nil {
		t.Error(err)
	}
	for i := range 100 {
		d := &records[i*30].Detection
		q := detection.Query{From: d.SeenAt, Until: d.SeenAt, Within: &detection.Box{
			West: d.Fix.LonDeg, South: d.Fix.LatDeg, East: d.Fix.LonDeg, North: d.Fix.LatDeg,
		}}
		if got := found(t, s, q); !slices.Equal(got, []string{d.ID}) {
			t.Errorf("at %v, %v and %v: %q", d.Fix.LatDeg, d.Fix.LonDeg, d.SeenAt, got)
		}
	}
}
