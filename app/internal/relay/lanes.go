package relay

import (
	"context"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const (
	// backlogShare is the part of each window, one in so many, that the backlog has however much comes in.
	backlogShare = 8
	// lookEvery is how often the whole queue is looked through for what nobody announced.
	lookEvery = 10 * time.Second
	// scanPages bounds how far one window looks for something to send behind what is to wait.
	scanPages = 16
	// maxLeftOut bounds what one window finds that is not to be sent any more.
	maxLeftOut = 1024
)

// lanes put the windows together: first what came in just now, and behind it, at a bounded rate, what waited longer. The
// goroutine that delivers has them to itself.
type lanes struct {
	queue  detection.Queue
	live   *live
	series *series
	rate   rate
	// expireAfter is the age at which a detection is not sent any more; 0: it is sent however old.
	expireAfter time.Duration

	behind bool      // the queue may hold what is owed to TAK and is neither live nor held
	front  int64     // position up to which it does not
	lookAt time.Time // when it is looked through again in any case
	credit int       // what the backlog is owed of the windows, in backlogShare'ths of an event
}

// window is what is sent next.
type window struct {
	records []detection.Record
	live    []fresh       // those of them that came from the live lane
	leftOut []leftOut     // what is not to be sent any more
	last    int64         // position in the queue up to which it was looked through
	wait    time.Duration // when there may be more to send, if there is nothing

	ids    map[string]bool // of all of them
	series map[string]bool // of those that are sent
}

// leftOut is a record that is not sent, and why.
type leftOut struct {
	record  detection.Record
	outcome detection.Outcome
}

func newWindow(after int64) *window {
	return &window{last: after, wait: idlePoll, ids: map[string]bool{}, series: map[string]bool{}}
}

func (w *window) send(record detection.Record, series string) {
	w.records = append(w.records, record)
	w.ids[record.Detection.ID] = true
	if series != "" {
		w.series[series] = true
	}
}

func (w *window) leaveOut(record detection.Record, outcome detection.Outcome) {
	w.leftOut = append(w.leftOut, leftOut{record, outcome})
	w.ids[record.Detection.ID] = true
}

func (w *window) empty() bool { return len(w.records) == 0 && len(w.leftOut) == 0 }

// next puts a window of up to size records together.
func (l *lanes) next(ctx context.Context, now time.Time, size int) (*window, error) {
	l.look(now)
	w := newWindow(0)
	var due []detection.Record
	due, w.wait = l.series.releaseDue(now, size)
	for _, record := range due {
		l.judge(w, record, now)
	}
	l.takeLive(w, now, size-l.reserve(size))
	if err := l.takeBacklog(ctx, w, now, size); err != nil {
		l.lose(w)
		return nil, err
	}
	if room := size - len(w.records); room > 0 { // the backlog did not need its share
		l.takeLive(w, now, size)
	}
	return w, nil
}

// look starts again at the front of the queue when the live lane dropped something, and now and then.
func (l *lanes) look(now time.Time) {
	dropped := l.live.takeDropped()
	if until := l.lookAt.Sub(now); dropped || until <= 0 || until > lookEvery {
		l.series.tidy(now, l.behind, l.queue.Depth().Undelivered == 0)
		l.restart()
		l.lookAt = now.Add(lookEvery)
	}
}

func (l *lanes) restart() { l.behind, l.front = true, 0 }

// reserve says how many of the next size events are kept for the backlog.
func (l *lanes) reserve(size int) int {
	if !l.behind {
		return 0
	}
	l.credit = min(l.credit+size, backlogShare*size)
	reserved := l.credit / backlogShare
	l.credit %= backlogShare
	return reserved
}

// takeLive fills the window up to limit with live records. A retraction must not overtake what it retracts, nor be
// overtaken by what comes after it in its series: while something is behind, both go the way of the queue.
func (l *lanes) takeLive(w *window, now time.Time, limit int) {
	for len(w.records) < limit && len(w.leftOut) < maxLeftOut {
		item, ok := l.live.next(now)
		if l.live.takeDropped() { // what was before it may be behind now
			l.restart()
		}
		if !ok {
			return
		}
		d := &item.record.Detection
		if l.behind && (d.Retracts != "" || l.series.retracted(d)) {
			l.restart()
			continue
		}
		if l.holdsBack(w, d) {
			l.live.putBack([]fresh{item})
			return
		}
		if l.judge(w, item.record, now) == send {
			w.live = append(w.live, item)
		}
	}
}

// holdsBack says that a retraction has to wait for what is held of its series, which is in the window now.
func (l *lanes) holdsBack(w *window, d *detection.Detection) bool {
	if d.Retracts == "" {
		return false
	}
	older, ok := l.series.release(d)
	if ok {
		w.send(older, l.series.name(d))
	}
	return ok
}

// takeBacklog fills the window up to size with what waited longer, oldest first, as far as its rate allows.
func (l *lanes) takeBacklog(ctx context.Context, w *window, now time.Time, size int) error {
	l.rate.fill(now)
	nothing := true // in all that was looked at so far
	for page := 0; l.behind && page < scanPages && len(w.records) < size && len(w.leftOut) < maxLeftOut; page++ {
		limit := size
		records, last, err := l.queue.Undelivered(ctx, max(l.front, w.last), limit)
		if err != nil {
			return err
		}
		for _, record := range records {
			took, more := l.takeOne(w, record, now, size)
			nothing = nothing && !took && more
			if !more {
				return nil
			}
		}
		if len(records) < limit {
			l.behind = !nothing
			return nil
		}
		if w.last = last; nothing {
			l.front = last
		}
	}
	if l.behind {
		w.wait = 0 // there is more to look at
	}
	return nil
}

// takeOne takes one record of the backlog, unless it waits elsewhere. more is false when the window, or the rate, is at its
// end.
func (l *lanes) takeOne(w *window, record detection.Record, now time.Time, size int) (took, more bool) {
	d := &record.Detection
	if l.live.has(d.ID) || l.series.holds(d) || w.ids[d.ID] {
		return false, true
	}
	if len(w.records) >= size {
		return false, false
	}
	age := now.Sub(d.ReceivedAt)
	old := age > liveFor || age < -liveFor
	if old && !l.rate.take() {
		w.wait = min(w.wait, l.rate.wait())
		return false, false
	}
	if l.holdsBack(w, d) {
		return true, false
	}
	what := l.judge(w, record, now)
	if old && what != send {
		l.rate.giveBack()
	}
	return what != hold, true
}

// judge puts a record where it belongs: into the window, aside until its time has come, or among what is left out.
func (l *lanes) judge(w *window, record detection.Record, now time.Time) verdict {
	name := l.series.name(&record.Detection)
	what := l.verdict(&record, now)
	if what == send && record.Detection.Retracts == "" && w.series[name] {
		what = hold // it came in while the window was put together
	}
	switch what {
	case send:
		w.send(record, name)
	case supersede:
		w.leaveOut(record, detection.Superseded)
	case expire:
		w.leaveOut(record, detection.Expired)
	case hold:
		if older, replaced := l.series.keep(record); replaced {
			w.leaveOut(older, detection.Superseded)
		}
	}
	return what
}

// verdict says what to do with a record by itself. A retraction is always sent: what it takes back may be on the map.
func (l *lanes) verdict(record *detection.Record, now time.Time) verdict {
	d := &record.Detection
	if d.Retracts != "" {
		return send
	}
	what := l.series.judge(d, now)
	if what != supersede && l.expireAfter > 0 && !record.Redriven && now.Sub(d.ReceivedAt) > l.expireAfter {
		return expire
	}
	return what
}

// inOrder is the window of up to size records in the order of the queue, after a position: what is needed to find an event
// that the server hangs up on. It is the same each time until something in it gets through, and so nothing is held back.
func (l *lanes) inOrder(ctx context.Context, now time.Time, after int64, size int) (*window, error) {
	l.restart()
	w := newWindow(after)
	for len(w.records) < size && len(w.leftOut) < maxLeftOut {
		records, last, err := l.queue.Undelivered(ctx, w.last, size-len(w.records))
		if err != nil || len(records) == 0 {
			return w, err
		}
		for _, record := range records {
			switch l.verdict(&record, now) {
			case supersede:
				w.leaveOut(record, detection.Superseded)
			case expire:
				w.leaveOut(record, detection.Expired)
			case send, hold:
				w.send(record, "")
			}
		}
		w.last = last
	}
	return w, nil
}

// lose takes in that the window was not delivered: it is all in the queue.
func (l *lanes) lose(w *window) {
	l.live.putBack(w.live)
	l.restart()
}

// settle takes in how the records ended.
func (l *lanes) settle(w *window, outcomes []detection.Delivery, now time.Time) {
	ended := make(map[string]detection.Outcome, len(outcomes))
	for _, outcome := range outcomes {
		ended[outcome.ID] = outcome.Outcome
		l.live.forget(outcome.ID)
		if !w.ids[outcome.ID] { // it was sent in a window before
			l.series.forget(outcome.ID)
		}
	}
	for i := range w.records {
		d := &w.records[i].Detection
		if outcome, ok := ended[d.ID]; ok {
			l.series.settle(d, outcome, now)
		}
	}
	for i := range w.leftOut {
		l.series.settle(&w.leftOut[i].record.Detection, w.leftOut[i].outcome, now)
	}
}
