package server_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// load posts until it is stopped, over connections that are kept, some of which are idle most of the time.
type load struct {
	client *client
	stop   chan struct{}
	done   sync.WaitGroup

	mu         sync.Mutex
	accepted   []string
	unanswered []string
}

func startLoad(c *client, workers int, seed uint64) *load {
	l := &load{client: c, stop: make(chan struct{})}
	for n := range workers {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		l.done.Go(func() { l.work(random, time.Duration(n)*10*time.Millisecond) })
	}
	return l
}

// work pauses for a random time up to maxPause between two requests.
func (l *load) work(random *rand.Rand, maxPause time.Duration) {
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Duration(random.Int64N(int64(maxPause) + 1))):
			l.post()
		}
	}
}

func (l *load) post() {
	response, err := l.client.send(sample)
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.unanswered = append(l.unanswered, err.Error())
	case response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusAccepted:
		l.unanswered = append(l.unanswered, response.Status)
	default:
		l.accepted = append(l.accepted, response.Header.Get("X-Detection-ID"))
	}
}

// take returns what happened since the last time.
func (l *load) take() (accepted, unanswered []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	accepted, unanswered = l.accepted, l.unanswered
	l.accepted, l.unanswered = nil, nil
	return accepted, unanswered
}

func (l *load) end() {
	close(l.stop)
	l.done.Wait()
}
