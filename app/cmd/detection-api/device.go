package main

import (
	"os"
	"syscall"
)

// tellSameDevice warns when a disk that fails would take the database and its copies together. It looks at the two
// directories only: which disks are behind them cannot be seen.
func tellSameDevice(io streams, dataDir, backupDir string) {
	data, backups := deviceOf(dataDir), deviceOf(backupDir)
	if data != 0 && data == backups {
		tell(io)("warning: %s is on the same device as %s: a disk that fails takes the copies with it", backupDir, dataDir)
	}
}

// deviceOf returns the number of the device that a directory is on, 0 when it cannot be told.
func deviceOf(dir string) uint64 {
	info, err := os.Stat(dir)
	if err != nil {
		return 0
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(s.Dev)
}
