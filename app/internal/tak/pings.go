package tak

import "time"

// quickPart of the time between pings is how fast a pong must follow the newest of several pings to count as that one's.
const quickPart = 50

// pings tells which ping a pong answers. Pongs carry no number. Servers answer in order, so a pong is taken to answer the
// oldest open ping; but some drop pings, as TAK Server's limiter does, and some are only slow. A pong that follows at once on
// a repeated ping shows that those before it were dropped. Else the pings that are left open may still be answered, and the
// next window's ping waits for that, so that no late pong confirms it.
type pings struct {
	every   time.Duration // between pings
	longest time.Duration // that a pong can be late on a connection that is alive

	sent, confirmed int // numbers of the newest ping, and of the newest that was answered
	lastSent        time.Time
	open            []openPing
	contested       bool          // one was sent again while another was open: it is not known how many pongs will come
	latency         time.Duration // that the last pong had at most
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
	p.latency = now.Sub(p.open[0].at)
	answered := 1
	if n > 1 && p.open[n-1].at.Sub(p.open[n-2].at) >= p.every && now.Sub(p.open[n-1].at) <= p.every/quickPart {
		answered = n
	}
	p.confirmed = p.open[answered-1].number
	p.drop(answered)
}

// settle returns when a ping can be sent whose pong will be known as its own.
func (p *pings) settle(now time.Time) time.Time {
	if !p.contested {
		return now
	}
	patience := min(max(2*p.latency, p.every), p.longest)
	p.forget(now, patience)
	if len(p.open) == 0 {
		return now
	}
	return p.open[len(p.open)-1].at.Add(patience)
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
		p.open, p.contested = nil, false
	}
}
