package controlplane

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// serviceNetwork is where the API server takes cluster addresses from. Nothing routes them: there are no nodes.
const serviceNetwork = "10.96.0.0/16"

// apiAddress is what the Service kubernetes points to. It must not be a loopback address, and nobody can connect to this
// one, which is set aside for documentation (RFC 5737).
const apiAddress = "192.0.2.1"

// kwokConfig holds the stages of nodes and pods, and the metrics.
//
//go:embed kwok.yaml
var kwokConfig []byte

// etcd listens on sockets in the control plane's own directory, where nobody else can reach them.
func (c *ControlPlane) etcd() program {
	client, peer := "unix://"+c.file("etcd.socket"), "unix://"+c.file("etcd-peer.socket")
	return program{"etcd", []string{
		"--name=controlplane", "--data-dir=" + c.file("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=controlplane=" + peer,
	}}
}

func (c *ControlPlane) apiserver() program {
	flags := []string{
		"--etcd-servers=unix://" + c.file("etcd.socket"),
		"--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(c.ports.api),
		"--advertise-address=" + apiAddress, "--external-hostname=" + loopback,
		"--tls-cert-file=" + c.file("apiserver.crt"), "--tls-private-key-file=" + c.file("apiserver.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.file("service-account.pub"),
		"--service-account-signing-key-file=" + c.file("service-account.key"),
		"--service-cluster-ip-range=" + serviceNetwork,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
		"--kubelet-certificate-authority=" + c.file("ca.crt"), "--kubelet-client-certificate=" + c.file("kubelet-client.crt"),
		"--kubelet-client-key=" + c.file("kubelet-client.key"), "--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + c.file("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.file("front-proxy.crt"), "--proxy-client-key-file=" + c.file("front-proxy.key"),
	}
	if c.options.AuditPolicy != "" {
		flags = append(flags, "--audit-policy-file="+c.options.AuditPolicy, "--audit-log-path="+c.AuditLog())
	}
	if c.options.EncryptionConfiguration != "" {
		flags = append(flags, "--encryption-provider-config="+c.options.EncryptionConfiguration)
	}
	flags = append(flags, c.featureGates()...)
	return program{"kube-apiserver", append(flags, c.options.ExtraAPIServerFlags...)}
}

// controllerManager is impatient where a test would have to wait: a silent node is lost sooner than usual, the
// autoscaler looks every 2 s instead of 15 and at pods of any age, and scales down at once if the autoscaler's object does
// not say otherwise. A quota whose count has gone wrong in a race is counted anew after 10 s instead of 5 min.
func (c *ControlPlane) controllerManager() program {
	flags := append(c.kubeconfigs("controller-manager"),
		"--service-account-private-key-file="+c.file("service-account.key"), "--root-ca-file="+c.file("ca.crt"),
		"--cluster-signing-cert-file="+c.file("ca.crt"), "--cluster-signing-key-file="+c.file("ca.key"),
		"--use-service-account-credentials", "--kube-api-qps=500", "--kube-api-burst=1000",
		"--node-monitor-grace-period="+c.options.LostAfter.String(), "--node-monitor-period=2s", "--node-eviction-rate=100",
		"--horizontal-pod-autoscaler-sync-period=2s", "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
		"--horizontal-pod-autoscaler-cpu-initialization-period=1s", "--horizontal-pod-autoscaler-downscale-stabilization=2s",
		"--resource-quota-sync-period=10s",
	)
	flags = append(flags, c.featureGates()...)
	return program{"kube-controller-manager", append(flags, c.options.ExtraControllerManagerFlags...)}
}

func (c *ControlPlane) scheduler() program {
	flags := append(c.kubeconfigs("scheduler"), "--kube-api-qps=500", "--kube-api-burst=1000")
	return program{"kube-scheduler", append(flags, c.featureGates()...)}
}

// kubeconfigs are the flags of a controller that serves nothing and is the only one of its kind.
func (c *ControlPlane) kubeconfigs(name string) []string {
	path := c.file(name + ".kubeconfig")
	return []string{
		"--kubeconfig=" + path, "--authentication-kubeconfig=" + path, "--authorization-kubeconfig=" + path,
		"--leader-elect=false", "--secure-port=0",
	}
}

func (c *ControlPlane) featureGates() []string {
	if len(c.options.FeatureGates) == 0 {
		return nil
	}
	var gates []string
	for _, name := range slices.Sorted(maps.Keys(c.options.FeatureGates)) {
		gates = append(gates, fmt.Sprintf("%s=%t", name, c.options.FeatureGates[name]))
	}
	return []string{"--feature-gates=" + strings.Join(gates, ",")}
}

// kwok plays the nodes with the label of AddNodes. It is their kubelet, too: metrics-server asks it for each of them.
func (c *ControlPlane) kwok() (program, error) {
	leases := 2 * c.options.LostAfter.Seconds() // KWOK renews them after a quarter of the time
	config := c.file("kwok.yaml")
	if err := os.WriteFile(config, kwokConfig, 0o600); err != nil {
		return program{}, err
	}
	return program{"kwok", []string{
		"--kubeconfig=" + c.file("kwok.kubeconfig"), "--config=" + config,
		"--manage-nodes-with-label-selector=" + playedLabel + "=" + playedValue,
		"--node-ip=" + loopback, "--node-port=" + strconv.Itoa(c.ports.kwok), "--server-address=" + hostPort(c.ports.kwok),
		"--tls-cert-file=" + c.file("kwok.crt"), "--tls-private-key-file=" + c.file("kwok.key"),
		fmt.Sprintf("--node-lease-duration-seconds=%.0f", leases), "--enable-crds=ClusterResourceUsage",
	}}, nil
}

// metricsServer asks as often as it can be told to.
func (c *ControlPlane) metricsServer() program {
	path := c.file("metrics-server.kubeconfig")
	return program{"metrics-server", []string{
		"--kubeconfig=" + path, "--authentication-kubeconfig=" + path, "--authorization-kubeconfig=" + path,
		"--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(c.ports.metrics),
		"--tls-cert-file=" + c.file("metrics-server.crt"), "--tls-private-key-file=" + c.file("metrics-server.key"),
		"--kubelet-certificate-authority=" + c.file("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-use-node-status-port", "--kubelet-request-timeout=5s", "--metric-resolution=10s",
		"--node-selector=" + meteredLabel + "=" + meteredValue,
	}}
}
