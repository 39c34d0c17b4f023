package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/detection-api/detection-api/tests/cluster/local/lock"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
)

// startTimeout bounds a start whose programs are in the cache.
const startTimeout = 90 * time.Second

// defaultLostAfter is shorter than the 50 s of Kubernetes: tests wait for it.
const defaultLostAfter = 20 * time.Second

// Options says what control plane to start. The zero value is a good one.
type Options struct {
	// Cache is the directory of the built programs. Empty means detection-api under the user's cache directory, which is
	// shared with the local cluster.
	Cache string
	// Log is told what happens, one line at a time. Nil means nobody is.
	Log io.Writer
	// LogDirectory is where the programs' logs go and stay. Empty means a directory that Close removes, unless Keep was
	// called.
	LogDirectory string
	// AuditPolicy is the path of an audit policy; the audit log is then written to [ControlPlane.AuditLog].
	AuditPolicy string
	// EncryptionConfiguration is the path of an EncryptionConfiguration.
	EncryptionConfiguration string
	// LostAfter is how long a node may be silent before Kubernetes takes it for lost, 20 s if it is 0. Nodes give a sign of
	// life twice in that time, which with thousands of nodes is most of what the control plane does.
	LostAfter time.Duration
	// FeatureGates are given to every Kubernetes program.
	FeatureGates map[string]bool
	// ExtraAPIServerFlags and ExtraControllerManagerFlags come last, so they win over the flags given here.
	ExtraAPIServerFlags, ExtraControllerManagerFlags []string
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	options   Options
	directory string
	held      *lock.Lock
	logs      string
	set       parts.Set
	ports     ports
	config    *rest.Config
	client    kubernetes.Interface
	programs  programs

	// background ends with Close: it is for what the harness itself plays, such as the provisioner of volumes.
	background context.Context
	stop       context.CancelFunc
	players    sync.WaitGroup

	mutex     sync.Mutex
	keep      bool
	nodeCount int
	usages    []Usage
}

// Start brings up a control plane without nodes and returns when it is ready for use: the API server answers, the
// default service account exists, the metrics API is served. When it fails nothing is left but the logs, and the error
// says where. Building the programs, the first time, takes as long as ctx allows.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	options = options.complete()
	set, err := ensureParts(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("programs of the control plane: %w", err)
	}
	directory, held, err := makeDirectory(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory of the control plane: %w", err)
	}
	c := &ControlPlane{options: options, directory: directory, held: held, logs: options.LogDirectory, set: set}
	c.background, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if c.logs == "" {
		c.logs = filepath.Join(directory, "log")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("the control plane is not up after %s", startTimeout))
	defer cancel()
	if err := c.bringUp(ctx); err != nil {
		c.Keep()
		return nil, errors.Join(fmt.Errorf("start control plane (logs in %s): %w", c.logs, err), c.Close())
	}
	return c, nil
}

func (o Options) complete() Options {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.LostAfter == 0 {
		o.LostAfter = defaultLostAfter
	}
	return o
}

func ensureParts(ctx context.Context, options Options) (parts.Set, error) {
	cache := options.Cache
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return parts.Set{}, err
		}
		cache = filepath.Join(base, "detection-api")
	}
	source, err := parts.DefaultSource()
	if err != nil {
		return parts.Set{}, err
	}
	progress := func(line string) { fmt.Fprintln(options.Log, line) }
	return parts.Builder{Source: source, Cache: filepath.Join(cache, "parts"), Progress: progress}.Ensure(ctx)
}

// Config is the administrator's access, without client-side limits on the rate of requests. The caller may change it.
func (c *ControlPlane) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Kubeconfig is the path of a file with the administrator's access.
func (c *ControlPlane) Kubeconfig() string { return c.file("admin.kubeconfig") }

// Logs is the directory with one log for each program.
func (c *ControlPlane) Logs() string { return c.logs }

// AuditLog is the path of the audit log, written if there is an audit policy.
func (c *ControlPlane) AuditLog() string { return filepath.Join(c.logs, "audit.log") }

// Program is the path of a program of the set, kubectl for example.
func (c *ControlPlane) Program(name string) string { return c.set.Program(name) }

// Err tells which programs ended by themselves, nil if none did.
func (c *ControlPlane) Err() error { return c.programs.err() }

// Keep makes Close leave the logs. A test that failed calls it.
func (c *ControlPlane) Keep() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.keep = true
}

// Close ends every program and removes what they left, except for logs that are to be kept. It may be called twice.
func (c *ControlPlane) Close() error {
	c.stop()
	c.players.Wait()
	c.programs.kill()
	c.held.Release()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.keep {
		return os.RemoveAll(c.directory)
	}
	entries, err := os.ReadDir(c.directory)
	if err != nil {
		return err
	}
	failures := []error{}
	for _, entry := range entries {
		if path := filepath.Join(c.directory, entry.Name()); path != c.logs {
			failures = append(failures, os.RemoveAll(path))
		}
	}
	return errors.Join(failures...)
}

func (c *ControlPlane) file(name string) string { return filepath.Join(c.directory, name) }

func (c *ControlPlane) say(format string, arguments ...any) {
	fmt.Fprintf(c.options.Log, format+"\n", arguments...)
}

// connect makes the clients from the kubeconfig.
func (c *ControlPlane) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	c.config = config
	compact := rest.CopyConfig(config) // thousands of nodes are listed again and again
	compact.ContentType = "application/vnd.kubernetes.protobuf"
	c.client, err = kubernetes.NewForConfig(compact)
	return err
}
