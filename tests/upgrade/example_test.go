package upgrade_test

import (
	"context"
	"fmt"
	"log"

	"github.com/detection-api/detection-api/tests/upgrade"
)

// A plan needs released versions that differ from the new chart; with Config set to a cluster it would install them.
func Example() {
	next, err := upgrade.Load("../testdata/charts/notes-board")
	if err != nil {
		log.Fatal(err)
	}
	_, err = upgrade.Plan{
		Release: "board", From: []*upgrade.Chart{next}, To: next,
		Namespace: func(context.Context, *upgrade.Chart, upgrade.Pair) (string, error) { return "default", nil },
	}.Run(context.Background())
	fmt.Println(err)
	// Output: upgrade plan: both charts are version 1.3.0: an upgrade between them proves nothing
}
