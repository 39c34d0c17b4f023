//go:build !linux

package row

import "errors"

// pinToOneCore is not to be had here.
func pinToOneCore() (restore func(), err error) {
	return nil, errors.New("a process cannot be pinned to one core on this system")
}
