package relay

const (
	// suspectAfter is how many windows in a row must be lost after the server had accepted the connection, before a single
	// event is looked for that makes it hang up.
	suspectAfter = 3
	// refusedTries is how often one event must fail where the next one gets through, before it counts as refused.
	refusedTries = 5
)

// suspect finds the event that a server hangs up on. A link that breaks says nothing about the events on it, so no event
// is blamed for that alone: windows shrink to one event, the first one that fails is passed over once, and only when the
// one after it gets through does the failure count against it. If that one fails too, it is the link, and all is forgotten.
type suspect struct {
	lost    int            // windows lost in a row
	singles int            // events still to be sent one by one
	skipped string         // id of the event that was passed over, empty when none is
	after   int64          // its position in the queue
	tries   map[string]int // failures that count, by id
}

// window says which part of the queue to send next: at most limit events after a position.
func (s *suspect) window(limit int) (after int64, size int) {
	if s.singles == 0 {
		return 0, limit
	}
	return s.after, 1
}

// failed notes that a window was lost whose first event has the id and whose last one the position.
func (s *suspect) failed(id string, last int64) {
	switch {
	case s.singles == 0:
		if s.lost++; s.lost >= suspectAfter {
			s.singles = failureWindow
		}
	case s.skipped == "":
		s.skipped, s.after = id, last
	default:
		*s = suspect{}
	}
}

// delivered notes that a window got through. It returns the id of an event that has been refused often enough, or "".
func (s *suspect) delivered() (refused string) {
	s.lost = 0
	if s.singles > 0 {
		s.singles--
	}
	if s.skipped == "" {
		return ""
	}
	id := s.skipped
	s.skipped, s.after, s.singles = "", 0, failureWindow
	if s.tries == nil {
		s.tries = map[string]int{}
	}
	if s.tries[id]++; s.tries[id] < refusedTries {
		return ""
	}
	delete(s.tries, id)
	return id
}

// nothingBehind notes that no event follows the one that was passed over: it has to wait for one that can clear the link.
func (s *suspect) nothingBehind() { s.skipped, s.after = "", 0 }
