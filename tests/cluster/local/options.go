// Package local runs a Kubernetes cluster on this machine without Docker and without a registry: the control plane as
// processes, each node as a machine made of Linux namespaces. It needs Linux and root.
package local

// Options says which cluster to start.
type Options struct {
	// Name tells clusters apart; see the package state for what is allowed.
	Name string
	// Workers is the number of nodes.
	Workers int
	// CacheDir holds parts/ (built programs) and clusters/ (state).
	CacheDir string
	// Progress is told what happens, one line at a time. It must not be nil.
	Progress func(line string)
}
