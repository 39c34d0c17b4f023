package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = "dev"

func runVersion(_ context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("version", flag.ContinueOnError)
	if err := parse(fs, "detection-api version\n\nPrints the version. It has no flags.", io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	_, err := fmt.Fprintf(io.out, "detection-api %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
