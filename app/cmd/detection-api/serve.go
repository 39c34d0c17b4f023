package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/detection-api/detection-api/app/internal/httpapi"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

const aboutServe = `detection-api serve [flags]

Runs the HTTP API. Without --store-url it is complete in itself: everything it keeps is in --data-dir.
It needs a signing key: JWT_SECRET_KEY="$(openssl rand -base64 48)" makes one for a try.`

// serveFlags are the flags of serve before they are checked.
type serveFlags struct {
	commonFlags
	config                     server.ServeConfig
	storeToken, storeTokenFile string
	keys                       keyFlags
	tak                        takFlags
	ground                     groundFlags
	tracks                     trackFlags
}

func runServe(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	f := newServeFlags(fs)
	if err := parse(fs, aboutServe, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	cfg, err := f.resolve(io)
	if err != nil {
		return err
	}
	s, err := server.NewServe(ctx, cfg)
	if err != nil {
		return err
	}
	cfg.Logger.Info("serving", "addr", s.Addr(), "version", version, "store", orEmbedded(cfg.StoreURL),
		"tak", endpointNames(cfg.TAKAddr), "pod", cfg.PodName)
	return s.Run(ctx)
}

func newServeFlags(fs *flag.FlagSet) *serveFlags {
	f := &serveFlags{}
	c := &f.config
	f.register(fs, ":8000")
	f.keys.register(fs, c)
	f.tak.register(fs, c)
	f.ground.register(fs)
	f.tracks.register(fs, c)
	fs.StringVar(&c.StoreURL, "store-url", "", "`URL` of the store role; empty: a store of its own in --data-dir")
	fs.StringVar(&f.storeToken, "store-token", "", "`secret` shared with the store role")
	fs.StringVar(&f.storeTokenFile, "store-token-file", "", "`file` with the secret shared with the store role")
	fs.DurationVar(&c.StoreTimeout, "store-timeout", 2*time.Second, "how long a call to the store may take")
	fs.StringVar(&c.PodName, "pod-name", "", "`name` of this pod among all serving ones (default: the host's name)")
	fs.StringVar(&c.Slot, "slot", "", "`name` of the blue/green slot, told by /ready")
	fs.DurationVar(&c.Lease, "lease-duration", 30*time.Second, "how long other pods wait before they deliver for a vanished one")
	fs.Int64Var(&c.QueueMaxBytes, "queue-max-bytes", 1<<30, "largest size of queue.db in `bytes`")
	fs.Int64Var(&c.MaxBodyBytes, "max-body-bytes", 16<<20, "largest request body in `bytes`")
	fs.DurationVar(&c.TargetWait, "target-wait", 500*time.Millisecond,
		"longest wait for a commit that is aimed at: what would wait longer at the measured rate is refused with 503; 0: no bound")
	fs.Float64Var(&c.SubjectRate, "subject-rate", 0,
		"`detections` a second that the subject of a token may report, ten seconds' worth at once; more are refused (429); 0: no limit")
	fs.Float64Var(&c.ReadRate, "read-rate", 0,
		"`requests` a second that the subject of a token may make to read, ten seconds' worth at once; 0: no limit")
	fs.Float64Var(&c.TokenRate, "token-rate", httpapi.DefaultTokenRate,
		"`tokens` a second that one client may ask for; an address ten times as many")
	fs.IntVar(&c.MaxStreams, "max-streams", httpapi.DefaultMaxStreams, "`streams` that are open at one time, at most")
	fs.StringVar(&c.PicturesDir, "pictures-dir", "",
		"`directory` to keep the pictures of reports in; empty: they are hashed and not kept")
	fs.Int64Var(&c.PicturesMaxBytes, "pictures-max-bytes", 1<<30,
		"size of all kept pictures in `bytes`, at most: the oldest go first")
	fs.DurationVar(&c.PicturesMaxAge, "pictures-max-age", 7*24*time.Hour, "how long pictures are kept; 0: until there is no room")
	t := thresholdFlags(fs)
	f.finish = func() { c.Thresholds = *t }
	return f
}

// resolve checks the flags and reads what they point to.
func (f *serveFlags) resolve(io streams) (server.ServeConfig, error) {
	f.finish()
	c := f.config
	var err error
	if c.StoreToken, err = secret("store-token", f.storeToken, f.storeTokenFile); err != nil {
		return c, err
	}
	if c.Common, err = f.common(io); err != nil {
		return c, err
	}
	if c.Cameras, c.Terrain, err = f.ground.resolve(); err != nil {
		return c, err
	}
	if err := errors.Join(f.keys.resolve(&c), f.tak.resolve(&c), f.tracks.resolve(&c)); err != nil {
		return c, err
	}
	if c.PodName == "" {
		if c.PodName, err = os.Hostname(); err != nil {
			return c, fmt.Errorf("read the host's name (or give --pod-name): %w", err)
		}
	}
	return c, checkServe(c)
}

func checkServe(c server.ServeConfig) error {
	if err := checkThresholds(c.Thresholds); err != nil {
		return err
	}
	if c.StoreURL != "" {
		if err := checkStoreURL(c.StoreURL); err != nil {
			return err
		}
		if err := checkStoreToken(c.StoreToken); err != nil {
			return err
		}
		if c.Retention != (sqlite.Retention{}) {
			return wrongUsage("retention is the store's: give its flags to the store role, not to serve with --store-url")
		}
	}
	for name, d := range map[string]time.Duration{
		"store-timeout": c.StoreTimeout, "cot-stale": c.CoTStale, "lease-duration": c.Lease,
	} {
		if d <= 0 {
			return wrongUsage("%s: want a duration above 0, got %v", name, d)
		}
	}
	if c.QueueMaxBytes < minQueueBytes {
		return wrongUsage("queue-max-bytes: want at least %d bytes, got %d", minQueueBytes, c.QueueMaxBytes)
	}
	if c.TargetWait < 0 {
		return wrongUsage("target-wait: want a duration of at least 0, got %v", c.TargetWait)
	}
	if !(c.SubjectRate >= 0) || math.IsInf(c.SubjectRate, 1) {
		return wrongUsage("subject-rate: want a number of at least 0, got %v", c.SubjectRate)
	}
	if c.MaxBodyBytes <= 0 {
		return wrongUsage("max-body-bytes: want a number of bytes above 0, got %d", c.MaxBodyBytes)
	}
	return nil
}

// minQueueBytes leaves room for a few batches of rows in either half of the queue.
const minQueueBytes = 16 << 20

func orEmbedded(storeURL string) string {
	if storeURL == "" {
		return "embedded"
	}
	return storeURL
}

// logger writes to w; a level or format it does not know is refused.
func logger(io streams, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, wrongUsage("log-level: want debug, info, warn or error, got %q", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(io.err, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(io.err, options)), nil
	default:
		return nil, wrongUsage("log-format: want json or text, got %q", format)
	}
}
