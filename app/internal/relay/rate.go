package relay

import "time"

// rate is a token bucket that holds what comes in within one second. Its clock may be set either way.
type rate struct {
	perSecond float64 // 0: no limit
	tokens    float64
	filledAt  time.Time
}

// fill adds what has come in since the last call.
func (l *rate) fill(now time.Time) {
	passed := now.Sub(l.filledAt).Seconds()
	l.filledAt = now
	l.tokens = min(max(1, l.perSecond), l.tokens+max(0, passed)*l.perSecond)
}

// take takes a token, if there is one.
func (l *rate) take() bool {
	if l.perSecond <= 0 {
		return true
	}
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// giveBack returns a token that was not used.
func (l *rate) giveBack() { l.tokens++ }

// wait is how long it takes until a few tokens are there: a window for each of them would wait for the server each time.
func (l *rate) wait() time.Duration {
	few := max(1, l.perSecond/4)
	return time.Duration(max(0, few-l.tokens) / l.perSecond * float64(time.Second))
}
