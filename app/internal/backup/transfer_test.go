package backup_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

func TestAWrongTokenGetsNothing(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(storeapi.NewServer(storeapi.ServerOptions{
		Token: token,
		Copy: func(context.Context) (*storeapi.Copy, error) {
			t.Error("a copy was made for a stranger")
			return nil, errors.New("no")
		},
		Verified: func(context.Context, storeapi.Backup) error {
			t.Error("a stranger was believed")
			return nil
		},
	}))
	defer server.Close()
	c := r.newClient(server.URL, "another token")
	if _, err := r.job(backup.Remote{Client: c}).Run(t.Context()); err == nil || detection.CodeOf(err) != detection.CodeUnauthorized {
		t.Errorf("Run = %v, want unauthorized", err)
	}
	if err := c.Verified(t.Context(), storeapi.Backup{}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Verified = %v, want a 401", err)
	}
	if left := r.files(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestASecondJobWaits holds a copy and lets a job ask meanwhile.
func TestASecondJobWaits(t *testing.T) {
	r := newRig(t)
	held, err := r.store.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.job(backup.Remote{Client: r.client, Pause: time.Millisecond}).Run(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("the job ended while another copy was held: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	held.Close()
	if err := <-done; err != nil {
		t.Errorf("the job that waited: %v", err)
	}
}

// TestAStoreThatIsAway comes up at the third attempt: who waits gets the copy, who does not gives up at once.
func TestAStoreThatIsAway(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Minute} {
		r := newRig(t)
		var calls atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if calls.Add(1) < 3 {
				panic(http.ErrAbortHandler)
			}
			r.handler.ServeHTTP(w, q)
		}))
		defer server.Close()
		_, err := r.job(backup.Remote{Client: r.newClient(server.URL, token), Wait: wait, Pause: time.Millisecond}).Run(t.Context())
		if (err == nil) != (wait > 0) {
			t.Errorf("wait %v: Run = %v after %d calls", wait, err, calls.Load())
		}
	}
}

// TestABrokenTransferIsNoCopy ends the stream early, as a store that dies does, and lies about the digest.
func TestABrokenTransferIsNoCopy(t *testing.T) {
	for name, spoil := range map[string]func(w http.ResponseWriter){
		"cut": func(w http.ResponseWriter) {
			_, _ = w.Write(make([]byte, 4096))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"short": func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, 4096)) },
		"other bytes": func(w http.ResponseWriter) {
			_, _ = w.Write(make([]byte, 8192))
			w.Header().Set("X-Copy-Sha256", strings.Repeat("0", 64))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-Copy-Sha256")
				w.Header().Set("X-Copy-Bytes", "8192")
				w.Header().Set("X-Copy-Taken-At", "2026-07-01T12:00:00Z")
				spoil(w)
			}))
			defer server.Close()
			if m, err := r.job(backup.Remote{Client: r.newClient(server.URL, token)}).Run(t.Context()); err == nil {
				t.Errorf("Run = %+v", m)
			}
			if left := r.files(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
