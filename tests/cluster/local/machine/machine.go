//go:build linux

// Package machine starts machines that consist of Linux namespaces: the control plane and the nodes of a cluster. Inside,
// the program nodeinit (tests/parts/nodeinit) is process 1; when it is killed the machine is gone with all its processes,
// mounts and interfaces.
package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/detection-api/detection-api/tests/cluster/local/process"
)

// Config is what nodeinit does; its meaning is documented there. Paths are absolute.
type Config struct {
	Hostname  string            `json:"hostname"`
	RunTmpfs  bool              `json:"runTmpfs"`
	Binds     []Bind            `json:"binds"`
	Network   *Network          `json:"network"`
	Cgroups   []string          `json:"cgroups"`
	Sysctls   map[string]string `json:"sysctls"`
	Processes []Process         `json:"processes"`
}

// Bind makes Source of this machine appear at Target inside.
type Bind struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// Network is the machine's side of a cable.
type Network struct {
	Interface string  `json:"interface"`
	Address   string  `json:"address"`
	Gateway   string  `json:"gateway"`
	Routes    []Route `json:"routes"`
}

// Route is a network behind a neighbour.
type Route struct {
	Destination string `json:"destination"`
	Via         string `json:"via"`
}

// Process is a program that runs for as long as the machine.
type Process struct {
	Name    string   `json:"name"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Log     string   `json:"log"`
	WaitFor string   `json:"waitFor"`
}

// Machine is one machine of a cluster, running or not.
type Machine struct {
	// Name is the machine's name.
	Name string
	// Init is the path of the program nodeinit.
	Init string
	// Directory holds the machine's configuration and the record of its process.
	Directory string
	// Log is the file nodeinit itself writes to.
	Log string
}

func (m Machine) configPath() string { return filepath.Join(m.Directory, m.Name+".json") }
func (m Machine) recordPath() string { return filepath.Join(m.Directory, m.Name+".pid") }

// Start starts the machine. One with a network configuration gets an empty network namespace, and waits until its creator
// plugs in the interface.
func (m Machine) Start(config Config) (process.ID, error) {
	content, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return process.ID{}, err
	}
	if err := os.WriteFile(m.configPath(), content, 0o600); err != nil {
		return process.ID{}, err
	}
	log, err := os.OpenFile(m.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return process.ID{}, err
	}
	defer log.Close()
	command := exec.Command(m.Init, m.configPath())
	command.Env, command.Dir = []string{}, "/"
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces(config)}
	id, err := process.Start(command, m.recordPath())
	if err != nil {
		return id, fmt.Errorf("start machine %s: %w", m.Name, err)
	}
	return id, nil
}

func namespaces(config Config) uintptr {
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS)
	if config.Network != nil {
		flags |= syscall.CLONE_NEWNET
	}
	if config.Hostname != "" {
		flags |= syscall.CLONE_NEWUTS
	}
	return flags
}

// Running finds the machine's process; ok is false if there is none.
func (m Machine) Running() (id process.ID, ok bool) {
	content, err := os.ReadFile(m.recordPath())
	if err != nil {
		return process.ID{}, false
	}
	id, err = process.Parse(string(content))
	return id, err == nil && id.Alive()
}

// Kill ends the machine as a power cut would, and returns when nothing of it runs any more. It may be called again.
func (m Machine) Kill(ctx context.Context) error {
	if id, ok := m.Running(); ok {
		if err := id.Kill(ctx, 0); err != nil {
			return fmt.Errorf("kill machine %s: %w", m.Name, err)
		}
	}
	// One that was started by a process that died before it wrote the record.
	unrecorded, err := process.WithArguments(m.Init, m.configPath())
	if err != nil {
		return fmt.Errorf("find machine %s: %w", m.Name, err)
	}
	for _, id := range unrecorded {
		if err := id.Kill(ctx, 0); err != nil {
			return fmt.Errorf("kill machine %s: %w", m.Name, err)
		}
	}
	if err := os.Remove(m.recordPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List finds the machines whose configuration lies in directory.
func List(directory, init string) ([]Machine, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil {
		return nil, err
	}
	var machines []Machine
	for _, file := range files {
		name := filepath.Base(file)
		machines = append(machines, Machine{Name: name[:len(name)-len(".json")], Init: init, Directory: directory})
	}
	return machines, nil
}
