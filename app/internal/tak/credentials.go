package tak

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// lookAgain is how often Status looks whether the files have changed; each dial does so too.
const lookAgain = time.Minute

// credentials hold what the files of TLSOptions say, and follow them. Files that are no good do not replace good ones.
type credentials struct {
	opts TLSOptions
	log  *slog.Logger
	now  func() time.Time

	mu       sync.Mutex
	looked   time.Time
	seen     [sha256.Size]byte // of the files, or of the error, at the last look
	loaded   bool
	identity identity
	broken   error // what is wrong with the files as they are now
}

// refresh reads the files. It returns an error only when nothing good was ever read.
func (c *credentials) refresh() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = c.now()
	for range 2 { // a second time, because the first may have read half of a change
		fresh, seen, err := c.read()
		if err == nil {
			c.take(fresh, seen)
			return nil
		}
		if seen == c.seen {
			break
		}
		c.seen, c.broken = seen, err
		if c.loaded {
			c.log.Warn("new TLS files are no good; the ones from before stay in use", "error", err)
		}
	}
	if c.loaded {
		return nil
	}
	return c.broken
}

// read returns what the files say now, and a sum by which to know them again.
func (c *credentials) read() (identity, [sha256.Size]byte, error) {
	files, err := c.opts.read()
	if err != nil {
		return identity{}, sha256.Sum256([]byte(err.Error())), err
	}
	seen := files.sum()
	if c.loaded && seen == c.seen && c.broken == nil {
		return c.identity, seen, nil
	}
	fresh, err := c.opts.parse(files)
	if err == nil && c.loaded && c.expired(fresh) && !c.expired(c.identity) {
		err = fileError(c.opts.CertFile+c.opts.P12File, errors.New("the new certificate has expired"), "the old one is still valid")
	}
	return fresh, seen, err
}

// take puts what was read to use.
func (c *credentials) take(fresh identity, seen [sha256.Size]byte) {
	if c.loaded && c.broken == nil && seen == c.seen {
		return
	}
	if c.loaded {
		c.log.Info("TLS files have changed; the next connection uses them")
	}
	c.identity, c.seen, c.loaded, c.broken = fresh, seen, true, nil
	if c.expired(fresh) {
		c.log.Error("the client certificate for TAK has expired", "not_after", fresh.client.Leaf.NotAfter)
	}
}

func (c *credentials) expired(i identity) bool {
	return i.client != nil && c.now().After(i.client.Leaf.NotAfter)
}

// config returns what to do on a connection to addr, from files as new as they come.
func (c *credentials) config(addr string) (*tls.Config, error) {
	if err := c.refresh(); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity.config(c.opts, host)
}

// CertificateStatus is the client certificate in use.
type CertificateStatus struct {
	Subject          string    `json:"subject"`
	Serial           string    `json:"serial"`
	NotAfter         time.Time `json:"not_after"`
	ExpiresInSeconds float64   `json:"expires_in_seconds"` // negative: has expired
}

// status returns the client certificate, nil when there is none, and what is wrong with the files as they are now.
func (c *credentials) status() (*CertificateStatus, error) {
	c.mu.Lock()
	due := c.now().Sub(c.looked).Abs() >= lookAgain // also after a jump of the clock
	c.mu.Unlock()
	if due {
		_ = c.refresh() // broken has it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identity.client == nil {
		return nil, c.broken
	}
	leaf := c.identity.client.Leaf
	return &CertificateStatus{
		Subject: leaf.Subject.String(), Serial: leaf.SerialNumber.Text(16),
		NotAfter: leaf.NotAfter.UTC(), ExpiresInSeconds: leaf.NotAfter.Sub(c.now()).Seconds(),
	}, c.broken
}
