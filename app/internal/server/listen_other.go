//go:build !linux

package server

import (
	"errors"
	"net"
)

// ignoreNewConnections needs Linux.
func ignoreNewConnections(net.Listener) error {
	return errors.New("this system cannot ignore new connections")
}
