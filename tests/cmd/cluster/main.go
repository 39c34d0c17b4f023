// Command cluster starts, lists and removes clusters of the test harness by hand.
//
//	cluster up [-name N] [-provider P] [-workers N] [-reuse]
//	cluster down [-name N] [-provider P]
//	cluster list [-provider P]
//	cluster env [-name N] [-provider P]
//	cluster load-image [-name N] [-provider P] ARCHIVE...
//	cluster export [-name N] [-provider P] DIRECTORY
//
// Without -provider the variable CLUSTER decides, and without that the machine: see the package cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/detection-api/detection-api/tests/cluster"
)

// usageText names the commands; flags are told by each command's -h.
const usageText = "usage: cluster up|down|list|env|load-image|export [flags] [arguments]"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New(usageText)
	}
	opts := cluster.Options{Log: os.Stderr}
	flags := flag.NewFlagSet("cluster "+arguments[0], flag.ContinueOnError)
	flags.StringVar(&opts.Name, "name", cluster.DefaultName, "name of the cluster")
	flags.StringVar(&opts.Provider, "provider", "", "existing, kind or local")
	flags.StringVar(&opts.CacheDir, "cache-dir", "", "directory of programs and state (default: under the user's cache directory)")
	flags.IntVar(&opts.Workers, "workers", 3, "number of nodes that run pods (up)")
	flags.BoolVar(&opts.Reuse, "reuse", false, "use a healthy cluster of that name instead of replacing it (up)")
	command, ok := commands()[arguments[0]]
	if !ok {
		return fmt.Errorf("unknown command %q; %s", arguments[0], usageText)
	}
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	return command(ctx, opts, flags.Args())
}

type command func(ctx context.Context, opts cluster.Options, arguments []string) error

func commands() map[string]command {
	return map[string]command{
		"up": up, "down": down, "list": list, "env": env, "load-image": loadImage, "export": export,
	}
}

func up(ctx context.Context, opts cluster.Options, _ []string) error {
	c, err := cluster.Start(ctx, opts)
	if err != nil {
		return err
	}
	return printEnv(c)
}

func down(ctx context.Context, opts cluster.Options, _ []string) error {
	return cluster.Remove(ctx, opts)
}

func list(ctx context.Context, opts cluster.Options, _ []string) error {
	names, err := cluster.List(ctx, opts)
	for _, name := range names {
		fmt.Println(name)
	}
	return err
}

func env(ctx context.Context, opts cluster.Options, _ []string) error {
	c, err := cluster.Open(ctx, opts)
	if err != nil {
		return err
	}
	return printEnv(c)
}

// printEnv prints what a shell can evaluate.
func printEnv(c *cluster.Cluster) error {
	path, err := filepath.Abs(c.Kubeconfig())
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%q\n", path)
	return nil
}

func loadImage(ctx context.Context, opts cluster.Options, archives []string) error {
	if len(archives) == 0 {
		return errors.New("load-image: no archive given")
	}
	c, err := cluster.Open(ctx, opts)
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if err := c.LoadImage(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

func export(ctx context.Context, opts cluster.Options, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("export: want one directory")
	}
	c, err := cluster.Open(ctx, opts)
	if err != nil {
		return err
	}
	return c.Export(ctx, arguments[0])
}
