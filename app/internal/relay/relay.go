// Package relay carries detections from this pod to the store and to TAK, and sees to it that none is lost on the way:
// what was accepted stays in the pod's queue until the store has it and TAK has read it. It sees interfaces only.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// Link is one connection to a TAK server.
type Link interface {
	// Send delivers the events in order. nil means that the server has read all of them. After an error the link is closed,
	// unless it is a Refusal: then the server has read the others.
	Send(ctx context.Context, events [][]byte) error
	// Window is how many events one Send may take now. It may change with what the server turns out to be.
	Window() int
	// Lost is closed when the link is known to be dead, also while nothing is sent.
	Lost() <-chan struct{}
	// Err says why the link was lost, nil while it is up.
	Err() error
	Close() error
}

// DefaultBacklogRate is a tenth of the 1,000 events a second that taky says it routes on one old desktop core (its README),
// so that ten pods may bring their backlogs at once. A day's backlog at one detection a second is through in 15 minutes.
const DefaultBacklogRate = 100

// Refusal is the error of a Send whose server does not take some of the events, and never will.
type Refusal interface {
	error
	// Refused says why, by the place of the event among those that were sent.
	Refused() map[int]string
}

// Options are what a Relay needs. Fields up to StoreTimeout, but Dial, are required, and so are the last three.
type Options struct {
	Queue detection.Queue
	Store detection.Store
	// Dial opens a link to TAK; nil means that nothing is delivered.
	Dial   func(ctx context.Context) (Link, error)
	Encode func(d detection.Detection, now time.Time) ([]byte, error)
	Owner  string // this pod, unique among the live ones

	Lease        time.Duration // how long the store waits for this pod before others deliver its events
	StoreTimeout time.Duration // of one call to the store

	// BacklogRate is how many events a second go to TAK, at most, of those that waited for more than a minute. 0: no limit.
	BacklogRate float64
	// ExpireAfter is how long after its acceptance a detection is still sent. One that is older gets the outcome Expired and
	// stays in the record; retractions and what an operator redrives are sent however old. 0: everything is.
	ExpireAfter time.Duration
	// Series names what a detection is one of several sightings of, as a rule the track whose CoT uid its event has. Of
	// those that wait only the newest is sent. nil, or an empty name: each detection is sent.
	Series func(detection.Detection) string
	// SeriesEvery is how much time lies between two events of one series, at least. The last one is never left out.
	SeriesEvery time.Duration

	// Camera returns the event of the camera that a detection was seen with; nil: cameras are not shown on the map.
	Camera func(d detection.Detection, now time.Time) ([]byte, error)
	// CameraEvery is how much time lies between two events of one camera, at least.
	CameraEvery time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Relay is the journal of a pod. Its methods are safe for concurrent use.
type Relay struct {
	opts    Options
	metrics metrics
	log     *slog.Logger

	storeDown atomic.Bool
	takDown   atomic.Bool
	undeliver chan struct{} // something to deliver
	unsynced  chan struct{} // something to tell the store

	lanes *lanes // of what is to be delivered; its live and series are safe for concurrent use

	cameras   cameras
	accepting accepting

	refused map[string]bool // ids of queued records that the store refuses; only the goroutine that syncs uses it

	stop context.CancelFunc
	done sync.WaitGroup
}

// New makes a Relay and starts its loops. Stop ends them.
func New(opts Options) *Relay {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Relay{
		opts: opts, log: opts.Logger.With("component", "relay"),
		undeliver: make(chan struct{}, 1), unsynced: make(chan struct{}, 1), refused: map[string]bool{}, stop: cancel,
	}
	r.lanes = &lanes{
		queue: opts.Queue, live: newLive(), series: newSeries(opts.Series, opts.SeriesEvery),
		rate: rate{perSecond: opts.BacklogRate}, expireAfter: opts.ExpireAfter, behind: true,
	}
	r.accepting.ids = map[string]int{}
	r.cameras = cameras{encode: opts.Camera, every: opts.CameraEvery, shown: map[string]shown{}}
	r.metrics = newMetrics(opts.Registerer, opts.Queue, r.oldest)
	r.takDown.Store(opts.Dial != nil)
	r.done.Go(func() { r.syncStore(ctx) })
	if opts.Dial != nil {
		r.done.Go(func() { r.deliver(ctx) })
	}
	return r
}

// Accept implements detection.Journal: in the store, or in this pod's queue while the store cannot be reached.
// It returns detection.ErrFull or detection.ErrUnavailable when neither can take them.
func (r *Relay) Accept(ctx context.Context, detections []detection.Detection) ([]detection.Commitment, error) {
	records := make([]detection.Record, len(detections))
	for i, d := range detections {
		records[i] = detection.Record{Detection: d, Deliver: r.opts.Dial != nil, Owner: r.opts.Owner}
		if err := records[i].Encode(); err != nil { // once for the store and the queue
			return nil, err
		}
	}
	r.accepting.begin(records)
	defer r.accepting.end(records)
	stored, err := r.commit(ctx, records)
	if err != nil {
		return nil, err
	}
	if err := r.queue(ctx, records, stored); err != nil {
		return nil, err
	}
	committed := make([]detection.Commitment, len(records))
	for i := range records {
		committed[i] = detection.Commitment{Durability: detection.InPod, RepeatOf: records[i].RepeatOf}
		if stored {
			committed[i].Durability = detection.InStore
		}
	}
	return committed, nil
}

// queue keeps what is still to be done about the records: nothing for one that the store had already.
func (r *Relay) queue(ctx context.Context, records []detection.Record, stored bool) error {
	items := make([]detection.Queued, 0, len(records))
	for i := range records {
		if (records[i].Deliver || !stored) && records[i].RepeatOf == "" {
			items = append(items, detection.Queued{Record: records[i], Stored: stored})
		}
	}
	if len(items) == 0 {
		return nil
	}
	err := r.put(ctx, items)
	if err != nil && !stored {
		return err
	}
	if err != nil { // the store has it; this pod, or another, claims it from there when there is room
		level := slog.LevelWarn
		if errors.Is(err, detection.ErrFull) { // then it is so for each detection until TAK is back
			level = slog.LevelDebug
		}
		r.log.Log(ctx, level, "queue stored detections", "first", items[0].Record.Detection.ID, "count", len(items), "error", err)
	}
	if !stored {
		wake(r.unsynced)
	}
	wake(r.undeliver)
	return nil
}

// put queues what this pod has just accepted: that is live.
func (r *Relay) put(ctx context.Context, items []detection.Queued) error {
	if r.opts.Dial == nil {
		return r.opts.Queue.Put(ctx, items)
	}
	live := r.lanes.live
	live.expect(items)
	if err := r.opts.Queue.Put(ctx, items); err != nil {
		for i := range items {
			live.forget(items[i].Record.Detection.ID)
		}
		return err
	}
	for i := range items {
		r.lanes.series.note(&items[i].Record.Detection)
	}
	live.add(items, r.opts.Now())
	return nil
}

// commit tries the store, unless it is known to be away: then no request waits for a time-out.
func (r *Relay) commit(ctx context.Context, records []detection.Record) (stored bool, err error) {
	if r.storeDown.Load() {
		return false, nil
	}
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	err = r.opts.Store.Commit(call, records)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, detection.ErrFull) || ctx.Err() != nil { // a client that has gone says nothing about the store
		return false, err
	}
	if !isUnavailable(err) { // it lies between this service and the store; the client's input was sound
		return false, &detection.Error{Code: detection.CodeInternal, Message: "the store refused the detection", Err: err}
	}
	r.storeIs(false, err)
	return false, nil
}

// State is what a Relay says of itself for the readiness answer.
type State struct {
	Store string               // "up" or "down"
	TAK   string               // "up", "down" or "off"
	Queue detection.QueueDepth // what is waiting
	// Oldest is the age of what waits for TAK for longest, since its acceptance; 0 when nothing waits.
	Oldest time.Duration
}

// State reports the last known state of the store and of TAK.
func (r *Relay) State() State {
	s := State{Store: upOrDown(r.storeDown.Load()), TAK: upOrDown(r.takDown.Load()), Queue: r.opts.Queue.Depth(), Oldest: r.oldest()}
	if r.opts.Dial == nil {
		s.TAK = "off"
	}
	return s
}

// oldest reads the front of the queue. Adopted records stand behind it, however old they are.
func (r *Relay) oldest() time.Duration {
	if r.opts.Queue.Depth().Undelivered == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	records, _, err := r.opts.Queue.Undelivered(ctx, 0, 1)
	if err != nil || len(records) == 0 {
		return 0
	}
	return max(0, r.opts.Now().Sub(records[0].Detection.ReceivedAt))
}

// Stop ends delivery, hands what is left to the store until ctx ends, and gives up this pod's leases.
// No Accept may run any more.
func (r *Relay) Stop(ctx context.Context) error {
	r.stop()
	r.done.Wait()
	return r.handOver(ctx)
}

func upOrDown(down bool) string {
	if down {
		return "down"
	}
	return "up"
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
