package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// config describes a machine to play. Paths are absolute.
type config struct {
	// Hostname is set in the machine's own UTS namespace; empty leaves it.
	Hostname string `json:"hostname"`
	// RunTmpfs gives the machine an empty /run of its own.
	RunTmpfs bool `json:"runTmpfs"`
	// Binds are mounted in order, after /run.
	Binds []bind `json:"binds"`
	// Network is configured in the machine's own network namespace; nil leaves the caller's.
	Network *network `json:"network"`
	// Cgroups are cgroup.procs files that the machine's first process puts itself into, and with it all others.
	Cgroups []string `json:"cgroups"`
	// Sysctls are set by their path below /proc/sys.
	Sysctls map[string]string `json:"sysctls"`
	// Processes run for as long as the machine does; one that ends is started anew.
	Processes []process `json:"processes"`
}

// bind makes Source, a path before any mount is made, appear at Target.
type bind struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// network is an interface that the creator of the machine puts into its namespace.
type network struct {
	Interface string  `json:"interface"`
	Address   string  `json:"address"` // with prefix length
	Gateway   string  `json:"gateway"` // of the default route
	Routes    []route `json:"routes"`
}

type route struct {
	Destination string `json:"destination"` // with prefix length
	Via         string `json:"via"`
}

// process is a program with its log.
type process struct {
	Name string   `json:"name"`
	Args []string `json:"args"` // Args[0] is the program's path
	Env  []string `json:"env"`
	Log  string   `json:"log"`
	// WaitFor is what must accept connections before the first start: unix:PATH, tcp:HOST:PORT or empty.
	WaitFor string `json:"waitFor"`
}

// readConfig refuses unknown keys, so that a writer of another version is noticed.
func readConfig(path string) (config, error) {
	var c config
	file, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}
