// Command nodeinit is the first process of a machine that consists of Linux namespaces: it mounts, configures the network
// and supervises the machine's programs. Whoever starts it gives it new mount and process namespaces, and for a node also
// new network and UTS namespaces. Because it is process 1 of its namespace, killing it kills all of the machine: every
// container, mount, interface and firewall rule goes with it, and nothing is left to be searched for.
//
//	nodeinit CONFIG.json
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func main() {
	if len(os.Args) != 2 || os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "nodeinit: takes one argument, a configuration file, and must be process 1 of a namespace")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "nodeinit:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	c, err := readConfig(path)
	if err != nil {
		return err
	}
	for _, file := range c.Cgroups {
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	if c.Hostname != "" {
		if err := syscall.Sethostname([]byte(c.Hostname)); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
	}
	if err := mountAll(c); err != nil {
		return err
	}
	if c.Network != nil {
		if err := c.Network.configure(); err != nil {
			return err
		}
	}
	for name, value := range c.Sysctls {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0); err != nil {
			return fmt.Errorf("set sysctl: %w", err)
		}
	}
	s := supervisor{running: map[int]process{}}
	s.run(c.Processes)
	return nil
}
