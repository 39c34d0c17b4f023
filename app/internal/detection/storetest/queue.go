package storetest

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// QueueUnderTest is a queue of a test and a way to restart it.
type QueueUnderTest struct {
	detection.Queue
	// Restart closes the queue and opens it again on the same data.
	Restart func()
}

// OpenQueue makes an empty queue without a cap. It cleans up with t.Cleanup.
type OpenQueue func(t *testing.T) *QueueUnderTest

// RunQueue runs the whole suite.
func RunQueue(t *testing.T, open OpenQueue) {
	for name, test := range map[string]func(*testing.T, *QueueUnderTest){
		"a record goes the whole way":          testWholeWay,
		"delivered before it is stored":        testDeliveredFirst,
		"a record that is not owed to TAK":     testQueueNotOwed,
		"positions only rise":                  testPositions,
		"put may be repeated":                  testPutTwice,
		"what is still open stays":             testStays,
		"nothing is lost by a restart":         testQueueRestart,
		"unknown ids and empty calls are fine": testQueueEmpty,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var outcomeAt = time.Date(2026, 7, 1, 13, 0, 0, 123456000, time.UTC)

func testWholeWay(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 3, false)
	depth(t, q, 3, 3)
	unstored := unstored(t, q)
	if want := Records(0, 3, "pod-a"); !reflect.DeepEqual(unstored, want) {
		t.Errorf("Unstored = %+v, want %+v", unstored, want)
	}
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(0, 2)))
	depth(t, q, 3, 1)
	equalDeliveries(t, q, nil)
	done := append(Deliveries(0, 1, detection.Delivered, outcomeAt), Deliveries(1, 2, detection.DeadLettered, outcomeAt)...)
	must(t, "mark delivered", q.MarkDelivered(t.Context(), done))
	depth(t, q, 1, 1)
	equalDeliveries(t, q, done)
	must(t, "mark acknowledged", q.MarkAcknowledged(t.Context(), IDs(0, 2)))
	equalDeliveries(t, q, nil)
	equalIDs(t, "undelivered", undelivered(t, q, 0, 10), IDs(2, 3))
}

func testDeliveredFirst(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 2, false)
	done := Deliveries(0, 2, detection.Delivered, outcomeAt)
	must(t, "mark delivered", q.MarkDelivered(t.Context(), done))
	depth(t, q, 0, 2)
	equalDeliveries(t, q, nil) // the store cannot confirm what it does not have
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(0, 2)))
	equalDeliveries(t, q, done)
	must(t, "mark acknowledged", q.MarkAcknowledged(t.Context(), IDs(0, 2)))
	depth(t, q, 0, 0)
	put(t, q, 0, 1, true) // the row is gone, so the id is new
	depth(t, q, 1, 0)
}

func testQueueNotOwed(t *testing.T, q *QueueUnderTest) {
	record := Record(1, "pod-a")
	record.Deliver = false
	must(t, "put", q.Put(t.Context(), []detection.Queued{{Record: record}}))
	depth(t, q, 0, 1)
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(1, 2)))
	depth(t, q, 0, 0)
	put(t, q, 1, 2, false) // the row is gone, so the id is new
	depth(t, q, 1, 1)
	must(t, "put what nothing is open about", q.Put(t.Context(), []detection.Queued{{Record: record, Stored: true}}))
	depth(t, q, 1, 1)
}

func testPositions(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 5, true)
	first, last, err := q.Undelivered(t.Context(), 0, 3)
	must(t, "undelivered", err)
	equalIDs(t, "first page", first, IDs(0, 3))
	second, end, err := q.Undelivered(t.Context(), last, 3)
	must(t, "undelivered", err)
	equalIDs(t, "second page", second, IDs(3, 5))
	none, same, err := q.Undelivered(t.Context(), end, 3)
	must(t, "undelivered", err)
	equalIDs(t, "third page", none, []string{})
	equal(t, "position after the end", same, end)

	must(t, "mark delivered", q.MarkDelivered(t.Context(), Deliveries(0, 5, detection.Delivered, outcomeAt)))
	must(t, "mark acknowledged", q.MarkAcknowledged(t.Context(), IDs(0, 5)))
	put(t, q, 5, 6, true)
	equalIDs(t, "after the end", undelivered(t, q, end, 3), IDs(5, 6))
}

func testPutTwice(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 2, false)
	put(t, q, 0, 3, false)
	put(t, q, 0, 3, true)
	depth(t, q, 3, 3)
	must(t, "mark delivered", q.MarkDelivered(t.Context(), Deliveries(0, 1, detection.Delivered, outcomeAt)))
	must(t, "mark delivered otherwise", q.MarkDelivered(t.Context(), Deliveries(0, 1, detection.DeadLettered, outcomeAt)))
	put(t, q, 0, 3, false)
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(0, 3)))
	must(t, "mark stored again", q.MarkStored(t.Context(), IDs(0, 3)))
	depth(t, q, 2, 0)
	equalDeliveries(t, q, Deliveries(0, 1, detection.Delivered, outcomeAt))
}

func testStays(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 3, false)
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(0, 1)))
	must(t, "mark delivered", q.MarkDelivered(t.Context(), Deliveries(1, 2, detection.Delivered, outcomeAt)))
	must(t, "mark acknowledged", q.MarkAcknowledged(t.Context(), IDs(0, 3)))
	depth(t, q, 2, 2)
	equalIDs(t, "unstored", unstored(t, q), IDs(1, 3))
	equalIDs(t, "undelivered", undelivered(t, q, 0, 10), []string{ID(0), ID(2)})
}

func testQueueRestart(t *testing.T, q *QueueUnderTest) {
	put(t, q, 0, 4, false)
	must(t, "mark stored", q.MarkStored(t.Context(), IDs(0, 2)))
	must(t, "mark delivered", q.MarkDelivered(t.Context(), Deliveries(1, 3, detection.Delivered, outcomeAt)))
	q.Restart()
	depth(t, q, 2, 2)
	equalIDs(t, "unstored", unstored(t, q), IDs(2, 4))
	equalIDs(t, "undelivered", undelivered(t, q, 0, 10), []string{ID(0), ID(3)})
	equalDeliveries(t, q, Deliveries(1, 2, detection.Delivered, outcomeAt))
	put(t, q, 4, 5, false)
	equalIDs(t, "undelivered", undelivered(t, q, 0, 10), []string{ID(0), ID(3), ID(4)})
}

func testQueueEmpty(t *testing.T, q *QueueUnderTest) {
	must(t, "put nothing", q.Put(t.Context(), nil))
	must(t, "mark nothing stored", q.MarkStored(t.Context(), nil))
	must(t, "mark unknown stored", q.MarkStored(t.Context(), IDs(0, 1)))
	must(t, "mark unknown delivered", q.MarkDelivered(t.Context(), Deliveries(0, 1, detection.Delivered, outcomeAt)))
	must(t, "mark unknown acknowledged", q.MarkAcknowledged(t.Context(), IDs(0, 1)))
	depth(t, q, 0, 0)
	equalIDs(t, "unstored", unstored(t, q), []string{})
	equalIDs(t, "undelivered", undelivered(t, q, 0, 10), []string{})
	equalDeliveries(t, q, nil)
}

// Queued are the detections from to to-1 as a queue takes them.
func Queued(from, to int, stored bool) []detection.Queued {
	var out []detection.Queued
	for _, record := range Records(from, to, "pod-a") {
		out = append(out, detection.Queued{Record: record, Stored: stored})
	}
	return out
}

func put(t *testing.T, q detection.Queue, from, to int, stored bool) {
	t.Helper()
	must(t, "put", q.Put(t.Context(), Queued(from, to, stored)))
}

func depth(t *testing.T, q detection.Queue, undelivered, unstored int64) {
	t.Helper()
	got := q.Depth()
	equal(t, "undelivered", got.Undelivered, undelivered)
	equal(t, "unstored", got.Unstored, unstored)
	equal(t, "full", got.Full, false)
}

func unstored(t *testing.T, q detection.Queue) []detection.Record {
	t.Helper()
	got, err := q.Unstored(t.Context(), 10)
	must(t, "unstored", err)
	return got
}

func undelivered(t *testing.T, q detection.Queue, after int64, limit int) []detection.Record {
	t.Helper()
	got, _, err := q.Undelivered(t.Context(), after, limit)
	must(t, "undelivered", err)
	return got
}

func equalDeliveries(t *testing.T, q detection.Queue, want []detection.Delivery) {
	t.Helper()
	got, err := q.Unacknowledged(t.Context(), 10)
	must(t, "unacknowledged", err)
	if !slices.Equal(got, want) {
		t.Errorf("Unacknowledged = %+v, want %+v", got, want)
	}
}
