package takserver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS is what a TAK server asks of its clients: TLS 1.2 at least, and a certificate of the given authority. The arguments are
// PEM files. Without any it returns nil, which is plain TCP.
func TLS(certificate, key, clientCA string) (*tls.Config, error) {
	if certificate == "" && key == "" && clientCA == "" {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the server's certificate: %w", err)
	}
	authority, err := os.ReadFile(clientCA)
	if err != nil {
		return nil, fmt.Errorf("read the clients' authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("read the clients' authority: no certificate in %s", clientCA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}, nil
}
