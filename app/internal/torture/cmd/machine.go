package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine is what a reader needs to judge the numbers.
type machine struct {
	commit, cpu, kernel, fileSystem, goVersion string
	cores                                      int
}

// describeMachine says "unknown" where the system does not tell.
func describeMachine(ctx context.Context, repository string) machine {
	return machine{
		commit: output(ctx, "git", "-C", repository, "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty"),
		cpu:    cpuModel(), kernel: content("/proc/sys/kernel/osrelease"),
		fileSystem: output(ctx, "stat", "--file-system", "--format=%T", os.TempDir()),
		goVersion:  runtime.Version(), cores: runtime.NumCPU(),
	}
}

func output(ctx context.Context, name string, args ...string) string {
	said, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(said))
}

func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

func cpuModel() string {
	for line := range strings.Lines(content("/proc/cpuinfo")) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
