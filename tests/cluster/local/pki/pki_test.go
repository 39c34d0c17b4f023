package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(text)
	require.NotNil(t, block)
	require.Empty(t, rest)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return certificate
}

func TestIssue(t *testing.T) {
	now := time.Now()
	authority, err := NewAuthority("ca", now)
	require.NoError(t, err)
	pair, err := authority.Issue(Subject{
		Name: "system:node:node1", Groups: []string{"system:nodes"}, DNSNames: []string{"node1"},
		Addresses: []netip.Addr{netip.MustParseAddr("10.89.0.11")},
	}, now)
	require.NoError(t, err)
	certificate := parse(t, pair.Certificate)
	require.Equal(t, "system:node:node1", certificate.Subject.CommonName)
	require.Equal(t, []string{"system:nodes"}, certificate.Subject.Organization)
	_, err = tls.X509KeyPair(pair.Certificate, pair.Key)
	require.NoError(t, err)

	roots := x509.NewCertPool()
	roots.AddCert(parse(t, authority.Pair.Certificate))
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range []string{"node1", "10.89.0.11"} {
		_, err = certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: usages})
		require.NoError(t, err)
	}
	_, err = certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: "node2"})
	require.Error(t, err)

	other, err := NewAuthority("ca", now) // the same name does not help
	require.NoError(t, err)
	strangers := x509.NewCertPool()
	strangers.AddCert(parse(t, other.Pair.Certificate))
	_, err = certificate.Verify(x509.VerifyOptions{Roots: strangers})
	require.Error(t, err)
}

func TestKeysArePrivate(t *testing.T) {
	now := time.Now()
	authority, err := NewAuthority("ca", now)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, authority.Pair.WriteFiles(filepath.Join(dir, "ca")))
	require.NoError(t, WriteKubeconfig(filepath.Join(dir, "config"), "c", "https://10.89.0.1:6443", authority.Pair.Certificate, authority.Pair))
	for _, name := range []string{"ca.key", "config"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "config"))
	require.NoError(t, err)
	require.Equal(t, "https://10.89.0.1:6443", config.Host)
	require.Equal(t, authority.Pair.Certificate, config.CAData)
}
