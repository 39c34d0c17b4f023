package storeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/groupcommit"
)

var _ detection.Store = (*Client)(nil)

const (
	// defaultTimeout is short, because a caller has a queue of its own to turn to.
	defaultTimeout = 2 * time.Second
	// defaultInFlight requests hide the round trip; more would only split the groups that share one disk sync.
	defaultInFlight = 4
	// groupBytes ends a group of commits.
	groupBytes = 1 << 20
)

// ClientOptions shape a Client. Zero values mean the defaults.
type ClientOptions struct {
	// BaseURL of the store, such as http://detection-api-store:8081. Required.
	BaseURL string
	// Token is the store's secret. Required.
	Token string
	// Timeout bounds each call. Default 2 s.
	Timeout time.Duration
	// InFlight is how many commits may be on their way at once. Default 4.
	InFlight int
}

// Client is a store behind HTTP. Commits of concurrent callers travel together.
type Client struct {
	base    string
	token   string
	timeout time.Duration
	http    *http.Client
	commits *groupcommit.Writer[*commit]
}

// NewClient does not connect: the store may be away. Close must be called.
func NewClient(opts ClientOptions) (*Client, error) {
	base, err := url.Parse(opts.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("store address %q is not an http or https URL", opts.BaseURL)
	}
	if opts.Token == "" {
		return nil, errors.New("the store's token is empty")
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.InFlight <= 0 {
		opts.InFlight = defaultInFlight
	}
	c := &Client{
		base: strings.TrimSuffix(base.String(), "/"), token: opts.Token, timeout: opts.Timeout,
		http: &http.Client{
			Transport:     newTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.commits = groupcommit.New(groupcommit.Options[*commit]{
		MaxWeight: groupBytes, Weigh: func(one *commit) int { return len(one.list) }, Committers: opts.InFlight,
	}, c.commitGroup)
	return c, nil
}

// newTransport keeps connections and uses no proxy: the store is in the same cluster. HTTP/1.1 only, because with
// HTTP/2 every call would hang on the one connection to a pod that has vanished.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: dialer.DialContext, Protocols: protocols, DisableCompression: true,
		MaxIdleConns: 32, MaxIdleConnsPerHost: 32, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: time.Second,
	}
}

// Close sends the commits that wait and closes the connections.
func (c *Client) Close() error {
	c.commits.Close()
	c.http.CloseIdleConnections()
	return nil
}

// Commit implements detection.Store.
func (c *Client) Commit(ctx context.Context, records []detection.Record) error {
	if len(records) == 0 {
		return nil
	}
	list, err := appendRecords(nil, records)
	if err != nil {
		return err
	}
	one := &commit{list: list, records: len(records)}
	if err := c.commits.Do(ctx, one); err != nil {
		return fmt.Errorf("commit to the store: %w", unavailable(err))
	}
	for i := range records {
		records[i].RepeatOf = ""
		if one.repeats != nil {
			records[i].RepeatOf = one.repeats[i]
		}
	}
	return nil
}

// commit is what one caller commits.
type commit struct {
	list    []byte // of records, as JSON
	records int
	repeats []string // set by the group: one for each record, or none at all
}

// appendRecords appends the records as JSON, with commas between them.
func appendRecords(b []byte, records []detection.Record) (_ []byte, err error) {
	for i := range records {
		if records[i].Detection.ID == "" { // the server would refuse all that travel with it
			return nil, detection.Invalid("detection_id", "must not be empty")
		}
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = records[i].AppendJSON(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// commitGroup sends what several callers commit as one, and hands each its part of the answer.
func (c *Client) commitGroup(group []*commit) error {
	size, records := len(`{"records":[]}`), 0
	for _, one := range group {
		size, records = size+len(one.list)+1, records+one.records
	}
	body := append(make([]byte, 0, size), `{"records":[`...)
	for i, one := range group {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, one.list...)
	}
	body = append(body, "]}"...)
	var out commitResponse
	if err := c.send(context.Background(), http.MethodPost, pathCommit, body, &out); err != nil {
		return err
	}
	switch len(out.Repeats) {
	case 0:
		return nil
	case records:
	default:
		return unavailable(fmt.Errorf("the store told of %d records, not of %d", len(out.Repeats), records))
	}
	for _, one := range group {
		one.repeats, out.Repeats = out.Repeats[:one.records], out.Repeats[one.records:]
	}
	return nil
}

// Acknowledge implements detection.Store.
func (c *Client) Acknowledge(ctx context.Context, deliveries []detection.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	return c.post(ctx, "acknowledge to the store", pathAcknowledge, acknowledgeRequest{deliveries}, nil)
}

// Renew implements detection.Store. The lease is carried in whole milliseconds.
func (c *Client) Renew(ctx context.Context, owner string, lease time.Duration) error {
	return c.post(ctx, "renew the lease at the store", pathRenew, renewRequest{owner, lease.Milliseconds()}, nil)
}

// Claim implements detection.Store. The store may hand out fewer than limit at a time: at most 10,000.
func (c *Client) Claim(ctx context.Context, owner, after string, limit int) ([]detection.Record, error) {
	var out claimResponse
	if err := c.post(ctx, "claim from the store", pathClaim, claimRequest{owner, after, limit}, &out); err != nil {
		return nil, err
	}
	return out.Records, nil
}

// Release implements detection.Store.
func (c *Client) Release(ctx context.Context, owner string) error {
	return c.post(ctx, "release at the store", pathRelease, releaseRequest{owner}, nil)
}

// Get implements detection.Store.
func (c *Client) Get(ctx context.Context, id string) (detection.Record, error) {
	var out detection.Record
	err := c.send(ctx, http.MethodGet, pathDetection+"?"+url.Values{"id": {id}}.Encode(), nil, &out)
	if err != nil {
		return detection.Record{}, fmt.Errorf("get from the store: %w", err)
	}
	return out, nil
}

// Stats implements detection.Store.
func (c *Client) Stats(ctx context.Context) (detection.StoreStats, error) {
	var out detection.StoreStats
	if err := c.send(ctx, http.MethodGet, pathStats, nil, &out); err != nil {
		return detection.StoreStats{}, fmt.Errorf("count at the store: %w", err)
	}
	return out, nil
}

func (c *Client) post(ctx context.Context, doing, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: encode: %w", doing, err)
	}
	if err := c.send(ctx, http.MethodPost, path, body, out); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
