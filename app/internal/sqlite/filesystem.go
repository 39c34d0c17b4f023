package sqlite

import (
	"fmt"
	"log/slog"
)

// The magic numbers are those of statfs(2) and linux/magic.h.
const magicOverlay = 0x794c7630

// sharedFileSystems are those whose locks, shared memory or syncs SQLite cannot rely on, because more than one machine or a
// program of somebody's own is behind them (https://sqlite.org/wal.html: "does not work over a network filesystem").
var sharedFileSystems = map[uint32]string{
	0x00006969: "NFS",
	0x0000517b: "SMB",
	0xfe534d42: "SMB2",
	0xff534d42: "CIFS",
	0x01021997: "9p",
	0x65735546: "FUSE",
	0x00c36400: "CephFS",
	0x5346414f: "AFS",
	0x73757245: "Coda",
	0x0bd00bd0: "Lustre",
	0x01161970: "GFS2",
	0x7461636f: "OCFS2",
}

// checkFileSystem refuses a network file system unless it is allowed. What is below an overlay cannot be seen from above; it
// is told, because what is written to a container's own layer goes with the container.
func checkFileSystem(dir string, magic uint32, allowed bool, log *slog.Logger) error {
	name, shared := sharedFileSystems[magic]
	switch {
	case shared && !allowed:
		return fmt.Errorf("%s is on %s, where SQLite's locks and syncs cannot be relied on: use a local or block volume, or --allow-network-filesystem at the risk of losing data",
			dir, name)
	case shared:
		log.Warn("the data directory is on a network file system; acknowledged data may be lost", "dir", dir, "file_system", name)
	case magic == magicOverlay:
		log.Warn("the data directory is in the container's own layer and will go with it; mount a volume there", "dir", dir)
	}
	return nil
}

func (o *Options) checkFileSystem(dir string) error {
	magic, err := o.fileSystem(dir)
	if err != nil {
		return fmt.Errorf("ask for the file system of %s: %w", dir, err)
	}
	return checkFileSystem(dir, magic, o.AllowNetworkFileSystem, o.Logger)
}
