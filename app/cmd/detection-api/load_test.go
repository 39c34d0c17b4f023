package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/token"
)

const (
	loadKey       = "a key that only the tests of the program use, 0123456789"
	loadWorker    = 4
	detectionBody = `{"pixel_x":2000,"pixel_y":1500,"object_class":"vehicle","ai_confidence":0.9,"source":"test","camera_id":"cam-1",
"timestamp":"2026-02-15T12:00:00Z","altitude_datum":"HAE","ground_elevation":245.25839721158042,"sensor_metadata":{
"location_lat":33.8371893,"location_lon":-84.5387701,"location_elevation":386.32685776177146,"heading":172.4,"pitch":-36,
"roll":0,"focal_length":2800,"image_width":4000,"image_height":3000}}`
)

// load posts to one address over kept connections until it is stopped, whether somebody is there or not.
type load struct {
	url, bearer string
	http        *http.Client
	pause       time.Duration // between two requests of a worker, at most
	gate        sync.RWMutex  // held for writing while nothing is to be posted
	answered    atomic.Int64
	mayBeFull   bool         // 507 is no strange answer
	full        atomic.Int64 // answers 507

	mu         sync.Mutex
	ids        []string // acknowledged since the last take
	inPod      int      // answers 202
	unanswered []error  // neither answered nor refused before anything was sent
	strange    []string // answers that are neither an acknowledgement nor a refusal
}

func newLoad(t *testing.T, addr string, pause time.Duration) *load {
	t.Helper()
	key, err := token.NewKey(loadKey)
	if err != nil {
		t.Fatal(err)
	}
	bearer, err := key.Mint("tester", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &load{
		url: "http://" + addr, bearer: bearer, pause: pause,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadWorker}, Timeout: 20 * time.Second},
	}
}

// start begins to post. The test stops it at its end.
func (l *load) start(t *testing.T, seed uint64) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for n := range loadWorker {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(random.Int64N(int64(l.pause) + 1))):
					l.post()
				}
			}
		})
	}
	t.Cleanup(func() {
		close(stop)
		all.Wait()
		l.http.CloseIdleConnections()
	})
}

// another returns the report of another object: at another place in the pixel, as the same one is a repetition. One coordinate
// has only 2^32 places in a thousandth of a pixel: in 70,000 reports two would be the same.
func another(body string) string {
	place := fmt.Sprintf(`"pixel_x":%v,"pixel_y":%v,`, 2000+rand.Float64()/1000, 1500+rand.Float64()/1000)
	return strings.Replace(body, `"pixel_x":2000,"pixel_y":1500,`, place, 1)
}

func (l *load) post() {
	l.gate.RLock()
	defer l.gate.RUnlock()
	response, err := l.send(http.MethodPost, "/api/v1/detections", another(detectionBody))
	l.mu.Lock()
	defer l.mu.Unlock()
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial":
	case err != nil:
		l.unanswered = append(l.unanswered, err)
	case response.StatusCode == http.StatusCreated || response.StatusCode == http.StatusAccepted:
		l.ids = append(l.ids, response.Header.Get("X-Detection-ID"))
		if response.StatusCode == http.StatusAccepted {
			l.inPod++
		}
		l.answered.Add(1)
	case l.mayBeFull && response.StatusCode == http.StatusInsufficientStorage:
		l.full.Add(1)
	case response.StatusCode != http.StatusServiceUnavailable:
		l.strange = append(l.strange, response.Status)
	}
}

// send reads the whole answer: what breaks off in the middle is none.
func (l *load) send(method, path, body string) (*http.Response, error) {
	request, err := http.NewRequest(method, l.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+l.bearer)
	response, err := l.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(strings.NewReader(string(content)))
	return response, err
}

// take returns what was acknowledged since the last time.
func (l *load) take() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids, l.ids = l.ids, nil
	return ids
}

// problems are answers that should not have been.
func (l *load) problems() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.strange) > 0 {
		return fmt.Errorf("%d answers such as %s", len(l.strange), l.strange[0])
	}
	return nil
}

// absent counts the ids that the program says it does not have.
func (l *load) absent(t *testing.T, ids []string) (n int) {
	t.Helper()
	for _, id := range ids {
		response, err := l.send(http.MethodGet, "/api/v1/detections/"+id, "")
		if err != nil {
			t.Fatalf("get %s: %v", id, err)
		}
		if response.StatusCode == http.StatusNotFound {
			n++
		} else if response.StatusCode != http.StatusOK {
			t.Errorf("get %s: %s", id, response.Status)
		}
	}
	return n
}

// drained says whether the program owes nothing to TAK and to its store.
func (l *load) drained() bool {
	response, err := l.send(http.MethodGet, "/ready", "")
	if err != nil {
		return false
	}
	content, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK &&
		strings.Contains(string(content), "0 owed to TAK, 0 not in the store yet") && !strings.Contains(string(content), `"down"`)
}
