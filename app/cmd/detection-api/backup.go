package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/detection-api/detection-api/app/internal/backup"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

const aboutBackup = `detection-api backup COMMAND [flags]

Keeps verified copies of app.db in --backup-dir.

Commands:
  run     take a copy of a running store (--store-url) or of a --data-dir, verify it and keep it
  verify  read copies again from end to end: [FILE], --all, or the newest
  list    show the copies, newest first
  prune   remove copies older than --retention-days, never the newest sound one
`

func runBackup(ctx context.Context, io streams, args []string) error {
	runs := map[string]runner{
		"run": runBackupRun, "verify": runBackupVerify, "list": runBackupList, "prune": runBackupPrune,
	}
	if len(args) == 0 {
		return wrongUsage("want run, verify, list or prune")
	}
	if args[0] == "-h" || args[0] == "--help" {
		_, err := fmt.Fprint(io.out, aboutBackup)
		return err
	}
	run, known := runs[args[0]]
	if !known {
		return wrongUsage("unknown command %q: want run, verify, list or prune", args[0])
	}
	return run(ctx, io, args[1:])
}

// directoryFlag adds --backup-dir; the function that it returns checks it.
func directoryFlag(fs *flag.FlagSet) func() (backup.Directory, error) {
	dir := fs.String("backup-dir", "", "`directory` of the copies")
	return func() (backup.Directory, error) {
		if *dir == "" {
			return backup.Directory{}, wrongUsage("backup-dir: want a directory")
		}
		return backup.Directory{Path: *dir}, nil
	}
}

const aboutBackupRun = `detection-api backup run --backup-dir DIR [flags]

Takes a copy of the store at --store-url while it goes on, or of app.db in --data-dir when there is no --store-url, whether
the service runs or not. The copy is read back and checked before it counts: SQLite's integrity, the numbers of rows, the
audit trail's hash chain, each detection against it. A failure leaves nothing that looks like a copy, and the exit code is 1.`

// runFlags are the flags of backup run before they are checked.
type runFlags struct {
	storeURL, token, tokenFile, dataDir string
	wait, timeout                       time.Duration
}

func runBackupRun(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("backup run", flag.ContinueOnError)
	directory := directoryFlag(fs)
	var f runFlags
	fs.StringVar(&f.storeURL, "store-url", "", "`URL` of the store role")
	fs.StringVar(&f.token, "store-token", "", "`secret` shared with the store role")
	fs.StringVar(&f.tokenFile, "store-token-file", "", "`file` with the secret shared with the store role")
	fs.StringVar(&f.dataDir, "data-dir", "", "`directory` of app.db, without --store-url")
	fs.DurationVar(&f.wait, "store-wait", 0, "how long a store that cannot be reached is asked again")
	fs.DurationVar(&f.timeout, "timeout", time.Hour, "how long all of it may take")
	if err := parse(fs, aboutBackupRun, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	dir, err := directory()
	if err != nil {
		return err
	}
	if f.timeout <= 0 || f.wait < 0 {
		return wrongUsage("timeout and store-wait: want more than 0 and at least 0, got %v and %v", f.timeout, f.wait)
	}
	source, done, err := f.source()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	syscall.Umask(0o077)
	began := time.Now()
	m, err := backup.Job{Source: source, Directory: dir, Now: time.Now, Progress: tell(io)}.Run(ctx)
	if err != nil {
		return err
	}
	if f.dataDir != "" && f.storeURL == "" {
		tellSameDevice(io, f.dataDir, dir.Path)
	}
	_, err = fmt.Fprintf(io.out, "%s: %d detections, %d audit entries, %d bytes, SHA-256 %.12s, verified; took %v\n",
		m.Name, m.Detections, m.AuditEntries, m.Bytes, m.SHA256, time.Since(began).Round(time.Millisecond))
	return err
}

// tell prints what happens, one line each, to standard error.
func tell(io streams) func(format string, args ...any) {
	return func(format string, args ...any) { fmt.Fprintf(io.err, format+"\n", args...) }
}

// source is what the flags name, and what gives it up.
func (f runFlags) source() (backup.Source, func(), error) {
	if f.storeURL == "" {
		if f.dataDir == "" {
			return nil, nil, wrongUsage("store-url or data-dir: want one of them")
		}
		return backup.Local{DataDir: f.dataDir, Version: version, Now: time.Now}, func() {}, nil
	}
	if err := checkStoreURL(f.storeURL); err != nil {
		return nil, nil, err
	}
	token, err := secret("store-token", f.token, f.tokenFile)
	if err != nil {
		return nil, nil, err
	}
	if err := checkStoreToken(token); err != nil {
		return nil, nil, err
	}
	client, err := storeapi.NewClient(storeapi.ClientOptions{BaseURL: f.storeURL, Token: token, Timeout: 30 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	return backup.Remote{Client: client, Wait: f.wait}, func() { _ = client.Close() }, nil // it has sent nothing that could be lost
}

func checkStoreURL(text string) error {
	if u, err := url.Parse(text); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return wrongUsage("store-url: want http://host:port, got %q", text)
	}
	return nil
}

const aboutBackupVerify = `detection-api backup verify --backup-dir DIR [FILE | --all]

Reads a copy from end to end and holds it against its manifest: size, SHA-256, and all that backup run checks. Without
FILE it takes the newest copy. The exit code is 1 when one is not sound.`

func runBackupVerify(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("backup verify", flag.ContinueOnError)
	dir := fs.String("backup-dir", "", "`directory` of the copies; not needed with the path of a FILE")
	all := fs.Bool("all", false, "every copy in the directory")
	if err := parse(fs, aboutBackupVerify, io.out, args); err != nil {
		return err
	}
	if fs.NArg() > 1 || fs.NArg() == 1 && *all {
		return wrongUsage("want one FILE or --all")
	}
	if strings.ContainsRune(fs.Arg(0), filepath.Separator) {
		*dir = filepath.Dir(fs.Arg(0))
	}
	if *dir == "" {
		return wrongUsage("backup-dir: want a directory")
	}
	d := backup.Directory{Path: *dir}
	entries, err := chosen(d, fs.Arg(0), *all)
	if err != nil {
		return err
	}
	bad := 0
	for _, e := range entries {
		if err := d.Verify(ctx, e); err != nil {
			bad++
			fmt.Fprintf(io.out, "BAD  %v\n", err)
			continue
		}
		fmt.Fprintf(io.out, "good %s: %d detections, audit head %.12s\n", e.Name, e.Detections, e.AuditHead)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d copies are not sound", bad, len(entries))
	}
	return nil
}

// chosen are the copies to verify: all, the named one, or the newest, sound or not.
func chosen(d backup.Directory, name string, all bool) ([]backup.Entry, error) {
	if name != "" {
		e, err := d.Find(name)
		return []backup.Entry{e}, err
	}
	entries, _, err := d.List()
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("there is no copy in %s", d.Path)
	}
	if err != nil || all {
		return entries, err
	}
	return entries[:1], nil
}

const aboutBackupList = `detection-api backup list --backup-dir DIR

Shows the copies, newest first. It looks at names, sizes and manifests only; backup verify reads them.`

func runBackupList(_ context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("backup list", flag.ContinueOnError)
	directory := directoryFlag(fs)
	if err := parse(fs, aboutBackupList, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	dir, err := directory()
	if err != nil {
		return err
	}
	entries, leftovers, err := dir.List()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tAGE\tBYTES\tDETECTIONS\tVERIFIED\tSTORE")
	for _, e := range entries {
		if e.Problem != nil {
			fmt.Fprintf(table, "%s\t\t\t\tunusable: %v\t\n", e.Name, e.Problem)
			continue
		}
		fmt.Fprintf(table, "%s\t%v\t%d\t%d\t%s\t%s\n", e.Name, time.Since(e.TakenAt).Round(time.Second), e.Bytes, e.Detections,
			e.VerifiedAt.Format(time.RFC3339), e.Store)
	}
	for _, name := range leftovers {
		fmt.Fprintf(table, "%s\t\t\t\tleft by a run that did not end\t\n", name)
	}
	return table.Flush()
}

const aboutBackupPrune = `detection-api backup prune --backup-dir DIR [--retention-days 30]

Removes copies that are older, and what runs that did not end left more than a day ago. The newest copy that still has its
hash stays, however old it is.`

func runBackupPrune(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("backup prune", flag.ContinueOnError)
	directory := directoryFlag(fs)
	days := fs.Int64("retention-days", 30, "age in `days` above which copies are removed")
	if err := parse(fs, aboutBackupPrune, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if *days < 1 || *days > 36500 {
		return wrongUsage("retention-days: want 1 to 36500, got %d", *days)
	}
	dir, err := directory()
	if err != nil {
		return err
	}
	removed, err := dir.Prune(ctx, time.Duration(*days)*24*time.Hour, time.Now())
	for _, name := range removed {
		fmt.Fprintf(io.out, "removed %s\n", name)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%d removed\n", len(removed))
	return err
}
