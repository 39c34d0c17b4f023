package server

import (
	"fmt"
	"net"
	"syscall"
)

// ignoreNewConnections lets the kernel drop every SYN to the listener, so that it can be closed without a reset for a
// client whose connection is made but not yet accepted, and may carry a request. A client that is ignored tries again in a
// second, and is refused then, before it has sent anything.
func ignoreNewConnections(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("a %T has no socket", l)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return fmt.Errorf("reach the socket: %w", err)
	}
	const flagsOffset, syn, synAndAck = 13, 0x02, 0x12 // in the TCP header, which is where the filter begins
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flagsOffset},
		{Code: syscall.BPF_ALU | syscall.BPF_AND | syscall.BPF_K, K: synAndAck},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, K: syn, Jf: 1},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0xffff},
	}
	var attached error
	if err := raw.Control(func(fd uintptr) { attached = syscall.AttachLsf(int(fd), filter) }); err != nil {
		return fmt.Errorf("reach the socket: %w", err)
	}
	if attached != nil {
		return fmt.Errorf("attach a filter: %w", attached)
	}
	return nil
}
