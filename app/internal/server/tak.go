package server

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/tak"
)

// takDialer returns the way to TAK, or nil when there is no server to reach. TLS files that are wrong are told now and do not
// keep the service from taking detections: they may be put right at any time.
func takDialer(cfg ServeConfig, reg prometheus.Registerer) (*tak.Dialer, error) {
	if cfg.TAKAddr == "" {
		return nil, nil
	}
	endpoints, err := tak.ParseEndpoints(cfg.TAKAddr)
	if err != nil {
		return nil, err
	}
	uid := "detection-api." + cfg.PodName
	dialer, err := tak.NewDialer(tak.DialerOptions{
		Endpoints: endpoints, TLS: cfg.TAKTLS, Method: cfg.TAKMethod, ReturnAfter: cfg.TAKReturnAfter,
		Conn: tak.Options{
			Hello:  func() []byte { return cot.Hello(uid, cfg.PodName, cfg.Now()) },
			Ping:   func() []byte { return cot.Ping(uid, cfg.Now()) },
			IsPong: cot.IsPong,
			Now:    cfg.Now,
			Logger: cfg.Logger,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the way to TAK: %w", err)
	}
	if err := dialer.Check(); err != nil {
		cfg.Logger.Error("the files for TLS to TAK; will be read again at each connection", "error", err)
	}
	registerTAK(reg, dialer.Status)
	return dialer, nil
}

// dial is how the relay wants a Dialer.
func dial(dialer *tak.Dialer) func(context.Context) (relay.Link, error) {
	if dialer == nil {
		return nil
	}
	return func(ctx context.Context) (relay.Link, error) { return dialer.Dial(ctx) }
}

// takStatus is what GET /api/v1/tak/status tells.
type takStatus struct {
	tak.LinkStatus
	QueueDepth       int64   `json:"queue_depth"`        // detections in this pod that are owed to TAK
	OldestAgeSeconds float64 `json:"oldest_age_seconds"` // of the first of them
}

func statusOfTAK(dialer *tak.Dialer, journal *relay.Relay) func() any {
	if dialer == nil {
		return nil
	}
	return func() any {
		state := journal.State()
		return takStatus{dialer.Status(), state.Queue.Undelivered, state.Oldest.Seconds()}
	}
}
