package tak

import "bytes"

// maxFrameBytes bounds what is kept of one inbound event. Pongs have a few hundred bytes; longer ones are other clients'
// traffic, of which nothing is needed.
const maxFrameBytes = 64 << 10

var (
	eventStart = []byte("<event")
	eventEnd   = []byte("</event>")
)

// framer cuts an inbound stream into events, however it is split or joined, and passes over everything between them.
type framer struct {
	buf     []byte
	scanned int  // no eventEnd begins before this index of buf
	skip    bool // the beginning of the present event was thrown away
}

// feed calls event with each event that p completes, from "<event" to "</event>". The slice is valid during the call.
func (f *framer) feed(p []byte, event func([]byte)) {
	f.buf = append(f.buf, p...)
	done := 0
	for {
		i := bytes.Index(f.buf[f.scanned:], eventEnd)
		if i < 0 {
			break
		}
		end := f.scanned + i + len(eventEnd)
		present := f.buf[done:end]
		if start := bytes.LastIndex(present, eventStart); start >= 0 && len(present)-start <= maxFrameBytes && !f.skip {
			event(present[start:])
		}
		done, f.scanned, f.skip = end, end, false
	}
	if len(f.buf)-done > maxFrameBytes {
		done, f.skip = len(f.buf)-len(eventEnd), true
	}
	if done > 0 {
		f.buf = f.buf[:copy(f.buf, f.buf[done:])]
	}
	f.scanned = max(0, len(f.buf)-len(eventEnd)+1) // the end's first bytes may be here already
}
