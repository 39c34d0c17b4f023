package controlplane

import (
	"encoding/base64"
	"net/netip"
	"os"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

// administrators is the group that may do everything.
const administrators = "system:masters"

// writeCredentials writes keys, certificates and kubeconfigs, and returns the certificate of the cluster's authority.
func (c *ControlPlane) writeCredentials(now time.Time) ([]byte, error) {
	authority, err := pki.NewAuthority("controlplane", now)
	if err != nil {
		return nil, err
	}
	if err := authority.Pair.WriteFiles(c.file("ca")); err != nil {
		return nil, err
	}
	if err := c.writeServiceAccountKeys(); err != nil {
		return nil, err
	}
	if err := c.writeServers(authority, now); err != nil {
		return nil, err
	}
	return authority.Pair.Certificate, c.writeKubeconfigs(authority, now)
}

func (c *ControlPlane) writeServiceAccountKeys() error {
	private, public, err := pki.NewKeyPair()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("service-account.key"), private, 0o600); err != nil {
		return err
	}
	return os.WriteFile(c.file("service-account.pub"), public, 0o644)
}

// writeServers makes the certificates of servers, and that by which the API server proves to be the front proxy. The
// front proxy has an authority of its own: otherwise every user of the cluster could pass for it.
func (c *ControlPlane) writeServers(authority *pki.Authority, now time.Time) error {
	front, err := pki.NewAuthority("front-proxy", now)
	if err != nil {
		return err
	}
	if err := front.Pair.WriteFiles(c.file("front-proxy-ca")); err != nil {
		return err
	}
	address := []netip.Addr{netip.MustParseAddr(loopback)}
	for _, issue := range []struct {
		authority *pki.Authority
		file      string
		subject   pki.Subject
	}{
		{authority, "apiserver", pki.Subject{Name: "kube-apiserver", Addresses: address, DNSNames: []string{"localhost", "kubernetes.default.svc"}}},
		{authority, "kwok", pki.Subject{Name: "kwok", Addresses: address}},
		{authority, "metrics-server", pki.Subject{Name: "metrics-server", DNSNames: []string{"metrics-server.kube-system.svc"}}},
		{authority, "kubelet-client", pki.Subject{Name: "kube-apiserver", Groups: []string{administrators}}},
		{front, "front-proxy", pki.Subject{Name: "front-proxy-client"}},
	} {
		pair, err := issue.authority.Issue(issue.subject, now)
		if err != nil {
			return err
		}
		if err := pair.WriteFiles(c.file(issue.file)); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfigs makes the users. KWOK and metrics-server are no part of what is tested, so they may do everything.
func (c *ControlPlane) writeKubeconfigs(authority *pki.Authority, now time.Time) error {
	for _, subject := range []struct {
		file string
		pki.Subject
	}{
		{"admin", pki.Subject{Name: "admin", Groups: []string{administrators}}},
		{"controller-manager", pki.Subject{Name: "system:kube-controller-manager"}},
		{"scheduler", pki.Subject{Name: "system:kube-scheduler"}},
		{"kwok", pki.Subject{Name: "kwok", Groups: []string{administrators}}},
		{"metrics-server", pki.Subject{Name: "metrics-server", Groups: []string{administrators}}},
	} {
		pair, err := authority.Issue(subject.Subject, now)
		if err != nil {
			return err
		}
		path := c.file(subject.file + ".kubeconfig")
		if err := pki.WriteKubeconfig(path, "controlplane", "https://"+hostPort(c.ports.api), authority.Pair.Certificate, pair); err != nil {
			return err
		}
	}
	return nil
}

func base64Of(text []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(text)) }
