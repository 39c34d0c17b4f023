package peer

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const pageBytes = 4096

// Disk appends pages of 4 KiB to a file and syncs each with fdatasync, one after the other.
type Disk struct{ f *os.File }

// NewDisk makes a file in dir. Close it.
func NewDisk(dir string) (*Disk, error) {
	f, err := os.OpenFile(filepath.Join(dir, "disk"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &Disk{f: f}, err
}

// Close gives the file up.
func (d *Disk) Close() error { return d.f.Close() }

// Rate is a measure.Window: appends a second.
func (d *Disk) Rate(_ context.Context, length time.Duration) (float64, error) {
	start, n := time.Now(), 0
	for ; time.Since(start) < length; n++ {
		if err := d.Append(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// Append writes and syncs one page.
func (d *Disk) Append() error {
	var page [pageBytes]byte
	if _, err := d.f.Write(page[:]); err != nil {
		return err
	}
	return syscall.Fdatasync(int(d.f.Fd()))
}
