// Package parts builds the programs and images that a local cluster consists of, once, and keeps them in a cache.
//
// They are Go programs, pinned by the module tests/parts. What was built is kept under the Kubernetes version and a hash
// over the recipe: the files of that module, the Go version, the platform and the build flags.
package parts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/local/lock"
)

// KubernetesVersion is the version of Kubernetes that tests/parts/go.mod pins.
const KubernetesVersion = "v1.37.2"

// recipeVersion counts changes of what is done with the built programs (links, images).
const recipeVersion = "2"

// SourceVariable names the variable with the directory of the module tests/parts. It is needed only where the harness was
// built with -trimpath, which erases the place of its own source.
const SourceVariable = "CLUSTER_PARTS_SOURCE"

// Set is a complete set of parts.
type Set struct {
	// Directory holds bin/ and images/.
	Directory string
}

// Program is the path of a program.
func (s Set) Program(name string) string { return filepath.Join(s.Bin(), name) }

// Bin is the directory of all programs, the CNI plugins among them.
func (s Set) Bin() string { return filepath.Join(s.Directory, "bin") }

// Images are the archives of the images that every node needs.
func (s Set) Images() []string {
	var paths []string
	for _, i := range images() {
		paths = append(paths, i.archive(s))
	}
	return paths
}

// Builder finds or builds a set.
type Builder struct {
	// Source is the directory of the module tests/parts.
	Source string
	// Cache is the directory under which sets are kept.
	Cache string
	// Progress is told what happens, one line at a time.
	Progress func(line string)
}

// DefaultSource is the module's directory beside this source file, or what [SourceVariable] says.
func DefaultSource() (string, error) {
	if directory := os.Getenv(SourceVariable); directory != "" {
		return directory, nil
	}
	_, file, _, ok := runtime.Caller(0)
	directory := filepath.Join(filepath.Dir(file), "..", "..", "..", "parts")
	if _, err := os.Stat(filepath.Join(directory, "go.mod")); !ok || err != nil {
		return "", fmt.Errorf("the source of the cluster's programs is not beside the harness: set %s to the directory tests/parts", SourceVariable)
	}
	return directory, nil
}

// Cached returns the set if it was built before; ok is false if it was not.
func (b Builder) Cached(ctx context.Context) (set Set, ok bool, err error) {
	hash, err := b.recipe(ctx)
	if err != nil {
		return Set{}, false, err
	}
	set = Set{Directory: filepath.Join(b.Cache, KubernetesVersion+"-"+hash)}
	_, err = os.Stat(set.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return set, false, nil
	}
	return set, err == nil, err
}

// Ensure returns the set, and builds it if need be. A set appears in the cache only when it is complete. Of two callers
// one builds and the other waits.
func (b Builder) Ensure(ctx context.Context) (Set, error) {
	set, ok, err := b.Cached(ctx)
	if err != nil || ok {
		return set, err
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return Set{}, err
	}
	held, err := lock.Take(ctx, filepath.Join(b.Cache, ".lock"), func() { b.Progress("waiting for another run that builds the cluster's programs") })
	if err != nil {
		return Set{}, fmt.Errorf("lock the cache of programs: %w", err)
	}
	defer held.Release()
	if _, err := os.Stat(set.Directory); err == nil {
		return set, nil
	}
	return set, b.buildInto(ctx, set)
}

// BuildImages makes images of some programs in directory, for clusters whose nodes are not made of a set, and returns the
// paths of the archives.
func (b Builder) BuildImages(ctx context.Context, directory string, programs ...string) ([]string, error) {
	set := Set{Directory: directory}
	if err := os.MkdirAll(filepath.Join(directory, "images"), 0o755); err != nil {
		return nil, err
	}
	var archives []string
	for _, i := range images() {
		if !slices.Contains(programs, i.program) {
			continue
		}
		b.Progress("building the image of " + i.program)
		step := step{packages: []string{i.source}}
		if err := b.run(ctx, append([]string{"build"}, step.arguments(set.Bin())...)); err != nil {
			return nil, fmt.Errorf("build %s: %w", i.program, err)
		}
		if err := i.build(set); err != nil {
			return nil, err
		}
		archives = append(archives, i.archive(set))
	}
	return archives, nil
}

// buildInto builds beside the set's place and moves the result there.
func (b Builder) buildInto(ctx context.Context, set Set) error {
	unfinished := Set{Directory: filepath.Join(b.Cache, ".unfinished")} // the lock makes it ours
	if err := os.RemoveAll(unfinished.Directory); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(unfinished.Directory, "images"), 0o755); err != nil {
		return err
	}
	if err := b.buildPrograms(ctx, unfinished); err != nil {
		return err
	}
	for _, i := range images() {
		if err := i.build(unfinished); err != nil {
			return err
		}
	}
	return os.Rename(unfinished.Directory, set.Directory)
}

// buildPrograms runs the build steps, telling every half minute that a long one goes on.
func (b Builder) buildPrograms(ctx context.Context, set Set) error {
	for i, step := range steps() {
		started := time.Now()
		title := fmt.Sprintf("building %s (%d of %d)", step.name, i+1, len(steps()))
		b.Progress(title + step.note)
		done := make(chan struct{})
		go b.tick(title, started, done)
		err := b.run(ctx, append([]string{"build"}, step.arguments(set.Bin())...))
		close(done)
		if err != nil {
			return fmt.Errorf("build %s: %w", step.name, err)
		}
		b.Progress(fmt.Sprintf("%s done in %s", title, time.Since(started).Round(time.Second)))
	}
	return link(set)
}

func (b Builder) tick(title string, started time.Time, done <-chan struct{}) {
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			b.Progress(fmt.Sprintf("%s ... %s", title, time.Since(started).Round(time.Second)))
		}
	}
}

// run runs the go command in the module, outside of any workspace, and without cgo: nodes and images have no C library.
func (b Builder) run(ctx context.Context, arguments []string) error {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = b.Source
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

// recipe hashes all that the result depends on.
func (b Builder) recipe(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Dir = b.Source
	version, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ask the go command for its version: %w", err)
	}
	hash := sha256.New()
	fmt.Fprintln(hash, recipeVersion, runtime.GOOS, runtime.GOARCH, strings.TrimSpace(string(version)))
	for _, step := range steps() {
		fmt.Fprintln(hash, step.arguments(""))
	}
	for _, i := range images() {
		fmt.Fprintln(hash, i.program, i.user)
	}
	if err := hashFiles(hash, b.Source); err != nil {
		return "", fmt.Errorf("hash the recipe: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}
