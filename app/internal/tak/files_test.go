package tak_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/detection-api/detection-api/app/internal/tak"
	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// listenRaw greets each connection with a text.
func listenRaw(t *testing.T, greeting string) string {
	var o tak.Options
	listen(t, func(c net.Conn) {
		defer c.Close()
		io.WriteString(c, greeting)
		io.Copy(io.Discard, c)
	})(&o)
	return o.Addr
}

func TestTLSOptions(t *testing.T) {
	for want, o := range map[string]tak.TLSOptions{
		"both its certificate":  {CertFile: "a"},
		"two client":            {CertFile: "a", KeyFile: "b", P12File: "c"},
		"a server name, and":    {ServerName: "a", AnyName: true, CAFile: "b"},
		"any server of any":     {AnyName: true},
		"no SHA-256":            {Pins: []string{"abcd"}},
		`the pin "zz" is no SH`: {Pins: []string{"zz"}},
	} {
		endpoints, _ := tak.ParseEndpoints("tls://a:1")
		_, err := tak.NewDialer(tak.DialerOptions{Endpoints: endpoints, TLS: o})
		if err == nil || !strings.Contains(err.Error(), want) || tak.Retryable(err) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
	if _, err := tak.NewDialer(tak.DialerOptions{}); err == nil {
		t.Error("no endpoint was taken")
	}
	endpoints, _ := tak.ParseEndpoints("http://a")
	if _, err := tak.NewDialer(tak.DialerOptions{Endpoints: endpoints, Method: "GET"}); err == nil {
		t.Error("GET was taken")
	}
}

// TestTLSFiles holds what is said of files that are no good, against two that are good.
func TestTLSFiles(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	client, other := authority.Issue(t, "detection-api"), authority.Issue(t, "other")
	p12, err := pkcs12.Modern.Encode(client.PrivateKey, client.Leaf, []*x509.Certificate{authority.Certificate}, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	mismatched, err := pkcs12.Modern.Encode(client.PrivateKey, other.Leaf, nil, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	trust, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{authority.Certificate}, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	ca, cert, key := taktest.CertificatePEM(authority.Certificate), taktest.CertificatePEM(client.Leaf), taktest.KeyPEM(t, client.PrivateKey)
	file := func(data []byte) string { return write(t, "file", data) }
	password, wrong := file([]byte("s3cret\r\n")), file([]byte("other"))
	for name, test := range map[string]struct {
		files tak.TLSOptions
		want  string
	}{
		"PEM":                      {tak.TLSOptions{CAFile: file(ca), CertFile: file(cert), KeyFile: file(key)}, ""},
		"PKCS#12":                  {tak.TLSOptions{P12File: file(p12), PasswordFile: password}, ""},
		"trust store":              {tak.TLSOptions{CAFile: file(trust), P12File: file(p12), PasswordFile: password}, ""},
		"wrong password":           {tak.TLSOptions{P12File: file(p12), PasswordFile: wrong}, "the password is wrong"},
		"no password":              {tak.TLSOptions{P12File: file(p12)}, "the password is wrong"},
		"trust store, wrong one":   {tak.TLSOptions{CAFile: file(trust), PasswordFile: wrong}, "the password is wrong"},
		"not a trust store":        {tak.TLSOptions{CAFile: file(p12), PasswordFile: password}, "-nokeys"},
		"another key":              {tak.TLSOptions{CertFile: file(taktest.CertificatePEM(other.Leaf)), KeyFile: file(key)}, "the key is another certificate's"},
		"another key in PKCS#12":   {tak.TLSOptions{P12File: file(mismatched), PasswordFile: password}, "matches no certificate"},
		"encrypted key":            {tak.TLSOptions{CertFile: file(cert), KeyFile: file(encrypted)}, "openssl pkey"},
		"key and certificate swap": {tak.TLSOptions{CertFile: file(key), KeyFile: file(cert)}, "want PEM"},
		"no file":                  {tak.TLSOptions{CAFile: "/nowhere/ca.pem"}, "is the Secret mounted"},
		"not PKCS#12":              {tak.TLSOptions{P12File: file(cert)}, "want a PKCS#12 file"},
		"JKS":                      {tak.TLSOptions{CAFile: file([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1})}, "keytool -importkeystore"},
		"no certificate":           {tak.TLSOptions{CAFile: file(key)}, "no certificate in it"},
		"empty":                    {tak.TLSOptions{CAFile: file(nil)}, "neither PEM nor a trust store"},
		"broken certificate":       {tak.TLSOptions{CAFile: file(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))}, "want PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			dialer := newDialer(t, tak.DialerOptions{TLS: test.files}, "tls://tak.example.org:8089")
			err := dialer.Check()
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestPKCS12 connects with what TAK hands out: one file with key, certificate and authority.
func TestPKCS12(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	client := authority.Issue(t, "detection-api")
	for name, encoder := range map[string]*pkcs12.Encoder{"modern": pkcs12.Modern, "legacy": pkcs12.LegacyRC2} {
		p12, err := encoder.Encode(client.PrivateKey, client.Leaf, []*x509.Certificate{authority.Certificate}, "atakatak")
		if err != nil {
			t.Fatal(err)
		}
		files := tak.TLSOptions{P12File: write(t, "client.p12", p12), PasswordFile: write(t, "password", []byte("atakatak\n"))}
		if err := secured(t, authority.Server(t), files); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := secured(t, taktest.NewAuthority(t, "another").Server(t), files); err == nil {
			t.Errorf("%s: a server of another authority was trusted", name)
		}
	}
}

// TestReload changes the files under a dialer: to a new authority, to nonsense, and back.
func TestReload(t *testing.T) {
	old, young := taktest.NewAuthority(t, "old"), taktest.NewAuthority(t, "young")
	young.Issue(t, "the first") // so that the next has another serial number than the old authority's first
	files, next := clientFiles(t, old), clientFiles(t, young)
	var log bytes.Buffer
	now := time.Now()
	conn := conforming()
	conn.Logger, conn.Now = slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now }
	oldServer := taktest.Taky().Listen(t, taktest.Whole, old.Server(t))
	youngServer := taktest.Taky().Listen(t, taktest.Whole, young.Server(t))
	toOld := newDialer(t, tak.DialerOptions{Conn: conn, TLS: files}, "tls://"+oldServer.Addr)
	toYoung := newDialer(t, tak.DialerOptions{Conn: conn, TLS: files}, "tls://"+youngServer.Addr)
	reaches := func(d *tak.Dialer, want bool) {
		t.Helper()
		link, err := d.Dial(t.Context())
		if (err == nil) != want {
			t.Errorf("got %v, want a link: %v", err, want)
		}
		if err == nil {
			link.Close()
		}
	}
	reaches(toOld, true)
	reaches(toYoung, false)
	first := toYoung.Status().Certificate
	copyFile(t, next.CAFile, files.CAFile)
	copyFile(t, next.CertFile, files.CertFile) // its key is still the old one
	reaches(toOld, true)
	reaches(toOld, true)
	if told := strings.Count(log.String(), "no good"); told != 1 || toOld.Status().CertificateError == "" {
		t.Errorf("told %d times of the broken files; status %q", told, toOld.Status().CertificateError)
	}
	copyFile(t, next.KeyFile, files.KeyFile)
	reaches(toYoung, true)
	now = now.Add(2 * time.Minute) // also without a dial the files are looked at
	status := toOld.Status()
	if status.CertificateError != "" || status.Certificate.Serial == first.Serial {
		t.Errorf("status %+v, the first was %+v", status, first)
	}
	if in := status.Certificate.ExpiresInSeconds; in < 23*3600 || in > 24*3600 {
		t.Errorf("expires in %v s", in)
	}
	reaches(toOld, false)
}

// TestExpiredIsNotReloaded keeps a certificate that is valid when the new one is not.
func TestExpiredIsNotReloaded(t *testing.T) {
	authority := taktest.NewAuthority(t, "test authority")
	files := clientFiles(t, authority)
	server := taktest.Taky().Listen(t, taktest.Whole, authority.Server(t))
	dialer := newDialer(t, tak.DialerOptions{Conn: conforming(), TLS: files}, "tls://"+server.Addr)
	if err := dialer.Check(); err != nil {
		t.Fatal(err)
	}
	expired := authority.Issue(t, "late", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	for name, data := range map[string][]byte{files.CertFile: taktest.CertificatePEM(expired.Leaf), files.KeyFile: taktest.KeyPEM(t, expired.PrivateKey)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link, err := dialer.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	link.Close()
	if told := dialer.Status().CertificateError; !strings.Contains(told, "has expired") {
		t.Errorf("status says %q", told)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
