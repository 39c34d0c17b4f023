package controlplane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the address that all programs listen on.
const loopback = "127.0.0.1"

// Ports are drawn below the range from which Linux takes the ports of outgoing connections: out of that range one could be
// taken between the look and the listening.
const lowestPort, highestPort = 20000, 32767

// portTries bounds the search for a free port.
const portTries = 100

// ports are what the programs listen on, besides etcd, which listens on a socket in the control plane's directory.
type ports struct{ api, kwok, metrics int }

func freePorts() (ports, error) {
	var found ports
	for _, port := range []*int{&found.api, &found.kwok, &found.metrics} {
		listener, err := listenAnywhere()
		if err != nil {
			return ports{}, err
		}
		defer listener.Close() // held until all are found, so that they differ
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return found, nil
}

func listenAnywhere() (net.Listener, error) {
	var last error
	for range portTries {
		listener, err := net.Listen("tcp", hostPort(lowestPort+rand.IntN(highestPort-lowestPort+1)))
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
