package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mountAll builds the machine's view of the file system. It holds the sources open before it mounts anything, because
// they may lie below a directory that a mount covers.
func mountAll(c config) error {
	// Mounts of the host still arrive here, ours never reach the host, and pods may share ours among themselves.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detach mounts from the host: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts within the machine: %w", err)
	}
	sources, err := openSources(c.Binds)
	if err != nil {
		return err
	}
	defer func() {
		for _, source := range sources {
			source.Close()
		}
	}()
	const safe = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", "/proc", "proc", safe, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if c.RunTmpfs {
		// No noexec: containers' root file systems are mounted below /run.
		if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mount /run: %w", err)
		}
		if err := os.Mkdir("/run/lock", 0o755); err != nil {
			return err
		}
	}
	for i, b := range c.Binds {
		if err := bindTo(sources[i], b.Target); err != nil {
			return err
		}
	}
	return nil
}

func openSources(binds []bind) ([]*os.File, error) {
	var sources []*os.File
	for _, b := range binds {
		source, err := os.Open(b.Source)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

func bindTo(source *os.File, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	from := filepath.Join("/proc/self/fd", fmt.Sprint(source.Fd()))
	if err := unix.Mount(from, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source.Name(), target, err)
	}
	return nil
}
