//go:build !linux

package local

import (
	"context"
	"errors"
)

var errPlatform = errors.New("the provider local needs Linux: use kind or existing")

// Cluster is never made on this platform.
type Cluster struct{}

// Start reports that this platform cannot run it.
func Start(context.Context, Options) (*Cluster, error) { return nil, errPlatform }

// Open reports that this platform cannot run it.
func Open(context.Context, Options) (*Cluster, error) { return nil, errPlatform }

// Remove reports that this platform cannot run it.
func Remove(context.Context, Options) error { return errPlatform }

// Names finds no cluster.
func Names(string) ([]string, error) { return nil, nil }

// Check reports that this platform cannot run it.
func Check() error { return errPlatform }

// Kubeconfig is empty.
func (*Cluster) Kubeconfig() string { return "" }

// NodePortHost is empty.
func (*Cluster) NodePortHost() string { return "" }

// HostAddress is empty.
func (*Cluster) HostAddress() string { return "" }

// ProbeImage is empty.
func (*Cluster) ProbeImage() string { return "" }

// Healthy reports that this platform cannot run it.
func (*Cluster) Healthy(context.Context) error { return errPlatform }

// LoadImage reports that this platform cannot run it.
func (*Cluster) LoadImage(context.Context, string) error { return errPlatform }

// Export reports that this platform cannot run it.
func (*Cluster) Export(context.Context, string) error { return errPlatform }

// Stop does nothing.
func (*Cluster) Stop(context.Context) error { return nil }
