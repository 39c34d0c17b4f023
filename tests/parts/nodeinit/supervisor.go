package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	restartDelay = 500 * time.Millisecond // between the end of a process and its next start
	dialInterval = 50 * time.Millisecond  // between looks at what a process waits for
)

// supervisor starts processes, reaps every orphan of its process namespace and starts what ended anew.
type supervisor struct {
	mu      sync.Mutex // held over fork and note, so that a process cannot be reaped before it is known
	running map[int]process
}

// run never returns: a machine lives until it is killed.
func (s *supervisor) run(processes []process) {
	for _, p := range processes {
		go func() {
			waitFor(p.WaitFor)
			s.start(p)
		}()
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err != nil {
			time.Sleep(dialInterval) // ECHILD: nothing runs yet, or nothing any more
			continue
		}
		s.ended(pid, status)
	}
}

// start forks p. A program that cannot be started is tried again, like one that ended.
func (s *supervisor) start(p process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, err := fork(p)
	if err != nil {
		fmt.Fprintf(os.Stderr, "nodeinit: start %s: %v\n", p.Name, err)
		time.AfterFunc(restartDelay, func() { s.start(p) })
		return
	}
	s.running[pid] = p
}

func (s *supervisor) ended(pid int, status syscall.WaitStatus) {
	s.mu.Lock()
	p, known := s.running[pid]
	delete(s.running, pid)
	s.mu.Unlock()
	if !known {
		return
	}
	fmt.Fprintf(os.Stderr, "nodeinit: %s ended (exit code %d, signal %d), starting it anew\n", p.Name, status.ExitStatus(), status.Signal())
	time.AfterFunc(restartDelay, func() { s.start(p) })
}

// fork starts p in a session of its own with its output appended to its log.
func fork(p process) (int, error) {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(p.Args[0], p.Args, &syscall.ProcAttr{
		Dir: "/", Env: p.Env, Files: []uintptr{null.Fd(), log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// waitFor returns when something listens at target (unix:PATH or tcp:HOST:PORT), at once if target is empty.
func waitFor(target string) {
	kind, address, _ := strings.Cut(target, ":")
	for target != "" {
		connection, err := net.DialTimeout(kind, address, time.Second)
		if err == nil {
			connection.Close()
			return
		}
		time.Sleep(dialInterval)
	}
}
