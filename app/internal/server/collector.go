package server

import (
	"os"
	"runtime/debug"
)

// gcPercent lets garbage grow to four times what is live, 20 MiB for a service that is not busy with pictures. With Go's
// own 100 percent a live heap of a few MiB is collected dozens of times a second under load, which took a quarter of the
// processor time of a detection. GOMEMLIMIT, where it is set, still bounds the whole.
const gcPercent = 400

// CollectLess sets how often garbage is collected, for the whole process, unless the environment says it (GOGC).
func CollectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
