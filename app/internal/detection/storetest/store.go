package storetest

import (
	"context"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// StoreUnderTest is a store of a test and a way to restart it.
type StoreUnderTest struct {
	detection.Store
	detection.Operations // of the same store
	detection.Catalogue  // of the same store
	// Restart closes the store and opens it again on the same data.
	Restart func()
}

// OpenStore makes an empty store whose leases follow now. It cleans up with t.Cleanup.
type OpenStore func(t *testing.T, now func() time.Time) *StoreUnderTest

const lease = 30 * time.Second

type storeTest func(*testing.T, *StoreUnderTest, *Clock)

func join(parts ...map[string]storeTest) map[string]storeTest {
	all := map[string]storeTest{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// RunStore runs the whole suite.
func RunStore(t *testing.T, open OpenStore) {
	for name, test := range join(operationTests, clockTests, catalogueTests, map[string]storeTest{
		"a record comes back as it was committed": testGet,
		"commit may be repeated":                  testIdempotent,
		"a bad record spoils its group":           testAtomic,
		"commit does not need delivery":           testNotOwed,
		"claims come in the order of acceptance":  testOrder,
		"claims page through":                     testPaging,
		"live owners keep their rows":             testLease,
		"a claimed row is the claimer's":          testAdoption,
		"a lease of nothing keeps nothing":        testNoLease,
		"release gives rows up at once":           testRelease,
		"acknowledged rows are gone":              testAcknowledge,
		"dead letters are counted":                testDeadLetter,
		"nothing is lost by a restart":            testRestart,
		"concurrent duplicates are one":           testDuplicates,
		"concurrent claims share":                 testConcurrentClaims,
		"empty calls do nothing":                  testEmpty,
		"nonsense is refused":                     testInvalid,
		"an ended context ends the wait":          testContext,
	}) {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			test(t, open(t, clock.Now), clock)
		})
	}
}

func testGet(t *testing.T, s *StoreUnderTest, _ *Clock) {
	want := Record(1, "pod-a")
	must(t, "commit", s.Commit(t.Context(), []detection.Record{want}))
	got, err := s.Get(t.Context(), ID(1))
	must(t, "get", err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Get = %+v, want %+v", got, want)
	}
	_, err = s.Get(t.Context(), ID(2))
	wants(t, "Get of an unknown id", err, detection.ErrNotFound)
	_, err = s.Get(t.Context(), "../a b?c=%2f#")
	wants(t, "Get of a strange id", err, detection.ErrNotFound)
}

func testIdempotent(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(1, 3, "pod-a")))
	changed := Record(2, "pod-b")
	changed.Detection.ObjectClass = "other"
	must(t, "commit again", s.Commit(t.Context(), []detection.Record{changed, Record(3, "pod-a"), Record(3, "pod-a")}))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 3, Outbox: 3})
	got, err := s.Get(t.Context(), ID(2))
	must(t, "get", err)
	equal(t, "object class of the first", got.Detection.ObjectClass, Record(2, "").Detection.ObjectClass)

	must(t, "acknowledge", s.Acknowledge(t.Context(), Deliveries(1, 4, detection.Delivered, clock.Now())))
	must(t, "commit after delivery", s.Commit(t.Context(), Records(1, 4, "pod-a")))
	equal(t, "stats after delivery", stats(t, s), detection.StoreStats{Detections: 3})
}

func testAtomic(t *testing.T, s *StoreUnderTest, _ *Clock) {
	bad := Record(2, "pod-a")
	bad.Detection.ID = ""
	err := s.Commit(t.Context(), []detection.Record{Record(1, "pod-a"), bad, Record(3, "pod-a")})
	equal(t, "code of a record without id", detection.CodeOf(err), detection.CodeInvalidField)
	equal(t, "stats", stats(t, s), detection.StoreStats{})
}

func testNotOwed(t *testing.T, s *StoreUnderTest, _ *Clock) {
	record := Record(1, "pod-a")
	record.Deliver = false
	must(t, "commit", s.Commit(t.Context(), []detection.Record{record}))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 1})
	equalIDs(t, "claimed", claim(t, s, "pod-a", "", 10), []string{})
}

func testOrder(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), []detection.Record{Record(5, "pod-a"), Record(3, ""), Record(4, "gone")}))
	must(t, "commit", s.Commit(t.Context(), []detection.Record{Record(1, "pod-a"), Record(2, "")}))
	equalIDs(t, "claimed", claim(t, s, "pod-a", "", 10), []string{ID(5), ID(3), ID(4), ID(1), ID(2)})
}

func testPaging(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 25, "pod-a")))
	must(t, "commit", s.Commit(t.Context(), Records(25, 50, "")))
	var all []detection.Record
	for after := ""; ; {
		page := claim(t, s, "pod-a", after, 7)
		all = append(all, page...)
		if len(page) < 7 {
			break
		}
		after = page[6].Detection.ID
	}
	equalIDs(t, "claimed in pages", all, IDs(0, 50))
	equalIDs(t, "claimed with limit 0", claim(t, s, "pod-a", "", 0), []string{})
}

func testLease(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	equalIDs(t, "claimed from a live owner", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(lease - time.Millisecond)
	equalIDs(t, "claimed just before the end", claim(t, s, "pod-b", "", 10), []string{})
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	clock.Advance(lease - time.Millisecond)
	equalIDs(t, "claimed after renewal", claim(t, s, "pod-b", "", 10), []string{})
	clock.Advance(time.Millisecond)
	equalIDs(t, "claimed at the end of the lease", claim(t, s, "pod-b", "", 10), IDs(0, 3))
}

func testAdoption(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 4, "gone")))
	must(t, "renew", s.Renew(t.Context(), "pod-b", lease))
	must(t, "renew", s.Renew(t.Context(), "pod-c", lease))
	adopted := claim(t, s, "pod-b", "", 3)
	equalIDs(t, "adopted", adopted, IDs(0, 3))
	equal(t, "owner of an adopted record", adopted[0].Owner, "pod-b")
	equal(t, "deliver of an adopted record", adopted[0].Deliver, true)
	equalIDs(t, "left for another", claim(t, s, "pod-c", "", 10), IDs(3, 4))
	equalIDs(t, "claimed again", claim(t, s, "pod-b", "", 10), IDs(0, 3))
	clock.Advance(lease)
	equalIDs(t, "claimed when both are gone", claim(t, s, "pod-d", "", 10), IDs(0, 4))
}

// testNoLease is a pod that is alive and lets others have its rows; it may have them back.
func testNoLease(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 4, "pod-a")))
	must(t, "renew for no time", s.Renew(t.Context(), "pod-a", 0))
	must(t, "renew", s.Renew(t.Context(), "pod-b", lease))
	equalIDs(t, "claimed", claim(t, s, "pod-b", "", 2), IDs(0, 2))
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	equalIDs(t, "claimed when it is back", claim(t, s, "pod-b", "", 10), IDs(0, 2))
	equalIDs(t, "claimed by the pod that is back", claim(t, s, "pod-a", "", 10), IDs(2, 4))
	must(t, "renew for no time", s.Renew(t.Context(), "pod-a", 0))
	s.Restart()
	equalIDs(t, "claimed after a restart", claim(t, s, "pod-c", "", 10), IDs(2, 4))
}

func testRelease(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "renew", s.Renew(t.Context(), "pod-b", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 2, "pod-a")))
	must(t, "commit", s.Commit(t.Context(), Records(2, 4, "pod-b")))
	must(t, "release", s.Release(t.Context(), "pod-a"))
	equalIDs(t, "claimed after release", claim(t, s, "pod-c", "", 10), IDs(0, 2))
	must(t, "commit after release", s.Commit(t.Context(), Records(4, 5, "pod-a")))
	equalIDs(t, "claimed what came late", claim(t, s, "pod-c", "", 10), []string{ID(0), ID(1), ID(4)})
}

func testAcknowledge(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 4, "pod-a")))
	done := append(Deliveries(1, 3, detection.Delivered, clock.Now()), Deliveries(77, 78, detection.Delivered, clock.Now())...)
	for range 2 {
		must(t, "acknowledge", s.Acknowledge(t.Context(), done))
		equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 2})
	}
	equalIDs(t, "still owed", claim(t, s, "pod-a", "", 10), []string{ID(0), ID(3)})
	equalIDs(t, "after one that is delivered", claim(t, s, "pod-a", ID(1), 10), []string{ID(3)})
}

func testDeadLetter(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	must(t, "acknowledge", s.Acknowledge(t.Context(), Deliveries(0, 2, detection.DeadLettered, clock.Now())))
	must(t, "acknowledge otherwise", s.Acknowledge(t.Context(), Deliveries(0, 1, detection.Delivered, clock.Now())))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 3, Outbox: 1, DeadLetters: 2})
	equalIDs(t, "still owed", claim(t, s, "pod-a", "", 10), IDs(2, 3))
}

func testRestart(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "commit", s.Commit(t.Context(), Records(0, 5, "pod-a")))
	must(t, "acknowledge", s.Acknowledge(t.Context(), Deliveries(0, 1, detection.Delivered, clock.Now())))
	must(t, "acknowledge", s.Acknowledge(t.Context(), Deliveries(1, 2, detection.DeadLettered, clock.Now())))
	s.Restart()
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 5, Outbox: 3, DeadLetters: 1})
	equalIDs(t, "claimed from a live owner", claim(t, s, "pod-b", "", 10), []string{})
	equalIDs(t, "claimed by itself", claim(t, s, "pod-a", "", 10), IDs(2, 5))
	must(t, "commit again", s.Commit(t.Context(), Records(0, 6, "pod-a")))
	equal(t, "stats after another commit", stats(t, s), detection.StoreStats{Detections: 6, Outbox: 4, DeadLetters: 1})
	clock.Advance(lease)
	equalIDs(t, "claimed at the end of the lease", claim(t, s, "pod-b", "", 10), IDs(2, 6))
}

func testDuplicates(t *testing.T, s *StoreUnderTest, _ *Clock) {
	const callers, records = 16, 40
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := range records {
				if err := s.Commit(t.Context(), Records(n, n+2, "pod-a")); err != nil {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	all.Wait()
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: records + 1, Outbox: records + 1})
	equal(t, "claimed", len(claim(t, s, "pod-a", "", 1000)), records+1)
}

func testConcurrentClaims(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 100, "")))
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		times = map[string]int{}
	)
	for _, owner := range []string{"pod-a", "pod-b", "pod-c", "pod-d"} {
		must(t, "renew", s.Renew(t.Context(), owner, lease))
		all.Go(func() {
			for after := ""; ; {
				page, err := s.Claim(t.Context(), owner, after, 5)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				if len(page) == 0 {
					return
				}
				after = page[len(page)-1].Detection.ID
				mu.Lock()
				for _, id := range ids(page) {
					times[id]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	equal(t, "claimed rows", len(times), 100)
	for id, n := range times {
		equal(t, "claims of "+id, n, 1)
	}
}

func testEmpty(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit nothing", s.Commit(t.Context(), nil))
	must(t, "acknowledge nothing", s.Acknowledge(t.Context(), nil))
	must(t, "release an unknown owner", s.Release(t.Context(), "nobody"))
	equalIDs(t, "claimed", claim(t, s, "pod-a", "", 10), []string{})
	equalIDs(t, "claimed after an unknown id", claim(t, s, "pod-a", ID(9), 10), []string{})
	equal(t, "stats", stats(t, s), detection.StoreStats{})
}

func testInvalid(t *testing.T, s *StoreUnderTest, clock *Clock) {
	_, err := s.Claim(t.Context(), "", "", 1)
	equal(t, "claim by nobody", detection.CodeOf(err), detection.CodeInvalidField)
	err = s.Renew(t.Context(), "", lease)
	equal(t, "renewal of nobody", detection.CodeOf(err), detection.CodeInvalidField)
	err = s.Acknowledge(t.Context(), Deliveries(0, 1, "shrugged", clock.Now()))
	equal(t, "unknown outcome", detection.CodeOf(err), detection.CodeInvalidField)

	must(t, "commit", s.Commit(t.Context(), Records(0, 1, "pod-a")))
	must(t, "supersede", s.Acknowledge(t.Context(), Deliveries(0, 1, detection.Superseded, clock.Now())))
	equal(t, "stats of what is superseded", stats(t, s), detection.StoreStats{Detections: 1})
	must(t, "commit", s.Commit(t.Context(), Records(1, 2, "pod-a")))
	must(t, "expire", s.Acknowledge(t.Context(), Deliveries(1, 2, detection.Expired, clock.Now())))
	equal(t, "stats of what has expired", stats(t, s), detection.StoreStats{Detections: 2})
}

func testContext(t *testing.T, s *StoreUnderTest, _ *Clock) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wants(t, "commit", s.Commit(ctx, Records(0, 1, "pod-a")), detection.ErrUnavailable)
	wants(t, "commit", s.Commit(ctx, Records(0, 1, "pod-a")), context.Canceled)
	_, err := s.Get(ctx, ID(0))
	wants(t, "get", err, detection.ErrUnavailable)
	must(t, "commit with a live context", s.Commit(t.Context(), Records(0, 1, "pod-a")))
}

func stats(t *testing.T, s detection.Store) detection.StoreStats {
	t.Helper()
	got, err := s.Stats(t.Context())
	must(t, "stats", err)
	return got
}

func claim(t *testing.T, s detection.Store, owner, after string, limit int) []detection.Record {
	t.Helper()
	got, err := s.Claim(t.Context(), owner, after, limit)
	must(t, "claim", err)
	return got
}
