// Command tools builds helm, helm4, kubectl and kube-score, at the versions that their modules name, into build/bin.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/detection-api/detection-api/tests/artifacts"
)

func main() {
	repository, err := artifacts.Find(".")
	if err == nil {
		err = repository.Tools(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}
