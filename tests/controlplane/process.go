package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// program is what to run.
type program struct {
	name  string
	flags []string
}

// process is a running program.
type process struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
	result  error // of the program, when it has ended
}

// programs are the running programs in the order of their start.
type programs struct {
	mutex   sync.Mutex
	running []*process
	killed  bool
}

// run starts a program with a log of its own and nothing of this process's environment.
func (c *ControlPlane) run(p program) error {
	log, err := os.Create(filepath.Join(c.logs, p.name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(c.set.Program(p.name), p.flags...)
	command.Dir, command.Stdout, command.Stderr = c.directory, log, log
	// Collecting garbage seldom takes a tenth of the work away and costs memory for some minutes only.
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.directory, "GOGC=500", "GOMEMLIMIT=1500MiB"}
	command.SysProcAttr = attributes()
	started, err := start(p.name, command)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return c.programs.add(started)
}

// start runs the command from a thread that lives as long as the program: the kernel ends a program that asked for it
// with the thread that started it, not with the process.
func start(name string, command *exec.Cmd) (*process, error) {
	p := &process{name: name, command: command, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.ended)
		err := command.Start()
		started <- err
		if err == nil {
			p.result = command.Wait()
		}
	}()
	return p, <-started
}

// add remembers a process; one that is started while the others are ended is ended too.
func (r *programs) add(p *process) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.running = append(r.running, p)
	if r.killed {
		p.kill()
		return errors.New("the control plane is closed")
	}
	return nil
}

// err names the programs that ended though nobody ended them.
func (r *programs) err() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.killed {
		return nil
	}
	var failures []error
	for _, p := range r.running {
		select {
		case <-p.ended:
			failures = append(failures, errors.Join(fmt.Errorf("%s has ended, see its log", p.name), p.result))
		default:
		}
	}
	return errors.Join(failures...)
}

// kill ends all programs, the last one first, without grace: nothing of theirs is needed afterwards.
func (r *programs) kill() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.killed = true
	for i := len(r.running) - 1; i >= 0; i-- {
		r.running[i].kill()
	}
	r.running = nil
}

func (p *process) kill() {
	select {
	case <-p.ended: // its id may belong to another process by now
	default:
		// The group is the program's own. An error says that it ended just now: it is waited for all the same.
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	}
	<-p.ended
}
