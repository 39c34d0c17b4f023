// Package tests holds the acceptance tests of the chart and the service on a real cluster. They install by the README's
// own commands, send detections, break things and count what reaches the TAK server.
//
//	go test ./tests -run TestSwitch -provider local -v
//
// Without -provider the variable CLUSTER chooses, and without that the machine (see package cluster).
package tests

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/cluster"
	"github.com/detection-api/detection-api/tests/detectionapi"
	"github.com/detection-api/detection-api/tests/stack"
)

// suite is shared by the tests, because a cluster is; TestMain cannot hand it over another way.
var suite environment

type environment struct {
	options cluster.Options
	keep    bool
	start   func() (*stack.Stack, error)

	mu    sync.Mutex
	stack *stack.Stack // nil until the first test needs it
}

func TestMain(m *testing.M) {
	flag.StringVar(&suite.options.Provider, "provider", "", "cluster `provider`: existing, kind or local; empty: $CLUSTER, else chosen")
	flag.StringVar(&suite.options.Name, "cluster", "detection-api-test", "`name` of the cluster")
	flag.BoolVar(&suite.options.Reuse, "reuse", false, "take over a healthy cluster of that name")
	flag.BoolVar(&suite.keep, "keep", false, "leave the cluster running, to look around or for -reuse")
	flag.Parse()
	suite.options.NodePorts = stack.NodePorts()
	suite.options.Log = os.Stderr
	suite.start = sync.OnceValues(suite.bringUp)
	code := m.Run()
	if err := suite.tearDown(); err != nil {
		fmt.Fprintln(os.Stderr, "tear down:", err)
		code = 1
	}
	os.Exit(code)
}

// bringUp starts the cluster with the images on it and the TAK test server in it. The chart is the tests' own business.
// With an error the stack is what there is to keep evidence of, if any.
func (e *environment) bringUp() (*stack.Stack, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Minute) // a cold cache builds Kubernetes
	defer cancel()
	repository, err := artifacts.Find(".")
	if err != nil {
		return nil, err
	}
	if err := repository.Tools(ctx); err != nil {
		return nil, err
	}
	// Terratest runs helm and kubectl by name.
	if err := os.Setenv("PATH", repository.Build("bin")+":"+os.Getenv("PATH")); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, e.options)
	if err != nil {
		return nil, err
	}
	s, err := stack.New(repository, c, e.options.Log)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.stack = s
	e.mu.Unlock()
	version, err := repository.ChartAppVersion()
	if err != nil {
		return nil, err
	}
	build := func(ctx context.Context) (artifacts.Image, error) { return repository.ServiceImage(ctx, version) }
	if _, err := s.LoadImages(ctx, build); err != nil {
		return s, err
	}
	return s, s.InstallTAK(ctx)
}

func (e *environment) tearDown() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stack == nil || e.keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return e.stack.Cluster.Stop(ctx)
}

// start returns the running stack. When the test fails, everything the cluster knows is kept for it.
func start(t *testing.T) *stack.Stack {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a cluster; -short asks for the fast tests only")
	}
	s, err := suite.start()
	if s != nil {
		t.Cleanup(func() { keepEvidence(t, s) })
	}
	require.NoError(t, err, "bring up the cluster")
	return s
}

func keepEvidence(t *testing.T, s *stack.Stack) {
	if !t.Failed() {
		return
	}
	dir := s.Repository.Build("evidence", strings.ReplaceAll(t.Name(), "/", "_"))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.Cluster.Export(ctx, dir); err != nil {
		t.Logf("keep the evidence: %v", err)
	}
	t.Logf("logs, events and objects are kept in %s", dir)
}

// installed returns the stack with the production release on it, reachable from here, and a client of its API.
func installed(t *testing.T) (*stack.Stack, *detectionapi.Client) {
	t.Helper()
	s := start(t)
	require.NoError(t, release.install(t, s), "install the release")
	api, err := s.API(t.Context())
	require.NoError(t, err)
	return s, api
}

// progress is where a test writes what it measured, so that it is seen without -v.
func progress() io.Writer { return os.Stderr }
