// Package process starts programs that outlive their starter and ends them without ever hitting another program that got
// the same process id.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often the end of a process is looked for.
const pollInterval = 5 * time.Millisecond

// ID names one process for ever: process ids are used again, together with the start time they are not.
type ID struct {
	// PID is the process id.
	PID int
	// StartTicks is the start time in clock ticks since boot, field 22 of /proc/<pid>/stat (proc(5)).
	StartTicks uint64
}

// Identify reads the identity of a running process.
func Identify(pid int) (ID, error) {
	stat, err := readStat(pid)
	return ID{PID: pid, StartTicks: stat.startTicks}, err
}

// Alive tells whether the process runs. One that ended and was not yet waited for does not.
func (id ID) Alive() bool {
	stat, err := readStat(id.PID)
	return err == nil && stat.startTicks == id.StartTicks && stat.state != 'Z' && stat.state != 'X'
}

// Kill sends SIGTERM, after grace SIGKILL, and returns when the process has ended. With no grace it sends SIGKILL only.
func (id ID) Kill(ctx context.Context, grace time.Duration) error {
	// The handle holds on to the process that has the id now. If that is still ours after it was opened, no later
	// process can be hit through it.
	handle, err := os.FindProcess(id.PID)
	if err != nil {
		return fmt.Errorf("find process %d: %w", id.PID, err)
	}
	defer func() { _ = handle.Release() }() // it frees a descriptor and no more
	if !id.Alive() {
		return nil
	}
	if grace > 0 {
		if err := ignoreDone(handle.Signal(syscall.SIGTERM)); err != nil {
			return fmt.Errorf("terminate process %d: %w", id.PID, err)
		}
		patient, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if id.waitEnd(patient) == nil {
			return nil
		}
	}
	if err := ignoreDone(handle.Signal(syscall.SIGKILL)); err != nil {
		return fmt.Errorf("kill process %d: %w", id.PID, err)
	}
	return id.waitEnd(ctx)
}

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (id ID) waitEnd(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for id.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of process %d: %w", id.PID, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// Start runs command detached, in a session of its own, and writes its identity to the file record. The process goes on
// when the caller ends.
func Start(command *exec.Cmd, record string) (ID, error) {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setsid = true
	if err := command.Start(); err != nil {
		return ID{}, err
	}
	id, err := Identify(command.Process.Pid)
	// Waited for in the background: as long as the caller lives it is the parent, and would keep a zombie.
	go func() { _ = command.Wait() }() // how it ended is in its log
	if err == nil {
		err = os.WriteFile(record, []byte(id.String()+"\n"), 0o600)
	}
	if err != nil {
		return id, errors.Join(fmt.Errorf("record process: %w", err), id.Kill(context.Background(), 0))
	}
	return id, nil
}

// String is "pid ticks", what [Parse] reads.
func (id ID) String() string { return fmt.Sprintf("%d %d", id.PID, id.StartTicks) }

// Parse reads what [ID.String] wrote.
func Parse(text string) (ID, error) {
	var id ID
	if n, err := fmt.Sscanf(strings.TrimSpace(text), "%d %d", &id.PID, &id.StartTicks); n != 2 || id.PID <= 1 {
		return ID{}, fmt.Errorf("%q is no process record: %w", text, err)
	}
	return id, nil
}

// WithArguments finds the running processes whose program and first argument are these, as /proc/<pid>/cmdline has
// them. It finds a process whose starter was killed before it could write the record.
func WithArguments(program, argument string) ([]ID, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []ID
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		id, err := Identify(pid) // before the command line: both then belong to a process at least this old
		if err != nil {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		arguments := strings.Split(string(content), "\x00")
		if len(arguments) > 1 && arguments[0] == program && arguments[1] == argument && id.Alive() {
			found = append(found, id)
		}
	}
	return found, nil
}

// stat is the part of /proc/<pid>/stat that matters here.
type stat struct {
	state      byte
	startTicks uint64
}

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(content))
}

// parseStat skips the program's name, which may hold blanks and brackets: the fields are counted from its last bracket.
func parseStat(line string) (stat, error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("no process status: %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("short process status: %q", line)
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64) // field 22, the first after the name being field 3
	if err != nil {
		return stat{}, fmt.Errorf("start time in process status: %w", err)
	}
	return stat{state: fields[0][0], startTicks: ticks}, nil
}
