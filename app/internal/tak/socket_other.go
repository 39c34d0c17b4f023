//go:build !linux

package tak

import (
	"net"
	"syscall"
	"time"
)

// limitUnacknowledged leaves the limit to the operating system.
func limitUnacknowledged(time.Duration) func(network, addr string, raw syscall.RawConn) error {
	return nil
}

// unacknowledged cannot be told here.
func unacknowledged(net.Conn) int { return 0 }
