package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

var operationTests = map[string]storeTest{
	"dead letters page through":                testLetterPages,
	"a redriven dead letter is owed again":     testRedrive,
	"a redriven dead letter keeps its place":   testRedrivePlace,
	"a purged dead letter stays in the record": testPurge,
	"an order is settled once":                 testConcurrentOrders,
	"an order needs a name and a reason":       testOrderChecked,
	"operations outlive a restart":             testOperationsRestart,
	"the audit trail tells everything":         testAudit,
	"only an outcome takes a row off":          testNothingElseRemoves,
	"a camera's order outlives a hand-over":    testCameraOrder,
}

var order = detection.Order{Operator: "alice@example.net", Reason: "the encoder was mended"}

// letters commits records of pod-a from 0 to n-1 and makes dead letters of the first dead.
func letters(t *testing.T, s *StoreUnderTest, clock *Clock, n, dead int) {
	t.Helper()
	must(t, "commit", s.Commit(t.Context(), Records(0, n, "pod-a")))
	must(t, "acknowledge", s.Acknowledge(t.Context(), Deliveries(0, dead, detection.DeadLettered, clock.Now())))
}

func listed(t *testing.T, s *StoreUnderTest, after string, limit int) (ids []string) {
	t.Helper()
	page, err := s.DeadLetters(t.Context(), after, limit)
	must(t, "list dead letters", err)
	for _, letter := range page {
		ids = append(ids, letter.ID)
	}
	return ids
}

func testLetterPages(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 30, 25)
	page, err := s.DeadLetters(t.Context(), "", 1)
	must(t, "list", err)
	want := detection.DeadLetter{ID: ID(0), ReceivedAt: Record(0, "").Detection.ReceivedAt, At: clock.Now(), Reason: "cannot be encoded"}
	if len(page) != 1 || page[0] != want {
		t.Errorf("first dead letter = %+v, want %+v", page, want)
	}
	var all []string
	for after := ""; ; after = all[len(all)-1] {
		ids := listed(t, s, after, 10)
		if all = append(all, ids...); len(ids) < 10 {
			break
		}
		_, err := s.Purge(t.Context(), ids, order) // the next page starts after what is gone
		must(t, "purge", err)
	}
	if !slices.Equal(all, IDs(0, 25)) {
		t.Errorf("dead letters in pages = %q", all)
	}
	equal(t, "with limit 0", len(listed(t, s, "", 0)), 0)
}

func testRedrive(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 4, 3)
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "renew", s.Renew(t.Context(), "pod-b", lease))
	for _, want := range []int{2, 0} { // an order may be repeated
		n, err := s.Redrive(t.Context(), []string{ID(0), ID(2), ID(3), ID(99)}, order)
		must(t, "redrive", err)
		equal(t, "redriven", n, want)
		equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 3, DeadLetters: 1})
	}
	equalIDs(t, "claimed by another pod", claim(t, s, "pod-b", "", 10), []string{ID(0), ID(2)})
	equalIDs(t, "still the first pod's", claim(t, s, "pod-a", "", 10), IDs(3, 4))
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(0, 1, detection.Delivered, clock.Now())))
	must(t, "give up again", s.Acknowledge(t.Context(), Deliveries(2, 3, detection.DeadLettered, clock.Now())))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 1, DeadLetters: 2})
	if got := listed(t, s, "", 10); !slices.Equal(got, IDs(1, 3)) {
		t.Errorf("dead letters = %q", got)
	}
}

func testRedrivePlace(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 6, "")))
	must(t, "give up", s.Acknowledge(t.Context(), Deliveries(2, 3, detection.DeadLettered, clock.Now())))
	_, err := s.Redrive(t.Context(), IDs(2, 3), order)
	must(t, "redrive", err)
	claimed, err := s.Claim(t.Context(), "pod-b", "", 10)
	must(t, "claim", err)
	equal(t, "claimed", len(claimed), 6)
	for i := range claimed {
		equal(t, "id", claimed[i].Detection.ID, ID(i))
		equal(t, "redriven "+ID(i), claimed[i].Redriven, i == 2)
	}
}

func testPurge(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 4, 2)
	for _, want := range []int{1, 0} {
		n, err := s.Purge(t.Context(), []string{ID(1), ID(3), ID(99)}, order)
		must(t, "purge", err)
		equal(t, "purged", n, want)
		equal(t, "stats: what is owed is not purged", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 2, DeadLetters: 1})
	}
	_, err := s.Get(t.Context(), ID(1))
	must(t, "get what was purged", err)
	n, err := s.Redrive(t.Context(), IDs(1, 2), order)
	must(t, "redrive what was purged", err)
	equal(t, "redriven", n, 0)
}

// testConcurrentOrders holds that of many orders about one dead letter, repeated ones and contrary ones, one is done.
func testConcurrentOrders(t *testing.T, s *StoreUnderTest, clock *Clock) {
	const n = 40
	letters(t, s, clock, n, n)
	var (
		all              sync.WaitGroup
		mu               sync.Mutex
		redriven, purged int
	)
	for i := range 8 {
		all.Go(func() {
			run, count := s.Redrive, &redriven
			if i%2 == 0 {
				run, count = s.Purge, &purged
			}
			for _, id := range IDs(0, n) {
				done, err := run(t.Context(), []string{id, id}, order)
				if err != nil {
					t.Errorf("order: %v", err)
				}
				mu.Lock()
				*count += done
				mu.Unlock()
			}
		})
	}
	all.Wait()
	equal(t, "settled", redriven+purged, n)
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: n, Outbox: int64(redriven)})
	equal(t, "claimed", len(claim(t, s, "pod-b", "", 2*n)), redriven)
}

func testOrderChecked(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 1, 1)
	for _, bad := range []detection.Order{
		{},
		{Operator: "alice"},
		{Reason: "why not"},
		{Operator: " ", Reason: "x"},
		{Operator: "alice\nbob", Reason: "x"},
		{Operator: "alice", Reason: strings.Repeat("x", 501)},
	} {
		_, err := s.Redrive(t.Context(), IDs(0, 1), bad)
		equal(t, "redrive", detection.CodeOf(err), detection.CodeInvalidField)
		_, err = s.Purge(t.Context(), IDs(0, 1), bad)
		equal(t, "purge", detection.CodeOf(err), detection.CodeInvalidField)
	}
	n, err := s.Purge(t.Context(), nil, order)
	must(t, "purge nothing", err)
	equal(t, "purged", n, 0)
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 1, DeadLetters: 1})
}

func testOperationsRestart(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 5, 4)
	_, err := s.Redrive(t.Context(), IDs(0, 1), order)
	must(t, "redrive", err)
	_, err = s.Purge(t.Context(), IDs(1, 2), order)
	must(t, "purge", err)
	s.Restart()
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 5, Outbox: 2, DeadLetters: 2})
	equalIDs(t, "claimed", claim(t, s, "pod-b", "", 10), []string{ID(0), ID(4)})
	if got := listed(t, s, "", 10); !slices.Equal(got, IDs(2, 4)) {
		t.Errorf("dead letters = %q", got)
	}
}

func testAudit(t *testing.T, s *StoreUnderTest, clock *Clock) {
	letters(t, s, clock, 3, 2)
	clock.Advance(time.Hour)
	_, err := s.Redrive(t.Context(), IDs(0, 1), order)
	must(t, "redrive", err)
	_, err = s.Purge(t.Context(), IDs(1, 2), order)
	must(t, "purge", err)
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(0, 1, detection.Delivered, clock.Now())))
	var events []string
	for after := int64(0); ; {
		page, err := s.Audit(t.Context(), after, 3)
		must(t, "audit", err)
		for _, e := range page {
			equal(t, "number", e.Seq, after+1)
			equal(t, "length of the hash", len(e.Hash), 64)
			events, after = append(events, e.Event), e.Seq
			if e.Event == "purged" && (!strings.Contains(e.Detail, order.Operator) || !strings.Contains(e.Detail, order.Reason) ||
				e.DetectionID != ID(1) || !e.At.Equal(clock.Now())) {
				t.Errorf("entry of the purge = %+v", e)
			}
		}
		if len(page) < 3 {
			break
		}
	}
	equal(t, "events", strings.Join(events, " "), "accepted accepted accepted dead_letter dead_letter redriven purged delivered")
}

// testNothingElseRemoves puts the outbox through all that happens to owners, and counts.
func testNothingElseRemoves(t *testing.T, s *StoreUnderTest, clock *Clock) {
	const n = 30
	must(t, "commit", s.Commit(t.Context(), Records(0, n, "pod-a")))
	for round, step := range []func(){
		func() { must(t, "renew", s.Renew(t.Context(), "pod-a", lease)) },
		func() { must(t, "release", s.Release(t.Context(), "pod-a")) },
		func() { claim(t, s, "pod-b", "", 7) },
		func() { must(t, "renew", s.Renew(t.Context(), "pod-b", lease)) },
		s.Restart,
		func() { claim(t, s, "pod-c", "", 11) },
		func() { clock.Advance(2 * lease) },
		func() { must(t, "renew", s.Renew(t.Context(), "pod-d", lease)) }, // forgets the others
		func() { claim(t, s, "pod-d", "", n) },
		func() { must(t, "commit again", s.Commit(t.Context(), Records(0, n, "pod-e"))) },
		func() {
			must(t, "strange ids", s.Acknowledge(t.Context(), Deliveries(n, 2*n, detection.Delivered, clock.Now())))
		},
		func() { _, _ = s.Purge(t.Context(), IDs(0, n), order) },
		func() { _, _ = s.Redrive(t.Context(), IDs(0, n), order) },
		func() { must(t, "release", s.Release(t.Context(), "pod-d")) },
		s.Restart,
	} {
		step()
		if got := stats(t, s); got != (detection.StoreStats{Detections: n, Outbox: n}) {
			t.Fatalf("after step %d: %+v", round, got)
		}
	}
	equalIDs(t, "claimed in the end", claim(t, s, "pod-f", "", 2*n), IDs(0, n))
}

// testCameraOrder lets two cameras report through two pods, of which one hands over and one vanishes.
func testCameraOrder(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "renew", s.Renew(t.Context(), "pod-a", lease))
	must(t, "renew", s.Renew(t.Context(), "pod-b", lease))
	for n := range 40 {
		record := Record(n, []string{"pod-a", "pod-b"}[n/3%2])
		record.Detection.CameraID = []string{"cam-1", "cam-2"}[n%2]
		must(t, "commit", s.Commit(t.Context(), []detection.Record{record}))
	}
	must(t, "release", s.Release(t.Context(), "pod-a"))
	first := claim(t, s, "pod-c", "", 8)
	must(t, "deliver", s.Acknowledge(t.Context(), outcomes(first, clock)))
	clock.Advance(lease)
	second := claim(t, s, "pod-c", "", 100)
	equal(t, "claimed", len(first)+len(second), 40)
	for what, page := range map[string][]detection.Record{"after the hand-over": first, "after the lease": second} {
		last := map[string]string{}
		for _, r := range page {
			camera := r.Detection.CameraID
			if r.Detection.ID <= last[camera] {
				t.Errorf("%s: %s comes after %s of %s", what, r.Detection.ID, last[camera], camera)
			}
			last[camera] = r.Detection.ID
		}
	}
}

func outcomes(records []detection.Record, clock *Clock) (out []detection.Delivery) {
	for _, r := range records {
		out = append(out, detection.Delivery{ID: r.Detection.ID, Outcome: detection.Delivered, At: clock.Now()})
	}
	return out
}
