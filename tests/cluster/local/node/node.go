//go:build linux

// Package node makes the nodes of a local cluster: containerd, the kubelet, kube-proxy and the policy agent, as processes
// of a machine with its own network, mounts, process ids and host name. Inside it all paths are the usual ones of a
// Kubernetes node; /var is a directory of the cluster's state and /run is in memory.
package node

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/machine"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/cluster/local/state"
)

// Where a node finds its own things.
const (
	insideBin   = "/run/cluster/bin"
	insideEtc   = "/run/cluster/etc"
	insideLog   = "/run/cluster/log"
	socket      = "/run/containerd/containerd.sock"
	insideStore = "/var/lib/volumes"
)

// PolicyUser is the user name of the policy agent.
const PolicyUser = "cluster:netpol"

// Config describes a node.
type Config struct {
	// Number counts the cluster's nodes from 1; name, zone and addresses follow from it.
	Number int
	// Count is the number of the cluster's nodes.
	Count int
	// Plan holds the cluster's addresses.
	Plan address.Plan
	// Programs are the programs to run.
	Programs parts.Set
	// Directory is the node's own; Prepare fills it.
	Directory string
	// Logs is the directory for log files.
	Logs string
	// Cgroup is the node's control group, CgroupFiles the cgroup.procs files of the group for the node's own programs.
	Cgroup      string
	CgroupFiles []string
	// Authority issues the certificates of the cluster.
	Authority *pki.Authority
}

// Name is the node's name.
func (c Config) Name() string { return state.NodeName(c.Number) }

// Volumes is the directory of a node's volumes, first as seen from this machine below the node's directory, then as the
// node sees it.
func Volumes(directory string) (host, inside string) {
	return filepath.Join(directory, insideStore), insideStore
}

// Socket is the path of containerd's socket as this machine reaches it, pid being the node's first process.
func Socket(pid int) string { return fmt.Sprintf("/proc/%d/root%s", pid, socket) }

// Prepare writes keys, certificates and configuration files, and lays out /var.
func (c Config) Prepare(now time.Time) error {
	for _, directory := range []string{c.Directory + "/etc/cni", c.Directory + "/var/tmp", c.Directory + insideStore} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"run": "/run", "lock": "/run/lock"} {
		if err := os.Symlink(target, c.Directory+"/var/"+name); err != nil {
			return err
		}
	}
	if err := c.issue(now); err != nil {
		return err
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(c.Directory+"/etc/"+name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) issue(now time.Time) error {
	etc := c.Directory + "/etc/"
	for _, user := range []struct {
		file    string
		subject pki.Subject
	}{
		{"kubelet", pki.Subject{
			Name: "system:node:" + c.Name(), Groups: []string{"system:nodes"},
			DNSNames: []string{c.Name()}, Addresses: []netip.Addr{c.Plan.Node(c.Number)},
		}},
		{"kube-proxy", pki.Subject{Name: "system:kube-proxy"}},
		{"netpol", pki.Subject{Name: PolicyUser}},
	} {
		pair, err := c.Authority.Issue(user.subject, now)
		if err != nil {
			return err
		}
		if err := pair.WriteFiles(etc + user.file); err != nil {
			return err
		}
		path := etc + user.file + ".kubeconfig"
		if err := pki.WriteKubeconfig(path, "local", c.Plan.APIServer(), c.Authority.Pair.Certificate, pair); err != nil {
			return err
		}
	}
	return nil
}

// Machine describes the node as a machine.
func (c Config) Machine() machine.Config {
	var routes []machine.Route
	for i := 1; i <= c.Count; i++ {
		if i != c.Number {
			routes = append(routes, machine.Route{Destination: c.Plan.NodePods(i).String(), Via: c.Plan.Node(i).String()})
		}
	}
	own := netip.PrefixFrom(c.Plan.Node(c.Number), c.Plan.NodeNetwork().Bits())
	return machine.Config{
		Hostname: c.Name(), RunTmpfs: true, Cgroups: c.CgroupFiles,
		Binds: []machine.Bind{
			{Source: c.Programs.Bin(), Target: insideBin},
			{Source: c.Directory + "/etc", Target: insideEtc},
			{Source: c.Logs, Target: insideLog},
			{Source: c.Directory + "/var", Target: "/var"},
		},
		Network:   &machine.Network{Interface: "eth0", Address: own.String(), Gateway: c.Plan.Host().String(), Routes: routes},
		Sysctls:   map[string]string{"net/ipv4/ip_forward": "1"},
		Processes: c.processes(),
	}
}

func (c Config) processes() []machine.Process {
	api := "tcp:" + netip.AddrPortFrom(c.Plan.Host(), 6443).String()
	return []machine.Process{
		c.process("containerd", "", "--config="+insideEtc+"/containerd.toml"),
		// The kubelet needs containerd and the API server. It ends without the first, and waits for the second.
		c.process("kubelet", api, "--config="+insideEtc+"/kubelet.json", "--kubeconfig="+insideEtc+"/kubelet.kubeconfig",
			"--hostname-override="+c.Name(), "--node-ip="+c.Plan.Node(c.Number).String(),
			"--node-labels=topology.kubernetes.io/zone="+state.Zone(c.Number)+",topology.kubernetes.io/region=local"),
		c.process("kube-proxy", api, "--kubeconfig="+insideEtc+"/kube-proxy.kubeconfig", "--proxy-mode=nftables",
			"--cluster-cidr="+c.Plan.PodNetwork().String(), "--hostname-override="+c.Name(),
			// The kernel's table size is this machine's, not the node's, to set.
			"--conntrack-max-per-core=0",
			"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249"),
		c.process("netpol", api, "-kubeconfig="+insideEtc+"/netpol.kubeconfig", "-node="+c.Name(),
			"-service-cidr="+c.Plan.ServiceNetwork().String()),
	}
}

func (c Config) process(program, waitFor string, flags ...string) machine.Process {
	return machine.Process{
		Name: program, Args: append([]string{insideBin + "/" + program}, flags...),
		Env: []string{"PATH=" + insideBin + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/var/lib"},
		Log: insideLog + "/" + c.Name() + "-" + program + ".log", WaitFor: waitFor,
	}
}

// files renders the configuration files of the node's programs.
func (c Config) files() (map[string][]byte, error) {
	kubelet, err := json.MarshalIndent(c.kubelet(), "", "  ")
	if err != nil {
		return nil, err
	}
	network, err := json.MarshalIndent(c.network(), "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"kubelet.json": kubelet, "cni/10-cluster.conflist": network, "ca.crt": c.Authority.Pair.Certificate,
		"containerd.toml": []byte(c.containerd()),
		// Pods get no search domains and no name servers of this machine.
		"resolv.conf": nil,
	}, nil
}

func (c Config) kubelet() map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": map[string]any{
			"x509":    map[string]any{"clientCAFile": insideEtc + "/ca.crt"},
			"webhook": map[string]any{"enabled": true}, "anonymous": map[string]any{"enabled": false},
		},
		"authorization": map[string]any{"mode": "Webhook"},
		"address":       c.Plan.Node(c.Number).String(),
		"tlsCertFile":   insideEtc + "/kubelet.crt", "tlsPrivateKeyFile": insideEtc + "/kubelet.key",
		"clusterDNS": []string{c.Plan.DNSService().String()}, "clusterDomain": "cluster.local", "resolvConf": insideEtc + "/resolv.conf",
		"containerRuntimeEndpoint": "unix://" + socket,
		"cgroupDriver":             "cgroupfs", "cgroupRoot": "/" + c.Cgroup, "failCgroupV1": false, "failSwapOn": false,
		// The disk is this machine's and may be nearly full; images were loaded by hand and must not be collected.
		"evictionHard":                map[string]string{"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
		"imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
		"volumePluginDir": "/var/lib/kubelet/volumeplugins",
		"maxPods":         60,
		// The lease is renewed every quarter of this: with the controller manager's 20 s a node is lost in 20 s.
		"nodeLeaseDurationSeconds": 20,
		"containerLogMaxSize":      "50Mi",
	}
}

// network gives pods a routed cable each, without a bridge: policies then see all traffic, also between pods of a node,
// whether or not the kernel filters bridges.
func (c Config) network() map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0", "name": "cluster",
		"plugins": []any{
			map[string]any{"type": "ptp", "ipMasq": false, "ipam": map[string]any{
				"type": "host-local", "dataDir": "/run/cni", // forgotten at a reboot, like the pods
				"ranges": []any{[]any{map[string]any{"subnet": c.Plan.NodePods(c.Number).String()}}},
				"routes": []any{map[string]any{"dst": "0.0.0.0/0"}},
			}},
			map[string]any{"type": "portmap", "capabilities": map[string]any{"portMappings": true}},
		},
	}
}

func (c Config) containerd() string {
	return fmt.Sprintf(containerdConfig, socket, parts.Ref("pause"), c.snapshotter(), insideBin, insideEtc+"/cni")
}

// overlayMagic is the type of an overlay file system (statfs(2)).
const overlayMagic = 0x794c7630

// snapshotter avoids stacking overlays, which most kernels refuse: where this machine is itself a container, files are
// copied.
func (c Config) snapshotter() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(c.Directory, &fs); err == nil && int64(fs.Type) == overlayMagic {
		return "native"
	}
	return "overlayfs"
}

// containerdConfig takes the socket, the sandbox image, the snapshotter and the directories of CNI programs and networks.
// restrict_oom_score_adj is for machines without CAP_SYS_RESOURCE: containers could not be made harder to kill than
// containerd itself there, and none would start.
const containerdConfig = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = %[1]q

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = %[3]q
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %[2]q

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [%[4]q]
  conf_dir = %[5]q
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
`
