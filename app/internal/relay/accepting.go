package relay

import (
	"sync"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// accepting are the ids that Accept is at. The store may have them before the queue has: claimed then, they would be queued,
// sent and taken off, and after that be queued by Accept and sent once more.
type accepting struct {
	mu  sync.Mutex
	ids map[string]int // how many calls of Accept are at an id: a report may come twice at once
}

func (a *accepting) begin(records []detection.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range records {
		a.ids[records[i].Detection.ID]++
	}
}

func (a *accepting) end(records []detection.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range records {
		id := records[i].Detection.ID
		if a.ids[id]--; a.ids[id] == 0 {
			delete(a.ids, id)
		}
	}
}

func (a *accepting) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids[id] > 0
}
