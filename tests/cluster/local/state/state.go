// Package state is the directory that holds all there is to know about one local cluster: from it alone a later process
// can use the cluster, or remove every trace of it.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
)

// Cluster is what is recorded of a cluster.
type Cluster struct {
	// Name is the cluster's name.
	Name string `json:"name"`
	// Plan holds its addresses.
	Plan address.Plan `json:"plan"`
	// Workers is its number of nodes.
	Workers int `json:"workers"`
	// Parts is the directory of its programs.
	Parts string `json:"parts"`
}

// Directory is the state directory of one cluster.
type Directory struct {
	path string
}

// namePattern keeps names usable as file, host and kubeconfig names.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// At is the state directory of the cluster called name below root. It need not exist.
func At(root, name string) (Directory, error) {
	if !namePattern.MatchString(name) {
		return Directory{}, fmt.Errorf("cluster name %q: want 1 to 20 lower-case letters, digits and '-'", name)
	}
	absolute, err := filepath.Abs(root)
	return Directory{path: filepath.Join(absolute, name)}, err
}

// List finds the state directories below root, sorted by name.
func List(root string) ([]Directory, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []Directory
	for _, entry := range entries {
		if directory, err := At(root, entry.Name()); err == nil && entry.IsDir() {
			found = append(found, directory)
		}
	}
	return found, nil
}

// Name is the cluster's name.
func (d Directory) Name() string { return filepath.Base(d.path) }

// Path joins names to the directory's path.
func (d Directory) Path(names ...string) string {
	return filepath.Join(append([]string{d.path}, names...)...)
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (d Directory) Kubeconfig() string { return d.Path("admin.kubeconfig") }

// Lock is the path of the file that is locked while the cluster is started or removed. It lies beside the directory,
// because it must outlive it.
func (d Directory) Lock() string { return filepath.Join(filepath.Dir(d.path), "."+d.Name()+".lock") }

// tag tells the links and control groups of clusters apart, also of clusters with the same name in different caches.
// It follows from the directory, so that what was made can be removed without a record of it.
func (d Directory) tag() string {
	sum := sha256.Sum256([]byte(d.path))
	return "da" + hex.EncodeToString(sum[:4])
}

// Bridge is the name of the cluster's bridge.
func (d Directory) Bridge() string { return d.tag() }

// Cable is the name of this machine's end of the cable to node number i. Link names have at most 15 bytes.
func (d Directory) Cable(i int) string { return d.tag() + "n" + strconv.Itoa(i) }

// Cgroup is the control group that holds those of all nodes.
func (d Directory) Cgroup() string { return d.tag() }

// Save records a cluster.
func (d Directory) Save(cluster Cluster) error {
	content, err := json.MarshalIndent(cluster, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(d.Path("cluster.json"), content, 0o600)
}

// Load reads back what Save recorded. Without a record the error is [fs.ErrNotExist].
func (d Directory) Load() (Cluster, error) {
	var cluster Cluster
	content, err := os.ReadFile(d.Path("cluster.json"))
	if err != nil {
		return cluster, err
	}
	if err := json.Unmarshal(content, &cluster); err != nil {
		return cluster, fmt.Errorf("%s: %w", d.Path("cluster.json"), err)
	}
	return cluster, nil
}

// NodeName is the name of node number i, from 1.
func NodeName(i int) string { return "node" + strconv.Itoa(i) }

// Zone is the zone of node number i, from 1: zone-a, zone-b, zone-c, and again from the start.
func Zone(i int) string { return "zone-" + string(rune('a'+(i-1)%3)) }
