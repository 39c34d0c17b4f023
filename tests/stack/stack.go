// Package stack brings up everything between a camera and a map: a cluster, the images, a TAK test server and a release of
// the chart. `make up` and the cluster tests stand on it.
package stack

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/cluster"
	"github.com/detection-api/detection-api/tests/detectionapi"
)

// Names and ports of what is brought up. The node ports are fixed so that kind can map them beforehand.
const (
	Namespace = "detection-system"
	Release   = "detection-api"
	// TAKEndpoint is the TAK test server as pods see it.
	TAKEndpoint = "takserver.tak.svc:8087"

	APINodePort        int32 = 30800
	TAKNodePort        int32 = 30087
	TAKControlNodePort int32 = 30880
)

// NodePorts are all of them, for cluster.Options.
func NodePorts() []int32 { return []int32{APINodePort, TAKNodePort, TAKControlNodePort} }

// Stack is what is running.
type Stack struct {
	Repository artifacts.Repository
	Cluster    *cluster.Cluster
	Kube       kubernetes.Interface
	TAK        *TAK
	Log        io.Writer // progress, a line each
}

// New ties a running cluster to a checkout. Nothing is installed yet.
func New(repository artifacts.Repository, c *cluster.Cluster, log io.Writer) (*Stack, error) {
	kube, err := c.Client()
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Stack{
		Repository: repository, Cluster: c, Kube: kube, Log: log,
		TAK: &TAK{ControlURL: c.NodePortURL(TAKControlNodePort), Addr: c.NodePortAddress(TAKNodePort)},
	}, nil
}

// API returns a client of the active slot with a fresh token.
func (s *Stack) API(ctx context.Context) (*detectionapi.Client, error) {
	token, err := s.Token(ctx, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	return detectionapi.New(s.Cluster.NodePortURL(APINodePort), token), nil
}

// step says what is done and, when it is over, how long it took.
func (s *Stack) step(what string, f func() error) error {
	fmt.Fprintf(s.Log, "%s ...\n", what)
	start := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(s.Log, "%s: done in %.1f s\n", what, time.Since(start).Seconds())
	return nil
}
