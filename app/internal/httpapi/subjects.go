package httpapi

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstDuration of its rate is what a subject may send at once.
	burstDuration = 10 * time.Second
	// maxSubjects bounds the memory of the buckets to some MB. Subjects beyond share one bucket until others have gone quiet.
	maxSubjects = 10_000
)

// subjects limits how much each subject, client or address does, with a token bucket for each.
type subjects struct {
	perSecond rate.Limit
	burst     int
	max       int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	others  *rate.Limiter // of the subjects for which there was no room
	swept   time.Time
}

// newSubjects returns nil, which limits nobody, when perSecond is 0 or less.
func newSubjects(perSecond float64, maxBuckets int) *subjects {
	if perSecond <= 0 {
		return nil
	}
	s := &subjects{
		perSecond: rate.Limit(perSecond), burst: int(math.Ceil(max(1, perSecond*burstDuration.Seconds()))),
		max: maxBuckets, buckets: map[string]*rate.Limiter{},
	}
	s.others = s.newBucket()
	return s
}

func (s *subjects) newBucket() *rate.Limiter { return rate.NewLimiter(s.perSecond, s.burst) }

// most is how many tokens can be taken at once; 0: any number.
func (s *subjects) most() int {
	if s == nil {
		return 0
	}
	return s.burst
}

// take uses up n tokens of the subject, or returns how long it takes until there are as many. There never are more than most.
func (s *subjects) take(subject string, n int, now time.Time) (wait time.Duration) {
	if s == nil {
		return 0
	}
	reservation := s.bucket(subject, now).ReserveN(now, n)
	wait = reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (s *subjects) bucket(subject string, now time.Time) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.buckets[subject]; ok {
		return b
	}
	if len(s.buckets) >= s.max {
		s.sweep(now)
	}
	if len(s.buckets) >= s.max {
		return s.others
	}
	b := s.newBucket()
	s.buckets[subject] = b
	return b
}

// sweep forgets the buckets that are full: a new one is no different. It looks at most once a second.
func (s *subjects) sweep(now time.Time) {
	if since := now.Sub(s.swept); since >= 0 && since < time.Second {
		return
	}
	s.swept = now
	for subject, b := range s.buckets {
		if b.TokensAt(now) >= float64(s.burst) {
			delete(s.buckets, subject)
		}
	}
}
