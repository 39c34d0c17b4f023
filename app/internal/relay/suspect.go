package relay

const (
	// suspectAfter is how many windows in a row must be lost after the server had accepted the connection, before single
	// events are looked for that make it hang up.
	suspectAfter = 3
	// failuresInARow is how often an event must fail, alone and one time after the other, before it is passed over.
	failuresInARow = 4
	// refusedTries is how often an event must have been passed over where the next one got through at its first try, before
	// it counts as refused.
	refusedTries = 5
)

// suspect finds the events that a server hangs up on. A link that breaks says nothing about the events on it, so no event
// is blamed for that alone: windows shrink to one event, and one that fails several times in a row is passed over, and so
// is the next one if that fails as often. Only when one behind them gets through at its first try does that count against
// all that were passed over. A link that loses two sends in three would have to do so in five such rounds, without letting
// the event through once: about 7 in a million events, whose dead letters an operator can redrive.
type suspect struct {
	lost     int            // windows lost in a row
	singles  int            // events still to be sent one by one
	current  string         // id of the event that failed last
	failures int            // of the current event, in a row
	passed   []string       // ids of the events that were passed over
	after    int64          // position of the last of them in the queue
	tries    map[string]int // rounds that count, by id
}

// hunting says that events are sent one by one, to find the ones that the server hangs up on.
func (s *suspect) hunting() bool { return s.singles > 0 }

// window says which part of the queue to send next: at most limit events after a position.
func (s *suspect) window(limit int) (after int64, size int) {
	if !s.hunting() {
		return 0, limit
	}
	return s.after, 1
}

// failed notes that a window was lost whose first event has the id and whose last one the position.
func (s *suspect) failed(id string, last int64) {
	if !s.hunting() {
		if s.lost++; s.lost >= suspectAfter {
			s.singles = failureWindow
		}
		return
	}
	if id != s.current {
		s.current, s.failures = id, 0
	}
	if s.failures++; s.failures == failuresInARow {
		s.passed, s.after = append(s.passed, id), last
		s.current, s.failures = "", 0
	}
}

// delivered notes that a window got through. It returns the ids of events that have been refused often enough.
func (s *suspect) delivered() (refused []string) {
	atFirst := s.failures == 0
	s.lost, s.current, s.failures = 0, "", 0
	if len(s.passed) == 0 {
		s.singles = max(0, s.singles-1)
		return nil
	}
	passed := s.passed
	s.passed, s.after, s.singles = nil, 0, failureWindow
	if !atFirst {
		return nil
	}
	if s.tries == nil {
		s.tries = map[string]int{}
	}
	for _, id := range passed {
		if s.tries[id]++; s.tries[id] >= refusedTries {
			delete(s.tries, id)
			refused = append(refused, id)
		}
	}
	return refused
}

// nothingBehind notes that no event follows those that were passed over: they have to wait for one that can clear the link.
func (s *suspect) nothingBehind() { s.passed, s.after = nil, 0 }
