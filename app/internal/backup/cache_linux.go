//go:build linux && (amd64 || arm64)

package backup

import (
	"os"
	"syscall"
)

// dropCache asks the kernel to forget a file's pages. It is a wish: what comes of it does not matter.
func dropCache(f *os.File) {
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
}
