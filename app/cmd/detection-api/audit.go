package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
)

const aboutAudit = `detection-api audit COMMAND [flags]

The audit trail has an entry for all that happens to a detection. Each holds the hash of the one before.

Commands:
  verify  follow the trail from end to end and hold each detection against it
  list    show entries as JSON lines
`

func runAudit(ctx context.Context, io streams, args []string) error {
	return dispatch(ctx, io, args, aboutAudit, "verify or list", map[string]runner{
		"verify": runAuditVerify, "list": runAuditList,
	})
}

const aboutAuditVerify = `detection-api audit verify [flags]

Follows the hash chain from its first entry, or from where retention has cut it, and holds each detection against the entry
that says it was accepted. A detection that is gone must have been removed by retention, which leaves an entry. It tells the
newest entry's number and hash: compare them with what was told earlier, because whoever rewrites all of it is found by
nothing else. The exit code is 1 when something does not fit, with the first broken entry.

With --data-dir it reads app.db where it is and changes nothing, whether the service runs or not. With --store-url it reads
a copy, which it makes in --work-dir and removes.`

func runAuditVerify(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	var f storeFlags
	f.register(fs)
	work := fs.String("work-dir", "", "`directory` for the copy of a running store (default: that for temporary files)")
	if err := parse(fs, aboutAuditVerify, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	census, err := f.census(ctx, *work)
	var broken *sqlite.BrokenAuditError
	if errors.As(err, &broken) {
		fmt.Fprintf(io.out, "BAD  first broken entry %d, sound up to %d\n", broken.Seq, broken.After)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "good %d entries from %d to %d, head %s, %d detections\n",
		census.AuditEntries-census.AuditFloor, min(census.AuditFloor+1, census.AuditEntries), census.AuditEntries,
		orNone(census.AuditHead), census.Detections)
	return err
}

func orNone(head string) string {
	if head == "" {
		return "none"
	}
	return head
}

// census reads the store that the flags name from end to end.
func (f *storeFlags) census(ctx context.Context, work string) (sqlite.Census, error) {
	if f.url == "" {
		path, err := f.database()
		if err != nil {
			return sqlite.Census{}, err
		}
		return sqlite.InspectLive(ctx, path)
	}
	client, err := f.client()
	if err != nil {
		return sqlite.Census{}, err
	}
	defer client.Close() // it holds nothing back
	dir, err := os.MkdirTemp(work, "detection-api-audit-*")
	if err != nil {
		return sqlite.Census{}, fmt.Errorf("make a directory for the copy: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "app.db")
	source := backup.Remote{Client: client, Pause: time.Second}
	if _, err := source.Copy(ctx, path, func(int64) error { return nil }); err != nil {
		return sqlite.Census{}, fmt.Errorf("copy the store: %w", err)
	}
	return sqlite.Inspect(ctx, path)
}

const aboutAuditList = `detection-api audit list [flags]

Shows entries of the audit trail as JSON lines, of a running store (--store-url) or of a --data-dir on which no service runs.`

func runAuditList(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("audit list", flag.ContinueOnError)
	var f storeFlags
	f.register(fs)
	after := fs.Int64("after", 0, "`number` of the entry to start after")
	limit := fs.Int64("limit", 0, "how many at most; 0: all")
	if err := parse(fs, aboutAuditList, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if *after < 0 || *limit < 0 {
		return wrongUsage("after and limit: want 0 or more, got %d and %d", *after, *limit)
	}
	if err := f.check(); err != nil {
		return err
	}
	return f.operate(ctx, func(ctx context.Context, store detection.Operations) error {
		return pages(*limit, func(size int) (int, error) {
			entries, err := store.Audit(ctx, *after, size)
			if err != nil || len(entries) == 0 {
				return 0, err
			}
			*after = entries[len(entries)-1].Seq
			return len(entries), printLines(io, entries)
		})
	})
}
