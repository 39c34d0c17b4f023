package tak

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// handshakeError is an error of the TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// alerts are what a server says about this client, by their numbers in RFC 8446, 6.
var alerts = map[tls.AlertError]string{
	40: "the server found no TLS version, cipher or certificate to agree on; many want a client certificate",
	42: "the server refuses this client's certificate: is it from the server's own authority?",
	43: "the server cannot read this client's kind of certificate; RSA with 2048 bits or more is read everywhere",
	44: "the server has revoked this client's certificate: enrol again",
	45: "the server says that this client's certificate has expired: renew it, or look at both clocks",
	46: "the server refuses this client's certificate",
	48: "the server does not know the authority that signed this client's certificate: " +
		"add the intermediate certificates to it, or let the server's own authority sign it",
	49:  "the server knows this client's certificate and denies it access: enrol it there",
	70:  "the server speaks no TLS 1.2 or newer",
	112: "the server does not know the name it was called by: set the server name",
	116: "the server wants a client certificate: configure one",
}

// tlsHint says what to do about an error of TLS, and nothing about other errors.
func tlsHint(err error) string {
	if hint := certificateHint(err); hint != "" {
		return hint
	}
	var remote *net.OpError
	if errors.As(err, &remote) && remote.Op == "remote error" {
		for alert, hint := range alerts {
			if remote.Err.Error() == alert.Error() { // the type of the error is not exported
				return hint
			}
		}
	}
	var header tls.RecordHeaderError
	var handshake *handshakeError
	switch {
	case errors.As(err, &header):
		return "the server speaks no TLS on this port: TAK's port for TLS is 8089; for plain TCP write tcp://"
	case errors.As(err, &handshake) && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return "the server hung up during the TLS handshake: is it a port for TLS, and does it want a client certificate?"
	}
	return ""
}

// certificateHint says what is wrong with the server's certificate.
func certificateHint(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var pin *pinError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the server's certificate is valid from %s to %s: renew it there, or set this host's clock right",
			invalid.Cert.NotBefore.Format(time.RFC3339), invalid.Cert.NotAfter.Format(time.RFC3339))
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "the server shows a certificate that is not made for servers: it may be a client's"
	case errors.As(err, &unknown):
		issuer := "another authority"
		if unknown.Cert != nil {
			issuer = fmt.Sprintf("%q", unknown.Cert.Issuer)
		}
		return fmt.Sprintf("the server's certificate was issued by %s, which is not among the given authorities: give that one's certificate",
			issuer)
	case errors.As(err, &name):
		if names := append(name.Certificate.DNSNames, ipTexts(name.Certificate)...); len(names) > 0 {
			return fmt.Sprintf("the server's certificate is for %s: set the server name to one of them", strings.Join(names, ", "))
		}
		return "the server's certificate has no host names, as old TAK installations make them: " +
			"issue one with a subjectAltName, or accept any name of the given authority"
	case errors.As(err, &pin):
		return "the server has another key than the pinned ones: if that is meant to be, pin the new one"
	}
	return ""
}

func ipTexts(certificate *x509.Certificate) []string {
	var texts []string
	for _, ip := range certificate.IPAddresses {
		texts = append(texts, ip.String())
	}
	return texts
}

// pinError means that the server's key is none of the pinned ones.
type pinError struct{ got string }

func (e *pinError) Error() string {
	return "the server's key has the SHA-256 " + e.got + ", which is not pinned"
}
