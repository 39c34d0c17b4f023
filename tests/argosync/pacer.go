package main

import (
	"bufio"
	"context"
	"io"
	"time"
)

// pacer waits between two steps: for the caller, then for a while.
type pacer struct {
	lines    chan struct{} // closed at the end of the input
	interval time.Duration
}

func newPacer(input io.Reader, interval time.Duration) *pacer {
	p := &pacer{lines: make(chan struct{}), interval: interval}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(input); scanner.Scan(); {
			p.lines <- struct{}{}
		}
	}()
	return p
}

func (p *pacer) wait(ctx context.Context) error {
	select {
	case <-p.lines:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-time.After(p.interval):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
