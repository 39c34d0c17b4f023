package tak_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// secured tries a TLS connection and a window to a taky with the server side cfg.
func secured(t *testing.T, cfg *tls.Config, client tak.TLSOptions) error {
	t.Helper()
	server := taktest.Taky().Listen(t, taktest.Whole, cfg)
	link, err := newDialer(t, tak.DialerOptions{Conn: conforming(), TLS: client}, "tls://"+server.Addr).Dial(t.Context())
	if err != nil {
		return err
	}
	defer link.Close()
	return link.Send(t.Context(), [][]byte{taktest.Sized("a", 0)})
}

func pinOf(certificate *x509.Certificate) []byte {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return sum[:]
}

// TestTLSErrors holds that what can go wrong is told apart, and with what to do. The first case works, which is the control.
func TestTLSErrors(t *testing.T) {
	ours, theirs := taktest.NewAuthority(t, "our authority"), taktest.NewAuthority(t, "their authority")
	with := func(change func(*tls.Config)) *tls.Config {
		cfg := ours.Server(t)
		change(cfg)
		return cfg
	}
	issued := func(change func(*x509.Certificate)) *tls.Config {
		return with(func(cfg *tls.Config) { cfg.Certificates = []tls.Certificate{ours.Issue(t, "tak.example.org", change)} })
	}
	nameless := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }
	fixed := ours.Server(t)
	pin := pinOf(fixed.Certificates[0].Leaf)
	client := func(change func(*tak.TLSOptions)) tak.TLSOptions {
		files := clientFiles(t, ours)
		change(&files)
		return files
	}
	as := func(authority *taktest.Authority, change ...func(*x509.Certificate)) func(*tak.TLSOptions) {
		return func(o *tak.TLSOptions) {
			certificate := authority.Issue(t, "someone", change...)
			o.CertFile = write(t, "other.pem", taktest.CertificatePEM(certificate.Leaf))
			o.KeyFile = write(t, "other.key", taktest.KeyPEM(t, certificate.PrivateKey))
		}
	}
	same := func(*tak.TLSOptions) {}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	}
	for name, test := range map[string]struct {
		server *tls.Config
		client tak.TLSOptions
		want   string // in the error; empty: it works
	}{
		"all is well":           {ours.Server(t), client(same), ""},
		"TLS 1.2":               {with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), client(same), ""},
		"TLS 1.1":               {with(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), client(same), "TLS 1.2"},
		"expired server":        {issued(expired), client(same), "renew it there"},
		"unknown authority":     {theirs.Server(t), client(same), `"CN=their authority", which is not among`},
		"wrong name":            {ours.Server(t), client(func(o *tak.TLSOptions) { o.ServerName = "other.example.org" }), "set the server name to one of them"},
		"name given":            {ours.Server(t), client(func(o *tak.TLSOptions) { o.ServerName = "tak.example.org" }), ""},
		"no name":               {issued(nameless), client(same), "no host names"},
		"no name, any will do":  {issued(nameless), client(func(o *tak.TLSOptions) { o.AnyName = true }), ""},
		"any name, not theirs":  {theirs.Server(t), client(func(o *tak.TLSOptions) { o.AnyName = true }), "not among the given"},
		"any name, expired":     {issued(expired), client(func(o *tak.TLSOptions) { o.AnyName = true }), "renew it there"},
		"a client's":            {issued(func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }), client(same), "not made for servers"},
		"any name, a client's":  {issued(func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }), client(func(o *tak.TLSOptions) { o.AnyName = true }), "not made for servers"},
		"pinned":                {fixed, client(func(o *tak.TLSOptions) { o.Pins = []string{"sha256/" + base64.StdEncoding.EncodeToString(pin)} }), ""},
		"pinned in hex":         {fixed, client(func(o *tak.TLSOptions) { o.Pins = []string{strings.Repeat("00", 32), hex.EncodeToString(pin)} }), ""},
		"pinned alone":          {fixed, client(func(o *tak.TLSOptions) { o.Pins, o.AnyName, o.CAFile = []string{hex.EncodeToString(pin)}, true, "" }), ""},
		"another pin":           {ours.Server(t), client(func(o *tak.TLSOptions) { o.Pins = []string{hex.EncodeToString(pin)} }), "pin the new one"},
		"another pin, alone":    {ours.Server(t), client(func(o *tak.TLSOptions) { o.Pins, o.AnyName, o.CAFile = []string{hex.EncodeToString(pin)}, true, "" }), "pin the new one"},
		"no client certificate": {ours.Server(t), client(func(o *tak.TLSOptions) { o.CertFile, o.KeyFile = "", "" }), "wants a client certificate"},
		"none, TLS 1.2":         {with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), client(func(o *tak.TLSOptions) { o.CertFile, o.KeyFile = "", "" }), "certificate"},
		"unknown client":        {ours.Server(t), client(as(theirs)), "does not know the authority that signed this client"},
		"expired client":        {ours.Server(t), client(as(ours, expired)), "this client's certificate has expired"},
		"not TLS":               {nil, client(same), "speaks no TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "not TLS" {
				server := listenRaw(t, "220 hello\r\n")
				_, err := newDialer(t, tak.DialerOptions{Conn: conforming(), TLS: test.client}, "tls://"+server).Dial(t.Context())
				told(t, err, test.want)
				return
			}
			told(t, secured(t, test.server, test.client), test.want)
		})
	}
}

// told holds that the error says what is wanted and may pass.
func told(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !tak.Retryable(err)):
		t.Errorf("got %v, want %q", err, want)
	}
}
