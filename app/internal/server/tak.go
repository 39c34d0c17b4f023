package server

import (
	"context"
	"sync/atomic"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/tak"
)

// dialTAK returns how the relay reaches TAK, or nil when there is no server to reach. It remembers whether the server
// answers pings, so that one that hangs later is not taken for one that never does.
func dialTAK(cfg ServeConfig) func(context.Context) (relay.Link, error) {
	if cfg.TAKAddr == "" {
		return nil
	}
	uid := "detection-api." + cfg.PodName
	var answers atomic.Bool
	return func(ctx context.Context) (relay.Link, error) {
		conn, err := tak.Dial(ctx, tak.Options{
			Addr:       cfg.TAKAddr,
			Hello:      func() []byte { return cot.Hello(uid, cfg.PodName, cfg.Now()) },
			Ping:       func() []byte { return cot.Ping(uid, cfg.Now()) },
			IsPong:     cot.IsPong,
			ExpectPong: answers.Load(),
			Now:        cfg.Now,
			Logger:     cfg.Logger,
		})
		if err != nil {
			return nil, err
		}
		return &link{Conn: conn, answers: &answers}, nil
	}
}

// link notes what a connection has learnt of the server.
type link struct {
	*tak.Conn
	answers *atomic.Bool
}

func (l *link) Send(ctx context.Context, events [][]byte) error {
	err := l.Conn.Send(ctx, events)
	if l.Status().Answered {
		l.answers.Store(true)
	}
	return err
}
