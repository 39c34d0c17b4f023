package sqlite

import "syscall"

// fileSystemOf returns the magic number of dir's file system.
func fileSystemOf(dir string) (uint32, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint32(s.Type), nil
}
