package main

import (
	"context"
	"flag"
	"fmt"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
)

const aboutRestore = `detection-api restore --backup-dir DIR --data-dir DIR [--backup NAME] [--replace] --yes

Puts a verified copy in the place of app.db. It refuses while a store has the data directory open, and when there is an
app.db, unless --replace sets that aside (nothing is deleted). It tells which copy it is, how old, and what will be lost;
without --yes that is all it does. The copy is verified before, and again where it was written.`

func runRestore(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("restore", flag.ContinueOnError)
	directory := directoryFlag(fs)
	r := backup.Restore{Now: time.Now, Tell: tell(io)}
	fs.StringVar(&r.Name, "backup", "", "`name` of the copy; empty: the newest")
	fs.StringVar(&r.DataDir, "data-dir", "", "`directory` that gets the app.db")
	fs.BoolVar(&r.Replace, "replace", false, "set an app.db that is there aside")
	fs.BoolVar(&r.Yes, "yes", false, "do it; without this it is only told what would happen")
	if err := parse(fs, aboutRestore, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if r.DataDir == "" {
		return wrongUsage("data-dir: want a directory")
	}
	var err error
	if r.Directory, err = directory(); err != nil {
		return err
	}
	syscall.Umask(0o077)
	if err := r.Run(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "restored and verified: %s/app.db; start the store\n", r.DataDir)
	return err
}
