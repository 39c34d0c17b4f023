package takserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/takserver"
)

// TestTLS holds that only clients with a certificate of the authority get in, and that events tell whose they are.
func TestTLS(t *testing.T) {
	dir, authority, stranger := t.TempDir(), newAuthority(t), newAuthority(t)
	server := serveTLS(t, dir, authority)

	conn := dialTLS(t, server, authority, issue(t, authority, "drone 7"))
	send(t, conn, event("seen"))
	require.Equal(t, "drone 7", server.Events(0)[0].Client)

	for name, certificates := range map[string][]tls.Certificate{"none": nil, "a stranger's": {issue(t, stranger, "drone 8")}} {
		conn := dialTLS(t, server, authority, certificates...)
		require.NoError(t, conn.SetDeadline(time.Now().Add(deadline)))
		_, err := conn.Read(make([]byte, 1)) // in TLS 1.3 the client hears of it after its handshake
		require.ErrorContains(t, err, "certificate", name)
	}
	require.Len(t, server.Events(0), 1)
}

func TestTLSFilesAreWrong(t *testing.T) {
	_, err := takserver.TLS(filepath.Join(t.TempDir(), "none"), "", "")
	require.ErrorContains(t, err, "read the server's certificate")
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.NewAuthority("test", time.Now())
	require.NoError(t, err)
	return authority
}

func issue(t *testing.T, authority *pki.Authority, name string) tls.Certificate {
	t.Helper()
	pair, err := authority.Issue(pki.Subject{Name: name, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}, time.Now())
	require.NoError(t, err)
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	require.NoError(t, err)
	return certificate
}

func serveTLS(t *testing.T, dir string, authority *pki.Authority) *takserver.Server {
	t.Helper()
	own, err := authority.Issue(pki.Subject{Name: "tak", Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}, time.Now())
	require.NoError(t, err)
	require.NoError(t, own.WriteFiles(filepath.Join(dir, "server")))
	require.NoError(t, authority.Pair.WriteFiles(filepath.Join(dir, "ca")))
	config, err := takserver.TLS(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"), filepath.Join(dir, "ca.crt"))
	require.NoError(t, err)
	return start(t, takserver.Options{TLS: config})
}

func dialTLS(t *testing.T, server *takserver.Server, authority *pki.Authority, certificates ...tls.Certificate) net.Conn {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority.Pair.Certificate))
	conn, err := tls.Dial("tcp", server.CoTAddr(), &tls.Config{RootCAs: roots, Certificates: certificates})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}
