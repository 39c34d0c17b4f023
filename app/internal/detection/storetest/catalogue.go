package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
)

var catalogueTests = map[string]storeTest{
	"an area is found to its edges":            testAreas,
	"a query finds what it describes":          testQueries,
	"nonsensical queries are refused":          testBadQueries,
	"pages have neither gaps nor doubles":      testFindPages,
	"limits bound what is found":               testFindLimits,
	"the record is followed in order":          testFollow,
	"a follower waits no longer than it asked": testFollowWait,
	"a follower is woken by a commit":          testFollowWakes,
	"a follower misses nothing":                testFollowAll,
	"a detection has a trail":                  testTrail,
	"a repeat is told":                         testRepeats,
	"an idempotency key is used once":          testKeys,
	"concurrent callers are told their own":    testConcurrentRepeats,
	"a retraction marks its target":            testRetraction,
	"a retraction may come first":              testEarlyRetraction,
	"what is taken back is not handed out":     testWithdrawn,
	"retractions and keys outlive a restart":   testCatalogueRestart,
}

// placed is the n-th detection of a test at a position.
func placed(n int, latDeg, lonDeg float64) detection.Record {
	r := Record(n, "pod-a")
	r.Detection.Fix.LatDeg, r.Detection.Fix.LonDeg = latDeg, lonDeg
	return r
}

func box(west, south, east, north float64) *detection.Box {
	return &detection.Box{West: west, South: south, East: east, North: north}
}

func find(t *testing.T, s *StoreUnderTest, q detection.Query, before int64, limit int) []detection.Entry {
	t.Helper()
	got, err := s.Find(t.Context(), q, before, limit)
	must(t, "find", err)
	return got
}

func entryIDs(entries []detection.Entry) []string {
	out := []string{}
	for i := range entries {
		out = append(out, entries[i].Detection.ID)
	}
	return out
}

func testAreas(t *testing.T, s *StoreUnderTest, _ *Clock) {
	points := [][2]float64{ // latitude, longitude
		{48.2, 16.3},
		{48.3, 16.4},
		{-33.9, 151.2},
		{0, 179.995},
		{0, -179.995},
		{0, 180},
		{0, -180},
		{90, 0},
		{89.9999, -120},
		{-90, 77},
		{-89.9999, 0},
		{0, 0},
		{-0.001, -0.001},
	}
	for n, p := range points {
		must(t, "commit", s.Commit(t.Context(), []detection.Record{placed(n, p[0], p[1])}))
	}
	for _, c := range []struct {
		name string
		box  *detection.Box // west, south, east, north
		want []int          // the newest first
	}{
		{"everything", box(-180, -90, 180, 90), []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"one point, by its coordinates", box(16.3, 48.2, 16.3, 48.2), []int{0}},
		{"edges are inside", box(16.3, 48.2, 16.4, 48.3), []int{1, 0}},
		{"beside a point in the same cell", box(16.3000001, 48.2, 16.309, 48.209), nil},
		{"across the antimeridian", box(179.9, -1, -179.9, 1), []int{6, 5, 4, 3}},
		{"all but a slit", box(16.35, -90, 16.345, 90), []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"all but a wider slit", box(16.35, -90, 16.25, 90), []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"to the antimeridian from the west", box(179.99, -1, 180, 1), []int{6, 5, 3}},
		{"to the antimeridian from the east", box(-180, -1, -179.99, 1), []int{6, 5, 4}},
		{"not as far as the antimeridian", box(179.9, -1, 179.999, 1), []int{3}},
		{"the north pole", box(-180, 89, 180, 90), []int{8, 7}},
		{"the south pole", box(-180, -90, 180, -89.99995), []int{9}},
		{"south and west of the origin", box(-1, -1, -0.0001, -0.0001), []int{12}},
		{"at the origin", box(0, 0, 0, 0), []int{11}},
	} {
		want := []string{}
		for _, n := range c.want {
			want = append(want, ID(n))
		}
		if got := entryIDs(find(t, s, detection.Query{Within: c.box}, 0, 100)); !slices.Equal(got, want) {
			t.Errorf("%s: found %q, want %q", c.name, got, want)
		}
	}
}

// varied makes records that differ in all that a query may ask for: more than one block of an index, with rare values.
func varied(random *rand.Rand, count int) []detection.Record {
	records := make([]detection.Record, count)
	for n := range records {
		r := placed(n, 48+random.Float64()*0.1, 16+random.Float64()*0.1)
		d := &r.Detection
		d.SeenAt = d.SeenAt.Add(time.Duration(random.IntN(200)-100) * time.Minute)
		d.ObjectClass = []string{"vehicle", "person", "vehicle"}[random.IntN(3)]
		if n%700 == 0 {
			d.ObjectClass = "bôat"
		}
		d.CameraID = fmt.Sprintf("cam-%d", random.IntN(20)*(n/500))
		d.Fix.Flag = []geo.Flag{geo.Green, geo.Yellow, geo.Red}[random.IntN(3)]
		if random.IntN(2) == 0 {
			d.Track = &detection.Track{ID: ID(n / 100 * 100), Detections: 2}
		}
		records[n] = r
	}
	return records
}

// selects is what Query means, without an index.
func selects(q *detection.Query, d *detection.Detection) bool {
	if b := q.Within; b != nil {
		if d.Fix.LatDeg < b.South || d.Fix.LatDeg > b.North || d.Fix.LonDeg < b.West || d.Fix.LonDeg > b.East {
			return false
		}
	}
	return (q.From.IsZero() || !d.SeenAt.Before(q.From)) && (q.Until.IsZero() || !d.SeenAt.After(q.Until)) &&
		(q.Class == "" || q.Class == d.ObjectClass) && (q.Camera == "" || q.Camera == d.CameraID) &&
		(q.Flag == "" || q.Flag == d.Fix.Flag) && (q.Track == "" || d.Track != nil && q.Track == d.Track.ID)
}

// randomQuery asks for some of what one of the records has.
func randomQuery(random *rand.Rand, records []detection.Record) detection.Query {
	like := &records[random.IntN(len(records))].Detection
	var q detection.Query
	some := func() bool { return random.IntN(3) == 0 }
	if some() {
		size := random.Float64() * 0.05
		q.Within = box(like.Fix.LonDeg-size, like.Fix.LatDeg-size, like.Fix.LonDeg+size, like.Fix.LatDeg+size)
	}
	if some() {
		q.From = like.SeenAt
	}
	if some() {
		q.Until = like.SeenAt.Add(time.Duration(random.IntN(60)) * time.Minute)
	}
	if some() {
		q.Class = like.ObjectClass
	}
	if some() {
		q.Camera = like.CameraID
	}
	if some() {
		q.Flag = like.Fix.Flag
	}
	if some() && like.Track != nil {
		q.Track = like.Track.ID
	}
	return q
}

// testQueries holds random queries against a search without an index, page by page.
func testQueries(t *testing.T, s *StoreUnderTest, _ *Clock) {
	random := rand.New(rand.NewPCG(5, 0))
	records := varied(random, 2500)
	for batch := range slices.Chunk(records, 500) {
		must(t, "commit", s.Commit(t.Context(), batch))
	}
	some := 0
	for range 150 {
		q := randomQuery(random, records)
		want := []string{}
		for _, r := range slices.Backward(records) {
			if selects(&q, &r.Detection) {
				want = append(want, r.Detection.ID)
			}
		}
		if len(want) > 0 && len(want) < len(records)/2 {
			some++
		}
		limit := 1 + random.IntN(400)
		got := []string{}
		for before := int64(0); ; {
			page := find(t, s, q, before, limit)
			if got = append(got, entryIDs(page)...); len(page) < limit {
				break
			}
			before = page[len(page)-1].Seq
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: found %d, want %d", q, len(got), len(want))
		}
	}
	if some < 50 {
		t.Errorf("only %d queries found some and not most", some)
	}
}

func testBadQueries(t *testing.T, s *StoreUnderTest, clock *Clock) {
	for _, q := range []detection.Query{
		{Within: box(0, 10, 1, 9)},
		{Within: box(-181, 0, 1, 1)},
		{Within: box(0, 0, 1, 91)},
		{From: clock.Now(), Until: clock.Now().Add(-time.Second)},
	} {
		_, err := s.Find(t.Context(), q, 0, 1)
		equal(t, "code", detection.CodeOf(err), detection.CodeInvalidField)
	}
}

// testFindPages pages through while others commit.
func testFindPages(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 100, "")))
	got := []string{}
	for before, n := int64(0), 100; ; n += 5 {
		page := find(t, s, detection.Query{Camera: "cam-1"}, before, 7)
		got = append(got, entryIDs(page)...)
		if len(page) < 7 {
			break
		}
		before = page[6].Seq
		must(t, "commit meanwhile", s.Commit(t.Context(), Records(n, n+5, "")))
	}
	want := IDs(0, 100)
	slices.Reverse(want)
	if !slices.Equal(got, want) {
		t.Errorf("pages have %q", got)
	}
}

func testFindLimits(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 10, "")))
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, 9: 9, 10: 10, 11: 10, 1 << 40: 10} {
		equal(t, fmt.Sprintf("found with limit %d", limit), len(find(t, s, detection.Query{}, 0, limit)), want)
		followed, err := s.Follow(t.Context(), 0, limit, 0)
		must(t, "follow", err)
		equal(t, fmt.Sprintf("followed with limit %d", limit), len(followed), want)
	}
	equal(t, "found before the first", len(find(t, s, detection.Query{}, 1, 5)), 0)
	equal(t, "the newest of all", find(t, s, detection.Query{}, 1<<62, 1)[0].Detection.ID, ID(9))
}

func testFollow(t *testing.T, s *StoreUnderTest, _ *Clock) {
	last, err := s.Last(t.Context())
	must(t, "last of nothing", err)
	equal(t, "last of nothing", last, 0)
	must(t, "commit", s.Commit(t.Context(), Records(0, 25, "pod-a")))
	got, after := []string{}, int64(0)
	for {
		page, err := s.Follow(t.Context(), after, 10, 0)
		must(t, "follow", err)
		if len(page) == 0 {
			break
		}
		if !slices.IsSortedFunc(page, func(a, b detection.Entry) int { return cmp.Compare(a.Seq, b.Seq) }) || page[0].Seq <= after {
			t.Errorf("page after %d is out of order", after)
		}
		got, after = append(got, entryIDs(page)...), page[len(page)-1].Seq
	}
	if !slices.Equal(got, IDs(0, 25)) {
		t.Errorf("followed %q", got)
	}
	last, err = s.Last(t.Context())
	must(t, "last", err)
	equal(t, "last", last, after)
}

func testFollowWait(t *testing.T, s *StoreUnderTest, _ *Clock) {
	for _, wait := range []time.Duration{0, -time.Second, 50 * time.Millisecond} {
		began := time.Now()
		got, err := s.Follow(t.Context(), 0, 10, wait)
		must(t, "follow", err)
		if took := time.Since(began); len(got) > 0 || took < wait-time.Millisecond || took > wait+5*time.Second {
			t.Errorf("Follow for %v returned %d after %v", wait, len(got), took)
		}
	}
}

// testFollowWakes commits while somebody waits for far longer than the test may take.
func testFollowWakes(t *testing.T, s *StoreUnderTest, _ *Clock) {
	began, after := time.Now(), int64(0)
	for n := range 20 {
		woken := make(chan []detection.Entry, 1)
		go func() {
			got, err := s.Follow(t.Context(), after, 10, time.Hour)
			if err != nil {
				t.Errorf("follow: %v", err)
			}
			woken <- got
		}()
		must(t, "commit", s.Commit(t.Context(), Records(n, n+1, "")))
		got := <-woken
		if len(got) != 1 || got[0].Detection.ID != ID(n) {
			t.Fatalf("woken by %q, want %s", entryIDs(got), ID(n))
		}
		after = got[0].Seq
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("20 commits were seen after %v", took)
	}
}

// testFollowAll follows while many commit, and sees each once, in order.
func testFollowAll(t *testing.T, s *StoreUnderTest, _ *Clock) {
	const callers, each = 16, 25
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for n := range each {
				if err := s.Commit(t.Context(), Records(c*each+n, c*each+n+1, "")); err != nil {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	seen, after := map[string]int{}, int64(0)
	for len(seen) < callers*each && !t.Failed() {
		page, err := s.Follow(t.Context(), after, 7, 10*time.Second)
		must(t, "follow", err)
		for _, e := range page {
			seen[e.Detection.ID]++
			equal(t, "position", e.Seq, after+1)
			after = e.Seq
		}
		if len(page) == 0 {
			t.Errorf("nothing more after %d", after)
		}
	}
	all.Wait()
	equal(t, "seen", len(seen), callers*each)
}

func events(t *testing.T, s *StoreUnderTest, id string) string {
	t.Helper()
	entries, err := s.Trail(t.Context(), id)
	must(t, "trail", err)
	var names []string
	for i, e := range entries {
		equal(t, "id of an entry", e.DetectionID, id)
		if i > 0 && e.Seq <= entries[i-1].Seq {
			t.Errorf("the trail of %s is out of order", id)
		}
		names = append(names, e.Event)
	}
	return strings.Join(names, " ")
}

func testTrail(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 5, 2)
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(2, 4, detection.Delivered, clock.Now())))
	_, err := s.Redrive(t.Context(), IDs(1, 2), order)
	must(t, "redrive", err)
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(1, 2, detection.Delivered, clock.Now())))
	equal(t, "a dead letter", events(t, s, ID(0)), "accepted dead_letter")
	equal(t, "a redriven one", events(t, s, ID(1)), "accepted dead_letter redriven delivered")
	equal(t, "a delivered one", events(t, s, ID(3)), "accepted delivered")
	equal(t, "one that is owed", events(t, s, ID(4)), "accepted")
	trail, err := s.Trail(t.Context(), ID(3))
	must(t, "trail", err)
	whole, err := s.Audit(t.Context(), 0, 100)
	must(t, "audit", err)
	for _, e := range trail {
		equal(t, "entry of the whole trail", whole[e.Seq-1], e)
	}
	for _, unknown := range []string{ID(9), "", "accepted"} {
		_, err = s.Trail(t.Context(), unknown)
		wants(t, "trail of an unknown id", err, detection.ErrNotFound)
	}
}
