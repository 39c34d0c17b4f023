package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programEnv makes the test binary the program itself, with its arguments.
const programEnv = "DETECTION_API_PROGRAM"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(programEnv) == "":
		os.Exit(m.Run())
	case os.Args[1] == "hasty":
		fmt.Fprintln(os.Stderr, serveHasty(os.Args[2], os.Args[3]))
		os.Exit(1)
	default:
		main()
	}
}

// program is a process of the real program that is ended and started again and again.
type program struct {
	t    *testing.T
	args []string
	log  string // what it says goes there

	cmd    *exec.Cmd
	ending sync.Mutex
	ended  chan struct{} // closed after cmd has ended
	wanted bool          // that it ends
}

func newProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, args: args, log: filepath.Join(t.TempDir(), name+".log")}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
		if t.Failed() {
			said, _ := os.ReadFile(p.log)
			t.Logf("%s said at last:\n%s", name, said[max(0, len(said)-4000):])
		}
	})
	return p
}

func (p *program) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(os.Args[0], p.args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.wanted = cmd, ended, false
	go func() {
		defer close(ended)
		err := cmd.Wait()
		p.ending.Lock()
		defer p.ending.Unlock()
		if !p.wanted {
			p.t.Errorf("%v ended by itself: %v", p.args[0], err)
		}
	}()
}

// end sends the signal and returns when the process is gone.
func (p *program) end(signal syscall.Signal) {
	p.ending.Lock()
	p.wanted = true
	p.ending.Unlock()
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself, which was told
	<-p.ended
}

func (p *program) kill() { p.end(syscall.SIGKILL) }

// freeAddr returns a loopback address whose port no outgoing connection gets by chance while its process is away.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close() // nothing was accepted
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// eventually fails the test unless f holds within the time.
func eventually(t *testing.T, limit time.Duration, what string, f func() bool) bool {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !f() {
		if time.Now().After(deadline) {
			t.Errorf("waited %v in vain for %s", limit, what)
			return false
		}
		<-time.After(2 * time.Millisecond) // between two looks at another process
	}
	return true
}
