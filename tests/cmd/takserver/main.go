// Command takserver is a TAK server for tests with an HTTP control API; see package takserver.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/detection-api/detection-api/tests/takserver"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	flags := flag.NewFlagSet("takserver", flag.ContinueOnError)
	cotAddr := flags.String("cot-addr", ":8087", "`host:port` on which CoT events are received")
	controlAddr := flags.String("control-addr", ":8080", "`host:port` of the HTTP control API")
	mute := flags.Bool("mute", false, "never answer a ping")
	maxEvents := flags.Int("max-events", takserver.DefaultMaxEvents, "`number` of events that are kept")
	certificate := flags.String("tls-cert", "", "`file` with the server's certificate, PEM; empty: plain TCP")
	key := flags.String("tls-key", "", "`file` with its key, PEM")
	clients := flags.String("tls-client-ca", "", "`file` with the authority whose certificate every client must have, PEM")
	verbose := flags.Bool("verbose", false, "log every event")
	if err := flags.Parse(args); err != nil {
		return 2 // flags has said why
	}
	if *maxEvents < 1 || flags.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "takserver: -max-events must be at least 1, and there are no arguments but flags")
		return 2
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	secured, err := takserver.TLS(*certificate, *key, *clients)
	if err != nil {
		fmt.Fprintln(os.Stderr, "takserver:", err)
		return 2
	}
	server, err := takserver.Start(takserver.Options{
		CoTAddr: *cotAddr, ControlAddr: *controlAddr, Mute: *mute, MaxEvents: *maxEvents, Logger: logger, TLS: secured,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "takserver:", err)
		return 1
	}
	<-ctx.Done()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "takserver:", err)
		return 1
	}
	return 0
}
