package server

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
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
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flagsOffset},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: synAndAck},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	var attached error
	err = raw.Control(func(fd uintptr) {
		attached = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
	if err != nil {
		return fmt.Errorf("reach the socket: %w", err)
	}
	if attached != nil {
		return fmt.Errorf("attach a filter: %w", attached)
	}
	return nil
}
