// Command image builds the service's container image as an archive: no Docker, no base image, no registry. The same input
// gives the same digest.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/detection-api/detection-api/tests/artifacts"
)

func main() {
	version := flag.String("version", artifacts.DevVersion, "`version` of the image: its tag, and what detection-api version prints")
	flag.Parse()
	if err := build(context.Background(), *version); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context, version string) error {
	repository, err := artifacts.Find(".")
	if err != nil {
		return err
	}
	image, err := repository.ServiceImage(ctx, version)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n  %s\n  %.1f MB, %s\n", image.Ref, image.Digest, float64(image.Bytes)/1e6, image.Path)
	return nil
}
