// Command up takes a machine to detections on a TAK server: a cluster, the images, the chart, a TAK test server and the
// sample detections. `make up` and `make down` call it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/cluster"
	"github.com/detection-api/detection-api/tests/stack"
)

const about = `up: from nothing to detections on a TAK map.

Usage: up [flags]          bring everything up (or up to date)
       up -down [flags]    remove all of it

CLUSTER=kind|local|existing chooses the cluster; without it: existing if KUBECONFIG is set, else kind if Docker answers
and a node image can be had, else local (Linux, root).

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	fs := flag.NewFlagSet("up", flag.ExitOnError)
	name := fs.String("name", cluster.DefaultName, "`name` of the cluster; several can run side by side")
	down := fs.Bool("down", false, "remove the cluster and everything in it")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), about)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see -help", fs.Arg(0))
	}
	repository, err := artifacts.Find(".")
	if err != nil {
		return err
	}
	options := cluster.Options{Name: *name, NodePorts: stack.NodePorts(), Reuse: true, Log: out}
	if *down {
		return remove(ctx, repository, options)
	}
	return bringUp(ctx, out, repository, options)
}

func bringUp(ctx context.Context, out io.Writer, repository artifacts.Repository, options cluster.Options) error {
	start := time.Now()
	if err := repository.Tools(ctx); err != nil {
		return err
	}
	c, err := cluster.Start(ctx, options)
	if err != nil {
		return err
	}
	s, err := stack.New(repository, c, out)
	if err != nil {
		return err
	}
	if err := install(ctx, s); err != nil {
		return withEvidence(s, err)
	}
	api, err := s.API(ctx)
	if err != nil {
		return err
	}
	sightings, markers, err := s.SendSamples(ctx, api)
	if err != nil {
		return withEvidence(s, err)
	}
	if err := writeEnv(s, api.BaseURL, api.Token); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nWhat came out, beside where the objects were:\n\n")
	if err := stack.Print(out, sightings, markers); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe first event as it arrived:\n%s\n", markers[0].Event.Raw)
	printNext(out, s, api.BaseURL, time.Since(start))
	return stack.Check(sightings, markers)
}

func install(ctx context.Context, s *stack.Stack) error {
	tag, err := s.LoadImages(ctx, s.Repository.DevImage)
	if err != nil {
		return err
	}
	if err := s.InstallTAK(ctx); err != nil {
		return err
	}
	return s.InstallChart(ctx, tag)
}

// withEvidence keeps what the cluster knows about a failure.
func withEvidence(s *stack.Stack, cause error) error {
	dir := s.Repository.Build("evidence", "up")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Cluster.Export(ctx, dir); err != nil {
		return fmt.Errorf("%w (and its evidence could not be kept: %w)", cause, err)
	}
	return fmt.Errorf("%w (logs, events and objects are in %s)", cause, dir)
}

// writeEnv leaves what scripts need in build/up.env, readable by its owner only: it holds a token.
func writeEnv(s *stack.Stack, apiURL, token string) error {
	text := fmt.Sprintf("API_URL=%s\nAPI_TOKEN=%s\nKUBECONFIG=%s\nTAK_ADDR=%s\nTAK_CONTROL_URL=%s\n",
		apiURL, token, s.Cluster.Kubeconfig(), s.TAK.Addr, s.TAK.ControlURL)
	path := envFile(s.Repository)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

func envFile(repository artifacts.Repository) string { return repository.Build("up.env") }

func printNext(out io.Writer, s *stack.Stack, apiURL string, took time.Duration) {
	fmt.Fprintf(out, `
Up in %.0f s on a %s cluster.

  the API         %s (described for people: %s/api/v1/docs)
  the TAK server  %s (what it received: %s/events)
  for scripts     . build/up.env    # API_URL, API_TOKEN, KUBECONFIG, TAK_ADDR

Try it:
  . build/up.env; head -1 docs/samples/drone-shots.ndjson | curl -sS -H "Authorization: Bearer $API_TOKEN" -d @- $API_URL/api/v1/detections

Look around, switch the slots, switch back:
  export KUBECONFIG=%s PATH=$PWD/build/bin:$PATH
  kubectl -n %s get pods
  helm upgrade %s charts/detection-api -n %s --reset-then-reuse-values --set activeSlot=green
  helm upgrade %s charts/detection-api -n %s --reset-then-reuse-values --set activeSlot=blue

Stop it and remove everything:
  make down
`, took.Seconds(), s.Cluster.Provider(), apiURL, apiURL, s.TAK.Addr, s.TAK.ControlURL, s.Cluster.Kubeconfig(),
		stack.Namespace, stack.Release, stack.Namespace, stack.Release, stack.Namespace)
}

// remove takes down the cluster. On one that existed before, it removes what up installed.
func remove(ctx context.Context, repository artifacts.Repository, options cluster.Options) error {
	if err := uninstallFromExisting(ctx, repository, options); err != nil {
		return err
	}
	if err := cluster.Remove(ctx, options); err != nil {
		return err
	}
	if err := os.Remove(envFile(repository)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove build/up.env: %w", err)
	}
	fmt.Fprintln(options.Log, "down: done")
	return nil
}

func uninstallFromExisting(ctx context.Context, repository artifacts.Repository, options cluster.Options) error {
	provider, err := cluster.Choose(ctx, options.Provider)
	if err != nil || provider != cluster.Existing {
		return err // all of the cluster goes
	}
	c, err := cluster.Open(ctx, options)
	if err != nil { // after a `make down` KUBECONFIG may name a cluster that is gone
		fmt.Fprintln(options.Log, "down: nothing was removed from the cluster that KUBECONFIG names:", err)
		return nil
	}
	s, err := stack.New(repository, c, options.Log)
	if err != nil {
		return err
	}
	return s.Uninstall(ctx)
}
