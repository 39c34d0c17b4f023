package tak

import "time"

// State is whether there is a link.
type State string

// The states of a Dialer.
const (
	Connected  State = "connected"
	Connecting State = "connecting"
	Waiting    State = "waiting" // for the next attempt
)

// LinkStatus is how the way to TAK is doing: for an operator's eyes and for metrics. What has not happened is nil or absent.
type LinkStatus struct {
	State              State              `json:"state"`
	Endpoint           string             `json:"endpoint,omitempty"` // of the link
	Mode               Mode               `json:"mode,omitempty"`     // what "delivered" means there
	ConnectedSince     *time.Time         `json:"connected_since,omitempty"`
	LastByteAgeSeconds *float64           `json:"last_byte_age_seconds,omitempty"` // since the last one that came, or the connection
	LastPongAgeSeconds *float64           `json:"last_pong_age_seconds,omitempty"`
	LastSendAgeSeconds *float64           `json:"last_send_age_seconds,omitempty"`
	Attempts           int64              `json:"attempts"` // to connect, since the start of the process
	Failures           int64              `json:"failures"` // attempts and links that failed
	LastError          string             `json:"last_error,omitempty"`
	LastErrorAt        *time.Time         `json:"last_error_at,omitempty"`
	Certificate        *CertificateStatus `json:"certificate,omitempty"`
	CertificateError   string             `json:"certificate_error,omitempty"` // what is wrong with the TLS files as they are now
	Endpoints          []EndpointStatus   `json:"endpoints"`                   // in order of preference
}

// EndpointStatus is what is known of one endpoint.
type EndpointStatus struct {
	Endpoint    string     `json:"endpoint"`
	InUse       bool       `json:"in_use"`
	LastError   string     `json:"last_error,omitempty"`   // empty once it works again
	PassedUntil *time.Time `json:"passed_until,omitempty"` // until then the others are tried first
}

// Status returns how things are. Once a minute it looks whether the TLS files have changed.
func (d *Dialer) Status() LinkStatus {
	now := d.opts.Conn.Now()
	d.mu.Lock()
	session := d.current
	s := LinkStatus{
		State: Waiting, Attempts: d.attempts, Failures: d.failures, LastError: text(d.lastErr),
		LastErrorAt: when(d.failedAt),
	}
	if d.dialling > 0 {
		s.State = Connecting
	}
	for _, known := range d.sites {
		e := EndpointStatus{Endpoint: known.String(), LastError: text(known.lastErr)}
		if until := later(known.rests, known.away); now.Before(until) {
			e.PassedUntil = when(until)
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	d.mu.Unlock() // the session has its own lock
	if session != nil {
		session.report(&s, now)
	}
	if d.credentials != nil {
		certificate, broken := d.credentials.status()
		s.Certificate, s.CertificateError = certificate, text(broken)
	}
	return s
}

// report adds what the present link knows, unless it is lost.
func (s *session) report(to *LinkStatus, now time.Time) {
	link, n := s.present()
	status := link.Status()
	if status.Err != nil {
		return
	}
	to.State, to.Endpoint, to.Mode = Connected, to.Endpoints[n].Endpoint, status.Mode()
	to.Endpoints[n].InUse = true
	to.ConnectedSince = when(status.ConnectedAt)
	to.LastByteAgeSeconds = age(status.LastByteAt, now)
	to.LastPongAgeSeconds = age(status.LastPongAt, now)
	to.LastSendAgeSeconds = age(status.LastWriteAt, now)
}

// noteLoss keeps the reason for which a link was lost that had worked.
func (d *Dialer) noteLoss(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sites[n].lastErr = err
	d.failures++
	d.lastErr, d.failedAt = err, d.opts.Conn.Now()
}

// leave forgets a session that is closed.
func (d *Dialer) leave(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == s {
		d.current = nil
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func age(t, now time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	seconds := now.Sub(t).Seconds()
	return &seconds
}
