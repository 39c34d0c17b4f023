// Command detection-api turns what a camera's AI reports into positions with an honest error, Cursor-on-Target events on
// a TAK server and a record that is never lost. Each role of the service is a subcommand.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/detection-api/detection-api/app/internal/server"
)

// command is one role.
type command struct {
	name, about string
	run         runner
}

// runner is what a command does: it parses its own arguments and runs until it is done or ctx ends.
type runner func(ctx context.Context, io streams, args []string) error

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func commands() []command {
	return []command{
		{"serve", "run the HTTP API, with a store of its own or with --store-url", runServe},
		{"store", "run the store that the serving pods share", runStore},
		{"backup", "take, verify, list and prune copies of the store", runBackup},
		{"restore", "put a copy of the store back", runRestore},
		{"deadletters", "list, redrive and purge detections whose delivery was given up", runDeadLetters},
		{"audit", "verify and list the audit trail", runAudit},
		{"check", "ask URLs and fail unless all of them answer 200", runCheck},
		{"geolocate", "compute positions from JSON lines, without a server", runGeolocate},
		{"token", "make a bearer token for the API", runToken},
		{"client", "make a secret for a client that gets its tokens from the API", runClient},
		{"version", "print the version", runVersion},
	}
}

func main() {
	server.CollectLess()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, io streams, args []string) int {
	if len(args) == 0 {
		usage(io.err)
		return 2
	}
	if args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		usage(io.out)
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return report(io.err, c.name, c.run(ctx, io, args[1:]))
		}
	}
	fmt.Fprintf(io.err, "detection-api: unknown command %q; see detection-api --help\n", args[0])
	return 2
}

// report prints an error as one line and tells its exit code.
func report(w io.Writer, name string, err error) int {
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(w, "detection-api %s: %v; see detection-api %s --help\n", name, err, name)
		return 2
	default:
		fmt.Fprintf(w, "detection-api %s: %v\n", name, err)
		return 1
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w,
		"detection-api turns AI detections into positions on a TAK map.\n\nUsage: detection-api COMMAND [flags]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.about)
	}
	fmt.Fprint(w, "\nEvery flag --some-name can also be given as the environment variable SOME_NAME.\n"+
		"detection-api COMMAND --help lists the flags of a command.\n")
}
