package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const aboutCheck = `detection-api check [flags] URL...

Asks each URL and prints one line for it. The exit code is 0 only when all of them answer 200.`

func runCheck(ctx context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	timeout := fs.Duration("timeout", 5*time.Second, "how long one answer may take")
	retries := fs.Int64("retries", 0, "how often a URL is asked again, a second later each time")
	if err := parse(fs, aboutCheck, io.out, args); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return wrongUsage("want at least one URL")
	}
	if *timeout <= 0 || *retries < 0 {
		return wrongUsage("timeout and retries: want more than 0 and at least 0, got %v and %d", *timeout, *retries)
	}
	for _, target := range fs.Args() {
		if u, err := url.Parse(target); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return wrongUsage("want URLs such as http://host:8000/ready, got %q", target)
		}
	}
	client := &http.Client{Timeout: *timeout}
	failed := 0
	for _, target := range fs.Args() {
		if err := checkURL(ctx, client, target, *retries); err != nil {
			failed++
			fmt.Fprintf(io.out, "FAIL %s: %v\n", target, err)
			continue
		}
		fmt.Fprintf(io.out, "ok   %s\n", target)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d did not answer 200", failed, fs.NArg())
	}
	return nil
}

// checkURL asks until the answer is 200 or the retries are used up.
func checkURL(ctx context.Context, client *http.Client, target string, retries int64) error {
	for {
		err := ask(ctx, client, target)
		if err == nil || retries == 0 {
			return err
		}
		retries--
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func ask(ctx context.Context, client *http.Client, target string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // for people; the status is what counts
	return fmt.Errorf("%s: %q", response.Status, said)
}
