package main

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const aboutDeadLetters = `detection-api deadletters COMMAND [flags]

Dead letters are detections whose delivery to TAK was given up: their event cannot be encoded, or TAK hangs up on it. They
are in the record, and an operator decides what becomes of their delivery.

Commands:
  list     show them as JSON lines, in the order in which they were accepted
  redrive  have them delivered after all: ID... or --all
  purge    give their delivery up for good: ID... or --all; the detections stay in the record
`

func runDeadLetters(ctx context.Context, io streams, args []string) error {
	return dispatch(ctx, io, args, aboutDeadLetters, "list, redrive or purge", map[string]runner{
		"list": runDeadLettersList, "redrive": runDeadLettersRedrive, "purge": runDeadLettersPurge,
	})
}

const aboutDeadLettersList = `detection-api deadletters list [flags]

Shows dead letters as JSON lines, in the order in which they were accepted, of a running store (--store-url) or of a
--data-dir on which no service runs.`

func runDeadLettersList(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("deadletters list", flag.ContinueOnError)
	var f storeFlags
	f.register(fs)
	after := fs.String("after", "", "`id` of the detection to start after")
	limit := fs.Int64("limit", 0, "how many at most; 0: all")
	if err := parse(fs, aboutDeadLettersList, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if *limit < 0 {
		return wrongUsage("limit: want 0 or more, got %d", *limit)
	}
	if err := f.check(); err != nil {
		return err
	}
	return f.operate(ctx, func(ctx context.Context, store detection.Operations) error {
		return pages(*limit, func(size int) (int, error) {
			letters, err := store.DeadLetters(ctx, *after, size)
			if err != nil || len(letters) == 0 {
				return 0, err
			}
			*after = letters[len(letters)-1].ID
			return len(letters), printLines(io, letters)
		})
	})
}

const aboutDeadLettersRedrive = `detection-api deadletters redrive --operator NAME --reason TEXT [flags] ID... | --all

Has dead letters delivered after all: any serving pod takes them, in the order in which they were accepted. Do it when the
cause is mended; what fails again comes back as a dead letter. The order goes into the audit trail.`

func runDeadLettersRedrive(ctx context.Context, io streams, args []string) error {
	return runOrder(ctx, io, args, aboutDeadLettersRedrive, "redrive", "redriven", detection.Operations.Redrive)
}

const aboutDeadLettersPurge = `detection-api deadletters purge --operator NAME --reason TEXT [flags] ID... | --all

Gives the delivery of dead letters up for good. The detections stay in the record. The order goes into the audit trail.`

func runDeadLettersPurge(ctx context.Context, io streams, args []string) error {
	return runOrder(ctx, io, args, aboutDeadLettersPurge, "purge", "purged", detection.Operations.Purge)
}

// orderFlags are those of redrive and purge.
type orderFlags struct {
	storeFlags
	order detection.Order
	all   bool
	ids   []string
}

func (f *orderFlags) parse(io streams, name, about string, args []string) error {
	fs := flag.NewFlagSet("deadletters "+name, flag.ContinueOnError)
	f.register(fs)
	fs.StringVar(&f.order.Operator, "operator", "", "`name` of who gives the order, for the audit trail")
	fs.StringVar(&f.order.Reason, "reason", "", "`text` that says why, for the audit trail")
	fs.BoolVar(&f.all, "all", false, "all dead letters that there are when it begins")
	if err := parse(fs, about, io.out, args); err != nil {
		return err
	}
	f.ids = fs.Args()
	if f.all == (len(f.ids) > 0) {
		return wrongUsage("want ids or --all; flags come before ids")
	}
	if err := f.order.Check(); err != nil {
		return &usageError{err}
	}
	return f.check()
}

type orderFunc func(store detection.Operations, ctx context.Context, ids []string, order detection.Order) (int, error)

// runOrder settles dead letters in pages. With --all each is settled at most once, also when it comes back meanwhile.
func runOrder(ctx context.Context, io streams, args []string, about, name, done string, settle orderFunc) error {
	var f orderFlags
	if err := f.parse(io, name, about, args); err != nil {
		return err
	}
	total := 0
	err := f.operate(ctx, func(ctx context.Context, store detection.Operations) error {
		if !f.all {
			for ids := range slices.Chunk(f.ids, pageSize) {
				n, err := settle(store, ctx, ids, f.order)
				if total += n; err != nil {
					return err
				}
			}
			return nil
		}
		after := ""
		return pages(0, func(size int) (int, error) {
			letters, err := store.DeadLetters(ctx, after, size)
			if err != nil || len(letters) == 0 {
				return 0, err
			}
			ids := make([]string, len(letters))
			for i := range letters {
				ids[i] = letters[i].ID
			}
			after = ids[len(ids)-1]
			n, err := settle(store, ctx, ids, f.order)
			total += n
			return len(letters), err
		})
	})
	fmt.Fprintf(io.out, "%d %s\n", total, done)
	if err == nil && !f.all && total < len(f.ids) {
		err = fmt.Errorf("%d of %d ids are no dead letters", len(f.ids)-total, len(f.ids))
	}
	return err
}
