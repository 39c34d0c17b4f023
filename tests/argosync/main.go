// Command argosync syncs manifests to a cluster as Argo CD 3.6 does, with Argo CD's own engine, and tells every step. It
// is a module of its own: the engine needs a newer Go than the rest of the harness.
//
//	helm template ... > manifests.yaml
//	argosync -kubeconfig FILE -application application.yaml -manifests manifests.yaml </dev/null
//
// The Application names the namespace, the sync options and the ignored differences. Each step is one line of JSON on
// standard output: one call of the engine's Sync, as Argo CD's controller makes it, with the live state read anew before
// it. After each line the program waits for a line on standard input, so that a test can look at the cluster between two
// steps; at the end of the input it goes on by itself.
//
// What Argo CD does outside its engine is left out: projects, resource customisations in Lua, and the diff that decides
// whether a sync is due at all.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

type flags struct {
	kubeconfig, application, manifests string
	waveDelay, interval                time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.kubeconfig, "kubeconfig", "", "`file` that names the cluster")
	flag.StringVar(&f.application, "application", "", "`file` with the Application")
	flag.StringVar(&f.manifests, "manifests", "", "`file` with the rendered manifests")
	flag.DurationVar(&f.waveDelay, "wave-delay", 2*time.Second, "pause after each wave but the last")
	flag.DurationVar(&f.interval, "interval", 200*time.Millisecond, "pause between two steps")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "argosync:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // the caller's cluster is its own: no need to be gentle
	config.WarningHandler = rest.NoWarnings{}
	app, err := loadApplication(f.application)
	if err != nil {
		return err
	}
	s := &syncer{application: app, config: config, waveDelay: f.waveDelay}
	if s.targets, err = loadManifests(f.manifests); err != nil {
		return err
	}
	return s.run(ctx, newPacer(os.Stdin, f.interval), json.NewEncoder(os.Stdout))
}

// run steps until the operation is over.
func (s *syncer) run(ctx context.Context, pace *pacer, output *json.Encoder) error {
	for {
		step, err := s.step(ctx)
		if err != nil {
			return err
		}
		if err := output.Encode(step); err != nil {
			return err
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
		if s.phase.Completed() {
			break
		}
	}
	if !s.phase.Successful() {
		return errors.New("sync " + string(s.phase) + ": " + s.message)
	}
	return nil
}
