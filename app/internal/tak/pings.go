package tak

import "time"

// A pong that follows the newest of several pings within a quickPart of the time between pings is probably that one's. Then
// no other pong comes for a quietFactor of that time, in which a server that is only slow would have answered the next ping.
const (
	quickPart   = 50
	quietFactor = 1.5
)

// pings tells which ping a pong answers. Pongs carry no number. Servers answer in order, so a pong is taken to answer the
// oldest open ping; but some drop pings, as TAK Server's limiter does, and some are only slow. After a ping had to be
// repeated it is not known how many pongs are still to come: the next window waits until that is settled, so that no late
// pong confirms it.
type pings struct {
	every   time.Duration // between pings
	longest time.Duration // that a pong can be late on a connection that is alive

	sent, confirmed int // numbers of the newest ping, and of the newest that was answered
	lastSent        time.Time
	open            []openPing
	contested       bool          // one was sent again while another was open: it is not known how many pongs will come
	latency         time.Duration // that the last pong had at most
	quick           time.Time     // when it came, if it is probably the newest ping's
}

type openPing struct {
	number int
	at     time.Time
}

// ping counts one more and returns its number. again says that it asks again because no pong came.
func (p *pings) ping(now time.Time, again bool) int {
	p.forget(now, p.longest)
	p.contested = p.contested || again && len(p.open) > 0
	p.sent++
	p.lastSent = now
	p.open = append(p.open, openPing{p.sent, now})
	return p.sent
}

// pong notes one.
func (p *pings) pong(now time.Time) {
	p.forget(now, p.longest)
	n := len(p.open)
	if n == 0 {
		return
	}
	p.latency, p.quick = now.Sub(p.open[0].at), time.Time{}
	if n > 1 && p.open[n-1].at.Sub(p.open[n-2].at) >= p.every && now.Sub(p.open[n-1].at) <= p.every/quickPart {
		p.quick = now
	}
	p.confirmed = p.open[0].number
	p.drop(1)
}

// settle returns when a window can be sent whose ping's pong will be known as its own.
func (p *pings) settle(now time.Time) time.Time {
	if !p.contested {
		return now
	}
	until := p.quick.Add(time.Duration(quietFactor * float64(p.every)))
	if p.quick.IsZero() {
		until = p.lastSent.Add(min(max(2*p.latency, p.every), p.longest))
	}
	if !now.Before(until) || until.Sub(now) > p.longest { // a clock that jumped back is not waited for
		p.drop(len(p.open))
		return now
	}
	return until
}

// forget drops the pings that will not be answered any more.
func (p *pings) forget(now time.Time, patience time.Duration) {
	old := 0
	for old < len(p.open) && now.Sub(p.open[old].at) >= patience {
		old++
	}
	p.drop(old)
}

func (p *pings) drop(n int) {
	p.open = p.open[n:]
	if len(p.open) == 0 {
		p.open, p.contested, p.quick = nil, false, time.Time{}
	}
}
