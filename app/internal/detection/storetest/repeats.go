package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// keyed is the n-th detection of a test, reported under an idempotency key.
func keyed(n int, key string) detection.Record {
	r := Record(n, "pod-a")
	r.Detection.IdempotencyKey = detection.IdempotencyKey("tester", key)
	return r
}

// retraction takes the n-th detection back.
func retraction(n int) detection.Record {
	target := Record(n, "pod-b").Detection
	at := target.ReceivedAt.Add(time.Minute)
	return detection.Record{Deliver: true, Owner: "pod-b", Detection: detection.Detection{
		ID: detection.RetractionID(target.ID, target.SeenAt), ReceivedAt: at, SeenAt: at, Retracts: target.ID, Reason: "a shadow",
		ReportedBy: "tester", CameraID: target.CameraID, ObjectClass: target.ObjectClass, Fix: target.Fix,
	}}
}

func commitOne(t *testing.T, s *StoreUnderTest, r detection.Record) (repeatOf string) {
	t.Helper()
	r.RepeatOf = "left over"
	records := []detection.Record{r}
	must(t, "commit", s.Commit(t.Context(), records))
	return records[0].RepeatOf
}

func testRepeats(t *testing.T, s *StoreUnderTest, _ *Clock) {
	records := []detection.Record{Record(0, "pod-a"), Record(1, "pod-a"), Record(0, "pod-b"), Record(2, "pod-a")}
	must(t, "commit", s.Commit(t.Context(), records))
	for i, want := range []string{"", "", ID(0), ""} {
		equal(t, fmt.Sprintf("repeat of record %d", i), records[i].RepeatOf, want)
	}
	equal(t, "a repeat", commitOne(t, s, Record(1, "pod-b")), ID(1))
	equal(t, "a new one", commitOne(t, s, Record(3, "pod-b")), "")
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 4})
}

func testKeys(t *testing.T, s *StoreUnderTest, _ *Clock) {
	equal(t, "the first use", commitOne(t, s, keyed(0, "k")), "")
	equal(t, "the same again", commitOne(t, s, keyed(0, "k")), ID(0))
	equal(t, "the key for something else", commitOne(t, s, keyed(1, "k")), ID(0))
	equal(t, "a known id under another key", commitOne(t, s, keyed(0, "other")), ID(0))
	equal(t, "a key that is still free", commitOne(t, s, keyed(2, "other")), "")
	equal(t, "a known id under a key that is in use", commitOne(t, s, keyed(2, "k")), ID(2))
	equal(t, "a known id without its key", commitOne(t, s, Record(2, "")), ID(2))
	equal(t, "without a key", commitOne(t, s, Record(3, "")), "")
	equal(t, "without a key either", commitOne(t, s, Record(4, "")), "")
	records := []detection.Record{keyed(5, "batch"), keyed(6, "batch")}
	must(t, "commit", s.Commit(t.Context(), records))
	equal(t, "a key twice in one commit", records[0].RepeatOf+"|"+records[1].RepeatOf, "|"+ID(5))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 5, Outbox: 5})
}

// testConcurrentRepeats commits what is there and what is not side by side: commits that travel together are told apart.
func testConcurrentRepeats(t *testing.T, s *StoreUnderTest, _ *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 50, "")))
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			records := Records(n, n+1, "")
			if n%3 == 0 {
				records = append(Records(200+n, 201+n, ""), records...)
			}
			if err := s.Commit(t.Context(), records); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
			want := ""
			if n < 50 {
				want = ID(n)
			}
			equal(t, fmt.Sprintf("repeat of %d", n), records[len(records)-1].RepeatOf, want)
			equal(t, "repeat of a new one beside it", len(records) > 1 && records[0].RepeatOf != "", false)
		})
	}
	all.Wait()
}

func retractedAt(t *testing.T, s *StoreUnderTest, n int) (times []time.Time) {
	t.Helper()
	for _, e := range find(t, s, detection.Query{Retracted: true}, 0, 1000) {
		if e.Detection.ID == ID(n) {
			times = append(times, e.RetractedAt)
		}
	}
	return times
}

func testRetraction(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 3, "pod-a")))
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(1, 2, detection.Delivered, clock.Now())))
	taken := retraction(1)
	equal(t, "a retraction", commitOne(t, s, taken), "")
	equal(t, "the same again", commitOne(t, s, taken), taken.Detection.ID)
	other := retraction(1)
	other.Detection.ID = ID(77)
	equal(t, "another one of the same", commitOne(t, s, other), taken.Detection.ID)
	equal(t, "stats: it is an entry of the record, and owed", stats(t, s), detection.StoreStats{Detections: 4, Outbox: 3})

	equal(t, "found", fmt.Sprint(entryIDs(find(t, s, detection.Query{}, 0, 10))), fmt.Sprint([]string{ID(2), ID(0)}))
	equal(t, "found by class", len(find(t, s, detection.Query{Class: taken.Detection.ObjectClass}, 0, 10)), 2)
	all := detection.Query{Retracted: true, Camera: "cam-1"}
	equal(t, "found with what was retracted", fmt.Sprint(entryIDs(find(t, s, all, 0, 10))), fmt.Sprint([]string{ID(2), ID(1), ID(0)}))
	if got := retractedAt(t, s, 1); len(got) != 1 || !got[0].Equal(taken.Detection.ReceivedAt) {
		t.Errorf("retracted at %v, want %v", got, taken.Detection.ReceivedAt)
	}
	if got := retractedAt(t, s, 0); len(got) != 1 || !got[0].IsZero() {
		t.Errorf("one that was not retracted is, at %v", got)
	}
	followed, err := s.Follow(t.Context(), 0, 10, 0)
	must(t, "follow", err)
	equal(t, "followed", len(followed), 4)
	equal(t, "what the last one retracts", followed[3].Detection.Retracts, ID(1))
	equal(t, "trail of the detection", events(t, s, ID(1)), "accepted delivered retracted")
	equal(t, "trail of the retraction", events(t, s, taken.Detection.ID), "accepted")
	equalIDs(t, "owed", claim(t, s, "pod-a", "", 10), []string{ID(0), ID(2), taken.Detection.ID})
}

// testEarlyRetraction takes back what is still in another pod's queue.
func testEarlyRetraction(t *testing.T, s *StoreUnderTest, _ *Clock) {
	early := retraction(1)
	equal(t, "the retraction", commitOne(t, s, early), "")
	equal(t, "found", len(find(t, s, detection.Query{Retracted: true}, 0, 10)), 0)
	equal(t, "its target, later", commitOne(t, s, Record(1, "pod-a")), "")
	if got := retractedAt(t, s, 1); len(got) != 1 || !got[0].Equal(early.Detection.ReceivedAt) {
		t.Errorf("retracted at %v, want %v", got, early.Detection.ReceivedAt)
	}
	equal(t, "found", len(find(t, s, detection.Query{}, 0, 10)), 0)
	equal(t, "trail", events(t, s, ID(1)), "retracted accepted")
}

func testWithdrawn(t *testing.T, s *StoreUnderTest, clock *Clock) {
	must(t, "commit", s.Commit(t.Context(), Records(0, 4, "gone")))
	for _, n := range []int{1, 3} {
		commitOne(t, s, retraction(n))
	}
	must(t, "deliver", s.Acknowledge(t.Context(), Deliveries(3, 4, detection.Delivered, clock.Now())))
	want := []string{ID(0), ID(2), retraction(1).Detection.ID, retraction(3).Detection.ID}
	equalIDs(t, "claimed a full page", claim(t, s, "pod-c", "", 2), want[:2]) // a short one would look like the last
	for range 2 {
		equalIDs(t, "claimed", claim(t, s, "pod-c", "", 10), want)
		equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 6, Outbox: 4})
	}
	equal(t, "trail of one that was not delivered", events(t, s, ID(1)), "accepted retracted withdrawn")
	equal(t, "trail of one that was", events(t, s, ID(3)), "accepted retracted delivered")
	must(t, "deliver what was withdrawn", s.Acknowledge(t.Context(), Deliveries(1, 2, detection.Delivered, clock.Now())))
	equal(t, "stats", stats(t, s), detection.StoreStats{Detections: 6, Outbox: 4})
}

func testCatalogueRestart(t *testing.T, s *StoreUnderTest, _ *Clock) {
	commitOne(t, s, keyed(0, "k"))
	commitOne(t, s, retraction(0))
	commitOne(t, s, retraction(5))
	s.Restart()
	equal(t, "the key", commitOne(t, s, keyed(1, "k")), ID(0))
	equal(t, "the retraction", commitOne(t, s, retraction(0)), retraction(0).Detection.ID)
	commitOne(t, s, Record(5, ""))
	commitOne(t, s, Record(6, ""))
	equal(t, "found", fmt.Sprint(entryIDs(find(t, s, detection.Query{Class: Record(6, "").Detection.ObjectClass}, 0, 10))), fmt.Sprint(IDs(6, 7)))
	equal(t, "found with what was retracted", len(find(t, s, detection.Query{Retracted: true}, 0, 10)), 3)
}
