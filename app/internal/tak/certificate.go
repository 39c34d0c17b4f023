package tak

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TLSOptions say who the servers are and who this client is. All of it concerns tls and https endpoints only; files are read
// again when they change. The zero value is a client without a certificate that trusts the system's authorities.
type TLSOptions struct {
	// CAFile has the only authorities that are trusted: PEM, or a PKCS#12 trust store as keytool makes them. Empty: those in
	// P12File if there are any, else the system's.
	CAFile   string
	CertFile string // PEM: the client's certificate, then the intermediates
	KeyFile  string // PEM, not encrypted
	P12File  string // instead of CertFile and KeyFile
	// PasswordFile has the password of the PKCS#12 files; a line end behind it is left out. Empty: the empty password.
	PasswordFile string
	ServerName   string // that the certificate must be for; empty: the endpoint's host
	// AnyName accepts a certificate for any name, or for none, as ATAK does. Its authority or its key must be given.
	AnyName bool
	// Pins are SHA-256 sums of the server's public key (SubjectPublicKeyInfo), in base64 or hex, of which one must fit, besides
	// everything else.
	Pins []string
}

// check finds what is wrong whatever the files hold.
func (o TLSOptions) check() error {
	wrong := func(problem, hint string) error {
		return &Error{Op: "configure TLS", Err: errors.New(problem), Hint: hint}
	}
	switch {
	case (o.CertFile == "") != (o.KeyFile == ""):
		return wrong("a client certificate needs both its certificate and its key file", "give both, or neither")
	case o.CertFile != "" && o.P12File != "":
		return wrong("two client certificates, one in PEM and one in PKCS#12", "give one of them")
	case o.AnyName && o.ServerName != "":
		return wrong("a server name, and any name is to be accepted", "give one of them")
	case o.AnyName && o.CAFile == "" && len(o.Pins) == 0:
		return wrong("any server of any authority would be accepted", "give the server's authority or a pin")
	}
	_, err := o.pins()
	return err
}

// pins returns the sums as bytes.
func (o TLSOptions) pins() ([][sha256.Size]byte, error) {
	var sums [][sha256.Size]byte
	for _, text := range o.Pins {
		text = strings.TrimPrefix(text, "sha256/")
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil {
			sum, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil || len(sum) != sha256.Size {
			return nil, &Error{
				Op: "configure TLS", Err: fmt.Errorf("the pin %q is no SHA-256 in base64 or hex", text),
				Hint: "docs/tak.md has the openssl command that prints one",
			}
		}
		sums = append(sums, [sha256.Size]byte(sum))
	}
	return sums, nil
}

// identity is what the files hold.
type identity struct {
	client *tls.Certificate // with Leaf; nil: none
	roots  *x509.CertPool   // nil: the system's
}

// config returns what to do on a connection to host.
func (i identity) config(o TLSOptions, host string) (*tls.Config, error) {
	pins, err := o.pins()
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: i.roots, ServerName: host,
		DynamicRecordSizingDisabled: true, // one record for each event
		InsecureSkipVerify:          o.AnyName,
	}
	if o.ServerName != "" {
		cfg.ServerName = o.ServerName
	}
	if i.client != nil { // also for a server that lists other authorities: its alert then says so
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return i.client, nil }
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if o.AnyName && (i.roots != nil || len(pins) == 0) {
			if err := verifyChain(state, i.roots); err != nil {
				return err
			}
		}
		return verifyPin(state, pins)
	}
	return cfg, nil
}

// verifyChain does what crypto/tls does, but for the name.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	others := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		others.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: others})
	return err
}

func verifyPin(state tls.ConnectionState, pins [][sha256.Size]byte) error {
	sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if len(pins) == 0 || slices.Contains(pins, sum) {
		return nil
	}
	return &pinError{base64.StdEncoding.EncodeToString(sum[:])}
}
