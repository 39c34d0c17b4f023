package sqlite

import "sync"

// news tells those who follow the record that something was committed.
type news struct {
	mu      sync.Mutex
	next    chan struct{} // closed by tell; nil while nobody listens
	stopped chan struct{}
	once    sync.Once
}

func newNews() *news { return &news{stopped: make(chan struct{})} }

// listen returns what is closed with the next commit. Whoever listens first and reads then misses nothing.
func (n *news) listen() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// stop ends the waiting for good.
func (n *news) stop() { n.once.Do(func() { close(n.stopped) }) }

// StopFollowing lets all who wait in Follow go with what there is, and lets nobody wait any more.
func (s *Store) StopFollowing() { s.news.stop() }

func (s *Store) endFollowing() error {
	s.news.stop()
	return nil
}
