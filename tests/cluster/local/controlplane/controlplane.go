//go:build linux

// Package controlplane runs etcd, the Kubernetes control plane and the volume provisioner of a local cluster as processes
// of this machine. They listen on the address of the cluster's bridge only.
package controlplane

import (
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/machine"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

// Name is the name of the machine that the control plane runs in.
const Name = "control-plane"

// ProvisionerUser is the user name of the volume provisioner.
const ProvisionerUser = "cluster:provisioner"

// Config describes a control plane.
type Config struct {
	// Plan holds the cluster's addresses.
	Plan address.Plan
	// Programs are the programs to run.
	Programs parts.Set
	// Directory is the control plane's own; Prepare fills it.
	Directory string
	// Logs is the directory for log files.
	Logs string
	// Authority issues the certificates of the cluster.
	Authority *pki.Authority
	// Volumes is the directory of a node's volumes as this machine sees it, ${NODE} standing for the node's name.
	Volumes string
	// NodeVolumes is the same directory as the node sees it.
	NodeVolumes string
}

func (c Config) file(name string) string { return c.Directory + "/" + name }

// Prepare writes keys, certificates and kubeconfigs.
func (c Config) Prepare(now time.Time) error {
	if err := os.MkdirAll(c.Directory, 0o700); err != nil {
		return err
	}
	if err := c.Authority.Pair.WriteFiles(c.file("ca")); err != nil {
		return err
	}
	private, public, err := pki.NewKeyPair()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("service-account.key"), private, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("service-account.pub"), public, 0o644); err != nil {
		return err
	}
	if err := c.issueServers(now); err != nil {
		return err
	}
	for name, user := range map[string]string{
		"controller-manager": "system:kube-controller-manager", "scheduler": "system:kube-scheduler",
		"provisioner": ProvisionerUser,
	} {
		pair, err := c.Authority.Issue(pki.Subject{Name: user}, now)
		if err != nil {
			return err
		}
		path := c.file(name + ".kubeconfig")
		if err := pki.WriteKubeconfig(path, "local", c.Plan.APIServer(), c.Authority.Pair.Certificate, pair); err != nil {
			return err
		}
	}
	return nil
}

// issueServers makes the certificates of etcd and the API server. Etcd and the front proxy have authorities of their own:
// otherwise every user of the cluster would be a user of etcd, and could pass for the front proxy.
func (c Config) issueServers(now time.Time) error {
	etcd, err := pki.NewAuthority("etcd-ca", now)
	if err != nil {
		return err
	}
	front, err := pki.NewAuthority("front-proxy-ca", now)
	if err != nil {
		return err
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, issue := range []struct {
		authority *pki.Authority
		file      string
		subject   pki.Subject
	}{
		{etcd, "etcd", pki.Subject{Name: "etcd", Addresses: []netip.Addr{c.Plan.Host()}}},
		{front, "front-proxy", pki.Subject{Name: "front-proxy-client"}},
		{c.Authority, "kubelet-client", pki.Subject{Name: "kube-apiserver", Groups: []string{"system:masters"}}},
		{c.Authority, "apiserver", pki.Subject{
			Name:      "kube-apiserver",
			DNSNames:  []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addresses: []netip.Addr{c.Plan.Host(), c.Plan.APIService(), loopback},
		}},
	} {
		pair, err := issue.authority.Issue(issue.subject, now)
		if err != nil {
			return err
		}
		if err := pair.WriteFiles(c.file(issue.file)); err != nil {
			return err
		}
	}
	if err := etcd.Pair.WriteFiles(c.file("etcd-ca")); err != nil {
		return err
	}
	return front.Pair.WriteFiles(c.file("front-proxy-ca"))
}

// Machine describes the processes. Each is started anew when it ends, so their order does not matter.
func (c Config) Machine() machine.Config {
	api := "tcp:" + c.hostPort("6443")
	return machine.Config{Processes: []machine.Process{
		c.process("etcd", "", c.etcd()),
		c.process("kube-apiserver", "tcp:"+c.hostPort("2379"), c.apiserver()),
		c.process("kube-controller-manager", api, c.controllerManager()),
		c.process("kube-scheduler", api, c.scheduler()),
		c.process("provisioner", api, c.provisioner()),
	}}
}

func (c Config) process(program, waitFor string, flags []string) machine.Process {
	return machine.Process{
		Name: program, Args: append([]string{c.Programs.Program(program)}, flags...),
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.Directory},
		Log: c.Logs + "/" + program + ".log", WaitFor: waitFor,
	}
}

func (c Config) hostPort(port string) string { return net.JoinHostPort(c.Plan.Host().String(), port) }

func (c Config) etcd() []string {
	client, peer := "https://"+c.hostPort("2379"), "https://"+c.hostPort("2380")
	return []string{
		"--name=local", "--data-dir=" + c.file("etcd-data"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=local=" + peer,
		"--cert-file=" + c.file("etcd.crt"), "--key-file=" + c.file("etcd.key"),
		"--trusted-ca-file=" + c.file("etcd-ca.crt"), "--client-cert-auth",
		"--peer-cert-file=" + c.file("etcd.crt"), "--peer-key-file=" + c.file("etcd.key"),
		"--peer-trusted-ca-file=" + c.file("etcd-ca.crt"), "--peer-client-cert-auth",
	}
}

func (c Config) apiserver() []string {
	return []string{
		"--etcd-servers=https://" + c.hostPort("2379"), "--etcd-cafile=" + c.file("etcd-ca.crt"),
		"--etcd-certfile=" + c.file("etcd.crt"), "--etcd-keyfile=" + c.file("etcd.key"),
		"--bind-address=" + c.Plan.Host().String(), "--advertise-address=" + c.Plan.Host().String(), "--secure-port=6443",
		"--tls-cert-file=" + c.file("apiserver.crt"), "--tls-private-key-file=" + c.file("apiserver.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.file("service-account.pub"),
		"--service-account-signing-key-file=" + c.file("service-account.key"),
		"--service-cluster-ip-range=" + c.Plan.ServiceNetwork().String(),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--kubelet-certificate-authority=" + c.file("ca.crt"), "--kubelet-client-certificate=" + c.file("kubelet-client.crt"),
		"--kubelet-client-key=" + c.file("kubelet-client.key"), "--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.file("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.file("front-proxy.crt"), "--proxy-client-key-file=" + c.file("front-proxy.key"),
		// This machine is no node: it reaches webhooks and aggregated APIs at their pods, not at their cluster IP.
		"--enable-aggregator-routing",
		"--profiling=false",
	}
}

func (c Config) controllerManager() []string {
	config := c.file("controller-manager.kubeconfig")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--service-account-private-key-file=" + c.file("service-account.key"), "--root-ca-file=" + c.file("ca.crt"),
		"--cluster-signing-cert-file=" + c.file("ca.crt"), "--cluster-signing-key-file=" + c.file("ca.key"),
		"--use-service-account-credentials", "--leader-elect=false", "--bind-address=" + c.Plan.Host().String(),
		"--service-cluster-ip-range=" + c.Plan.ServiceNetwork().String(),
		// A silent node is declared lost after 20 s instead of 50 s: tests wait for it.
		"--node-monitor-grace-period=20s",
	}
}

func (c Config) scheduler() []string {
	config := c.file("scheduler.kubeconfig")
	return []string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--leader-elect=false", "--bind-address=" + c.Plan.Host().String(),
	}
}

func (c Config) provisioner() []string {
	return []string{
		"-kubeconfig=" + c.file("provisioner.kubeconfig"), "-name=" + Provisioner,
		"-host-root=" + c.Volumes, "-node-root=" + c.NodeVolumes,
	}
}

// Provisioner is the name by which StorageClasses ask for the provisioner.
const Provisioner = "cluster.local/node-disk"
