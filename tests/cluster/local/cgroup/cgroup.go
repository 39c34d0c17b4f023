// Package cgroup makes and removes the control groups of a cluster's nodes, on hosts with cgroup v1 (one hierarchy per
// controller) and v2 (one hierarchy).
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Root is where Linux mounts control groups.
const Root = "/sys/fs/cgroup"

// removeInterval is how often the removal of a busy group is tried again.
const removeInterval = 20 * time.Millisecond

// Host is the control group file system of a machine.
type Host struct {
	root    string
	unified bool
}

// Open looks which version the file system at root ([Root] on a real machine) has.
func Open(root string) (Host, error) {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return Host{root: root, unified: true}, nil
	}
	host := Host{root: root}
	hierarchies, err := host.hierarchies()
	if err != nil {
		return Host{}, err
	}
	if len(hierarchies) == 0 {
		return Host{}, fmt.Errorf("no control groups are mounted at %s", root)
	}
	return host, nil
}

// Unified tells whether the host has cgroup v2 only.
func (h Host) Unified() bool { return h.unified }

// hierarchies are the directories under which a group has to be made.
func (h Host) hierarchies() ([]string, error) {
	if h.unified {
		return []string{h.root}, nil
	}
	entries, err := os.ReadDir(h.root)
	if err != nil {
		return nil, fmt.Errorf("list control groups: %w", err)
	}
	var found []string
	for _, entry := range entries {
		directory := filepath.Join(h.root, entry.Name())
		// Links such as cpu -> cpu,cpuacct are other names for a hierarchy that is listed anyway.
		if _, err := os.Stat(filepath.Join(directory, "cgroup.procs")); err == nil && entry.IsDir() {
			found = append(found, directory)
		}
	}
	return found, nil
}

// Make makes a group, a path such as a/b, with every controller, and returns its cgroup.procs files.
func (h Host) Make(group string) ([]string, error) {
	hierarchies, err := h.hierarchies()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, hierarchy := range hierarchies {
		directory := hierarchy
		for name := range strings.SplitSeq(group, "/") {
			if err := h.makeChild(directory, name); err != nil {
				return nil, err
			}
			directory = filepath.Join(directory, name)
		}
		files = append(files, filepath.Join(directory, "cgroup.procs"))
	}
	return files, nil
}

func (h Host) makeChild(parent, name string) error {
	if h.unified {
		if err := enableControllers(parent); err != nil {
			return err
		}
	}
	child := filepath.Join(parent, name)
	if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make control group: %w", err)
	}
	if h.unified {
		return nil
	}
	// A cpuset of version 1 starts empty, and no process can join it until it has processors and memory nodes.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if err := inherit(parent, child, file); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers hands every controller of a group on to its children (version 2).
func enableControllers(group string) error {
	content, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read controllers: %w", err)
	}
	for controller := range strings.FieldsSeq(string(content)) {
		err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0)
		// Only some are needed, and a host may pin others (rdma, misc): those that matter are checked by the kubelet.
		if err != nil && isNeeded(controller) {
			return fmt.Errorf("enable controller %s in %s (is this a container without a control group namespace of its own?): %w", controller, group, err)
		}
	}
	return nil
}

// isNeeded names the controllers without which a kubelet does not start.
func isNeeded(controller string) bool {
	switch controller {
	case "cpu", "cpuset", "memory", "pids":
		return true
	}
	return false
}

func inherit(parent, child, file string) error {
	value, err := os.ReadFile(filepath.Join(parent, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another controller's hierarchy
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(child, file), value, 0); err != nil {
		return fmt.Errorf("set %s: %w", file, err)
	}
	return nil
}

// Remove removes a group and all below it. Groups stay busy for a moment after their last process was killed, so it is
// tried again until ctx ends. A group that does not exist is no error.
func (h Host) Remove(ctx context.Context, group string) error {
	hierarchies, err := h.hierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range hierarchies {
		if err := removeTree(ctx, filepath.Join(hierarchy, group)); err != nil {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
	return nil
}

// removeTree removes directories only, children first: the files of a group can not be removed, and go with it.
func removeTree(ctx context.Context, directory string) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(ctx, filepath.Join(directory, entry.Name())); err != nil {
				return err
			}
		}
	}
	for {
		err := syscall.Rmdir(directory)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) {
			return &fs.PathError{Op: "rmdir", Path: directory, Err: err}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is still in use: %w", directory, ctx.Err())
		case <-time.After(removeInterval):
		}
	}
}
