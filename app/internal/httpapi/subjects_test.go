package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// TestSubjectRate: each subject has ten seconds' worth at once, then is told when its next token is there, and has it then.
func TestSubjectRate(t *testing.T) {
	now := at(0).time()
	g := newRig()
	g.Now = func() time.Time { return now }
	g.SubjectRate = 0.25
	g.Authenticate = func(bearer string) (Identity, error) { return Identity{Subject: bearer, Roles: []Role{Ingest}}, nil }
	post := func(subject string) (status int, retryAfter string) {
		w := g.post(goodBody, "Authorization", "Bearer "+subject)
		if w.Code == http.StatusTooManyRequests {
			checkRefusal(t, w, http.StatusTooManyRequests, detection.CodeRateLimited, "")
		}
		return w.Code, w.Header().Get("Retry-After")
	}
	for range 3 {
		if status, _ := post("a"); status != http.StatusCreated {
			t.Fatalf("within the burst: %d", status)
		}
	}
	status, retryAfter := post("a")
	if status != http.StatusTooManyRequests || retryAfter != "4" {
		t.Errorf("beyond the burst: %d, Retry-After %q; want 429 and 4", status, retryAfter)
	}
	if status, _ := post("b"); status != http.StatusCreated {
		t.Errorf("another subject: %d", status)
	}
	now = now.Add(1500 * time.Millisecond)
	if _, retryAfter := post("a"); retryAfter != "3" {
		t.Errorf("2.5 s before the token is there: Retry-After %q, want 3", retryAfter)
	}
	wait, _ := strconv.Atoi(retryAfter)
	now = at(wait).time()
	if status, _ := post("a"); status != http.StatusCreated {
		t.Errorf("when the time in Retry-After is over: %d", status)
	}
	if text := g.log.String(); strings.Count(text, "refused by a limit") != 1 || strings.Contains(text, "detection refused") {
		t.Errorf("want one line for all refusals of the first seconds:\n%s", text)
	}
}

// TestNoSubjectRate: by default nobody is limited.
func TestNoSubjectRate(t *testing.T) {
	g := newRig()
	for range 1000 {
		if w := g.post(goodBody); w.Code != http.StatusCreated {
			t.Fatalf("got %d", w.Code)
		}
	}
}

// TestSubjectsAreBounded: with more subjects than buckets the newest share one, and quiet ones make room.
func TestSubjectsAreBounded(t *testing.T) {
	const room = 50
	s, now := newSubjects(0.1, room), at(0).time()
	for n := range room {
		if wait := s.take(fmt.Sprint(n), 1, now); wait != 0 {
			t.Fatalf("subject %d has to wait %v", n, wait)
		}
	}
	if s.take("x", 1, now) != 0 || s.take("y", 1, now) == 0 || len(s.buckets) != room {
		t.Errorf("those without room do not share one bucket, or there are %d buckets", len(s.buckets))
	}
	now = now.Add(5 * time.Second)
	if s.take("0", 1, now) == 0 {
		t.Error("a bucket was forgotten before it was full")
	}
	now = now.Add(time.Minute)
	for n := range room {
		if wait := s.take(fmt.Sprint("new", n), 1, now); wait != 0 || len(s.buckets) > room {
			t.Fatalf("new subject %d has to wait %v beside %d buckets", n, wait, len(s.buckets))
		}
	}
}
