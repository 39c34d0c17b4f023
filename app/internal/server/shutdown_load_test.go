package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/torture"
)

// TestShutdownUnderLoad holds that whoever gets a connection to a server that stops gets an answer, up to the last moment,
// and that the store has what was acknowledged. The others are refused before they have sent anything. Without the drain
// some connections are reset.
func TestShutdownUnderLoad(t *testing.T) {
	const shortRounds, controlRounds = 2, 200
	budget, long := torture.Budget(t)
	end := time.Now().Add(budget)
	var control, sum tally
	for ; len(control.unanswered) == 0 && control.rounds < controlRounds; control.rounds++ {
		connectUntilRefused(t, 0, &control)
	}
	if len(control.unanswered) == 0 {
		t.Error("control: no connection was reset without the drain")
	}
	for ; !long && sum.rounds < shortRounds || long && time.Now().Before(end); sum.rounds++ {
		connectUntilRefused(t, 20*time.Millisecond, &sum)
	}
	if sum.lost > 0 || control.lost > 0 {
		t.Errorf("%d acknowledged detections are lost, without the drain %d", sum.lost, control.lost)
	}
	for _, err := range sum.unanswered {
		t.Errorf("a request went without an answer: %s", err)
	}
	torture.Report(t, torture.Result{
		What: "a server stopped while clients connect anew for each request", Rounds: sum.rounds,
		Acknowledged: sum.acknowledged, Lost: sum.lost + len(sum.unanswered),
		Control: fmt.Sprintf("without the drain %d requests went without an answer in %d rounds", len(control.unanswered), control.rounds),
		Notes:   "lost counts acknowledged detections that are gone and requests without an answer",
	})
}

// connectUntilRefused stops a server under clients that do not follow its readiness.
func connectUntilRefused(t *testing.T, drainDelay time.Duration, sum *tally) {
	t.Helper()
	const workers = 8
	cfg := serveConfig(t, t.TempDir())
	cfg.DrainDelay = drainDelay
	n := serving(cfg)
	n.start(t)
	c := newClient(t, cfg, n.url)
	c.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	var mu sync.Mutex
	var done sync.WaitGroup
	var ids []string
	first := make(chan struct{}, workers)
	for range workers {
		done.Go(func() {
			accepted, err := postUntilError(c, first)
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, accepted...)
			var refused *net.OpError
			if !errors.As(err, &refused) || refused.Op != "dial" {
				sum.unanswered = append(sum.unanswered, err.Error())
			}
		})
	}
	<-first
	if err := n.stop(); err != nil {
		t.Error(err)
	}
	done.Wait()
	n.start(t)
	sum.acknowledged += len(ids)
	sum.lost += missing(t, cfg, []*node{n}, ids)
	if err := n.stop(); err != nil {
		t.Error(err)
	}
}

// postUntilError posts over a new connection each time until that fails.
func postUntilError(c *client, first chan<- struct{}) (accepted []string, err error) {
	for {
		response, err := c.send(sample)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		if err != nil {
			return accepted, err
		}
		if accepted == nil {
			first <- struct{}{}
		}
		accepted = append(accepted, response.Header.Get("X-Detection-ID"))
	}
}
