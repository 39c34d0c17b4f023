package main

import (
	"context"
	"fmt"
	"runtime"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = "dev"

func runVersion(_ context.Context, io streams, args []string) error {
	if len(args) > 0 {
		return wrongUsage("unexpected argument %q", args[0])
	}
	_, err := fmt.Fprintf(io.out, "detection-api %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
