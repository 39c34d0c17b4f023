package tak

import (
	"crypto/tls"
	"net"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of <netinet/tcp.h>, which package syscall does not name.
const tcpUserTimeout = 0x12

// limitUnacknowledged makes the kernel give up a connection whose data is not acknowledged for so long; its own limit is
// about a quarter of an hour.
func limitUnacknowledged(limit time.Duration) func(network, addr string, raw syscall.RawConn) error {
	return func(network, _ string, raw syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(limit.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return failed
	}
}

// unacknowledged returns how many written bytes the peer's TCP has not acknowledged (SIOCOUTQ of tcp(7)), and 0 where that
// cannot be told.
func unacknowledged(conn net.Conn) int {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	var bytes int32
	err = raw.Control(func(fd uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&bytes)))
		if errno != 0 {
			bytes = 0
		}
	})
	if err != nil {
		return 0
	}
	return int(bytes)
}
