package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
)

const aboutStore = `detection-api store [flags]

Runs the store that the serving pods share: the only writer of app.db in --data-dir.`

// minStoreToken is the shortest secret that serve and store may share, in bytes: 256 bits.
const minStoreToken = 32

func runStore(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("store", flag.ContinueOnError)
	f := &commonFlags{}
	f.register(fs, ":8081")
	shared := fs.String("store-token", "", "`secret` shared with the serve role")
	sharedFile := fs.String("store-token-file", "", "`file` with the secret shared with the serve role")
	grace := fs.Duration("lease-duration", 30*time.Second, "how long leases last at least after a restart; as for serve")
	if err := parse(fs, aboutStore, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	cfg := server.StoreConfig{RestartGrace: *grace, Version: version}
	var err error
	if cfg.Token, err = secret("store-token", *shared, *sharedFile); err != nil {
		return err
	}
	if err := checkStoreToken(cfg.Token); err != nil {
		return err
	}
	if cfg.Common, err = f.common(io); err != nil {
		return err
	}
	s, err := server.NewStore(ctx, cfg)
	if err != nil {
		return err
	}
	cfg.Logger.Info("storing", "addr", s.Addr(), "version", version, "data_dir", cfg.DataDir)
	return s.Run(ctx)
}

// checkStoreToken refuses what is easily guessed and what an HTTP header would not carry unchanged.
func checkStoreToken(token string) error {
	if len(token) < minStoreToken {
		return wrongUsage("store-token: want at least %d bytes, got %d; make one with: openssl rand -base64 48", minStoreToken,
			len(token))
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return wrongUsage("store-token: want printable ASCII without spaces; make one with: openssl rand -base64 48")
	}
	return nil
}

// commonFlags are those of serve and store.
type commonFlags struct {
	values           server.Common
	retention        retentionFlags
	logLevel, format string
	finish           func()
}

func (f *commonFlags) register(fs *flag.FlagSet, listenAddr string) {
	v := &f.values
	fs.StringVar(&v.ListenAddr, "listen-addr", listenAddr, "`address` to serve HTTP on")
	fs.StringVar(&v.DataDir, "data-dir", "./data", "`directory` of the databases")
	fs.Int64Var(&v.MinFreeBytes, "min-free-bytes", 64<<20, "free `bytes` on the disk below which nothing is accepted")
	allowNetworkFileSystem(fs, &v.AllowNetworkFileSystem)
	fs.DurationVar(&v.DrainDelay, "drain-delay", 0, "how long connections are wound down before the last one is closed")
	fs.DurationVar(&v.ShutdownTimeout, "shutdown-timeout", 20*time.Second, "how long the last requests and the hand-over may take")
	f.retention.register(fs)
	fs.StringVar(&f.logLevel, "log-level", "info", "`level`: debug, info, warn or error")
	fs.StringVar(&f.format, "log-format", "json", "`format`: json or text")
}

func allowNetworkFileSystem(fs *flag.FlagSet, allow *bool) {
	fs.BoolVar(allow, "allow-network-filesystem", false,
		"let --data-dir be on NFS, SMB, FUSE or the like, where acknowledged data may be lost")
}

func (f *commonFlags) common(io streams) (server.Common, error) {
	c := f.values
	var err error
	if c.Logger, err = logger(io, f.logLevel, f.format); err != nil {
		return c, err
	}
	if c.DataDir == "" {
		return c, wrongUsage("data-dir: want a directory, got %q", c.DataDir)
	}
	if c.MinFreeBytes < 0 {
		return c, wrongUsage("min-free-bytes: want 0 or more, got %d", c.MinFreeBytes)
	}
	if c.DrainDelay < 0 || c.ShutdownTimeout <= 0 {
		return c, wrongUsage("drain-delay and shutdown-timeout: want at least 0 and more than 0, got %v and %v", c.DrainDelay,
			c.ShutdownTimeout)
	}
	if c.Retention, err = f.retention.retention(); err != nil {
		return c, err
	}
	syscall.Umask(0o077) // what the service writes is for its own user
	c.Now = time.Now
	c.Fatal = func(err error) {
		c.Logger.Error("a database cannot be trusted any more; exiting", "error", err)
		fmt.Fprintln(io.err, "detection-api: database I/O error, exiting")
		os.Exit(3)
	}
	return c, nil
}
