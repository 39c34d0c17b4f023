package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/sqlite"
	"github.com/detection-api/detection-api/app/internal/storeapi"
)

// dispatch runs one of a command's commands; names says which there are, for the message.
func dispatch(ctx context.Context, io streams, args []string, about, names string, runs map[string]runner) error {
	if len(args) == 0 {
		return wrongUsage("want %s", names)
	}
	if args[0] == "-h" || args[0] == "--help" {
		_, err := fmt.Fprint(io.out, about)
		return err
	}
	run, known := runs[args[0]]
	if !known {
		return wrongUsage("unknown command %q: want %s", args[0], names)
	}
	return run(ctx, io, args[1:])
}

// storeFlags name the store that an operator works on.
type storeFlags struct {
	url, token, tokenFile, dataDir string
	timeout                        time.Duration
	anyFileSystem                  bool
}

func (f *storeFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.url, "store-url", "", "`URL` of the store role")
	fs.StringVar(&f.token, "store-token", "", "`secret` shared with the store role")
	fs.StringVar(&f.tokenFile, "store-token-file", "", "`file` with the secret shared with the store role")
	fs.StringVar(&f.dataDir, "data-dir", "", "`directory` of app.db, without --store-url")
	allowNetworkFileSystem(fs, &f.anyFileSystem)
	fs.DurationVar(&f.timeout, "timeout", time.Hour, "how long all of it may take")
}

func (f *storeFlags) check() error {
	if f.timeout <= 0 {
		return wrongUsage("timeout: want more than 0, got %v", f.timeout)
	}
	if f.url == "" && f.dataDir == "" {
		return wrongUsage("store-url or data-dir: want one of them")
	}
	return nil
}

// client connects to the store at --store-url.
func (f *storeFlags) client() (*storeapi.Client, error) {
	if err := checkStoreURL(f.url); err != nil {
		return nil, err
	}
	token, err := secret("store-token", f.token, f.tokenFile)
	if err != nil {
		return nil, err
	}
	if err := checkStoreToken(token); err != nil {
		return nil, err
	}
	return storeapi.NewClient(storeapi.ClientOptions{BaseURL: f.url, Token: token, Timeout: 30 * time.Second})
}

// database is the app.db in --data-dir, which must be there: nothing is made by looking at it.
func (f *storeFlags) database() (string, error) {
	path := filepath.Join(f.dataDir, "app.db")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no app.db in %s", f.dataDir)
	}
	return path, nil
}

// operate runs something on the store that the flags name. A data directory is opened as the service would do it, so it
// must not run there.
func (f *storeFlags) operate(ctx context.Context, run func(context.Context, detection.Operations) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if f.url != "" {
		client, err := f.client()
		if err != nil {
			return err
		}
		defer client.Close() // it holds nothing back
		return run(ctx, client)
	}
	if _, err := f.database(); err != nil {
		return err
	}
	syscall.Umask(0o077)
	store, err := sqlite.OpenStore(ctx, sqlite.StoreOptions{Options: sqlite.Options{
		Dir: f.dataDir, MinFreeBytes: -1, AllowNetworkFileSystem: f.anyFileSystem,
	}})
	if err != nil {
		return err
	}
	err = run(ctx, store)
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	return err
}

// pageSize is how many rows are asked for at a time.
const pageSize = 500

// pages calls next with the sizes of pages until limit rows (0: all) have come or a page is not full.
func pages(limit int64, next func(size int) (int, error)) error {
	for done := int64(0); limit == 0 || done < limit; {
		size := pageSize
		if limit > 0 {
			size = int(min(pageSize, limit-done))
		}
		n, err := next(size)
		if done += int64(n); err != nil || n < size {
			return err
		}
	}
	return nil
}

// printLines writes each as a line of JSON.
func printLines[T any](io streams, list []T) error {
	enc := json.NewEncoder(io.out)
	enc.SetEscapeHTML(false)
	for _, one := range list {
		if err := enc.Encode(one); err != nil {
			return err
		}
	}
	return nil
}
