package tak

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	// WebWindow bounds what is sent again after a failure; each event is a request of its own.
	WebWindow = 16
	// maxRetryAfter bounds how long a server can send its clients away.
	maxRetryAfter = 5 * time.Minute
	// maxAnswerBytes bounds what is read of an answer, so that the connection can be used again.
	maxAnswerBytes = 64 << 10
)

// refusals are the answers that are about the event itself, so that sending it again will not help. The other 4xx are about
// the path, the credentials or the moment: all events would get them, and none is to be given up for that.
var refusals = []int{
	http.StatusBadRequest, http.StatusNotAcceptable, http.StatusConflict, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
}

// web sends each event as one HTTP request. An answer of 2xx delivers it.
type web struct {
	*tether
	opts     Options
	endpoint Endpoint
	method   string
	client   *http.Client
	life     context.Context // ends with the link
}

// dialWeb looks whether the server can be reached, and makes a client for it. A link lives as long as its requests succeed, so
// each of its connections asks fresh for the configuration of TLS: the certificate may have been renewed.
func dialWeb(ctx context.Context, e Endpoint, method string, opts Options, fresh func() (*tls.Config, error)) (*web, error) {
	opts = opts.withDefaults()
	opts.Addr = e.Addr
	dialing, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()
	conn, err := connect(dialing, opts)
	if err != nil {
		return nil, connectError(e.Addr, err)
	}
	conn.Close() // the client opens its own
	transport := &http.Transport{
		DialContext: opts.Dialer, DialTLSContext: secureDialer(opts, fresh),
		MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	life, die := context.WithCancel(context.Background())
	w := &web{opts: opts, endpoint: e, method: method, life: life}
	w.client = &http.Client{
		Transport: transport, Timeout: opts.DeadAfter,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.tether = newTether(opts.Now, e.Addr, ModeResponse, func() { die(); transport.CloseIdleConnections() })
	return w, nil
}

// secureDialer opens the connections of one client.
func secureDialer(opts Options, fresh func() (*tls.Config, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		cfg, err := fresh()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
		defer cancel()
		opts := opts
		opts.TLS = cfg
		return connect(ctx, opts)
	}
}

// Send sends the events one after the other and waits for each answer.
func (w *web) Send(ctx context.Context, events [][]byte) error {
	end, err := w.begin(ctx)
	if err != nil {
		return &Error{Op: opSend, Addr: w.opts.Addr, Retryable: true, Err: err}
	}
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.life, cancel)()
	refused := map[int]string{}
	for i, event := range events {
		reason, err := w.post(ctx, event)
		if err != nil {
			if errors.Is(w.fail(err), ErrClosed) {
				return &Error{Op: opSend, Addr: w.opts.Addr, Retryable: true, Err: ErrClosed}
			}
			return err
		}
		if reason != "" {
			refused[i] = reason
		}
	}
	return refusedOrNil(w.endpoint.String(), refused)
}

// post sends one event. It returns the reason for which the server refuses it, if it does.
func (w *web) post(ctx context.Context, event []byte) (refused string, err error) {
	request, err := http.NewRequestWithContext(ctx, w.method, w.endpoint.URL, bytes.NewReader(event))
	if err != nil {
		return "", &Error{Op: opSend, Addr: w.opts.Addr, Err: withoutURL(err)}
	}
	request.Header.Set("Content-Type", "application/xml")
	request.Header.Set("User-Agent", "detection-api")
	w.wrote()
	response, err := w.client.Do(request)
	if err != nil {
		return "", &Error{Op: opSend, Addr: w.opts.Addr, Retryable: true, Err: withoutURL(err), Hint: connectHint(err)}
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswerBytes)) // what it says besides is of no use
	w.heard()
	status := response.StatusCode
	switch {
	case status >= 200 && status < 300:
		return "", nil
	case slices.Contains(refusals, status):
		return fmt.Sprintf("the server answered %d %s", status, http.StatusText(status)), nil
	}
	return "", &Error{
		Op: opSend, Addr: w.opts.Addr, Retryable: true, Hint: answerHint(status), RetryAfter: retryAfter(response, w.opts.Now()),
		Err: fmt.Errorf("the server answered %d %s", status, http.StatusText(status)),
	}
}

// withoutURL takes the URL out of what net/http says: its query may hold a secret, and errors are shown and logged.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// retryAfter reads how long the server wants to be left alone (RFC 9110, 10.2.3), 0 when it does not say.
func retryAfter(response *http.Response, now time.Time) time.Duration {
	text := response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func answerHint(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "it does not know this client: is the certificate the right one, and enrolled there?"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "check the path of the URL, and whether it takes PUT or POST"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return "redirects are not followed: configure the address it names"
	}
	return ""
}

// Window returns WebWindow.
func (w *web) Window() int { return WebWindow }

// Close ends the link. Closing again does nothing.
func (w *web) Close() error {
	w.fail(ErrClosed)
	return nil
}
