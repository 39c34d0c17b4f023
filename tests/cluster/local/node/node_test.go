//go:build linux

package node

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/cluster/local/address"
	"github.com/detection-api/detection-api/tests/cluster/local/machine"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	"github.com/detection-api/detection-api/tests/cluster/local/pki"
)

func config(t *testing.T) Config {
	t.Helper()
	authority, err := pki.NewAuthority("ca", time.Now())
	require.NoError(t, err)
	return Config{
		Number: 2, Count: 3, Plan: address.Plan{Slot: 4}, Programs: parts.Set{Directory: "/parts"},
		Directory: t.TempDir(), Logs: "/logs", Cgroup: "da01/node2", Authority: authority,
	}
}

func TestFiles(t *testing.T) {
	c := config(t)
	files, err := c.files()
	require.NoError(t, err)
	var kubelet map[string]any
	require.NoError(t, json.Unmarshal(files["kubelet.json"], &kubelet))
	require.Equal(t, "10.89.4.12", kubelet["address"], "not on every interface")
	require.Equal(t, "/da01/node2", kubelet["cgroupRoot"])
	require.Equal(t, []any{"10.196.0.10"}, kubelet["clusterDNS"])
	require.Contains(t, string(files["cni/10-cluster.conflist"]), `"10.164.2.0/24"`)
	containerd := string(files["containerd.toml"])
	require.NotContains(t, containerd, "%!")
	require.Contains(t, containerd, `sandbox = "cluster.local/pause:1"`)
	require.Contains(t, containerd, `snapshotter = "overlayfs"`)
	require.Contains(t, containerd, `address = "/run/containerd/containerd.sock"`)
}

func TestMachine(t *testing.T) {
	got := config(t).Machine()
	require.Equal(t, "node2", got.Hostname)
	require.Equal(t, &machine.Network{
		Interface: "eth0", Address: "10.89.4.12/24", Gateway: "10.89.4.1",
		Routes: []machine.Route{{Destination: "10.164.1.0/24", Via: "10.89.4.11"}, {Destination: "10.164.3.0/24", Via: "10.89.4.13"}},
	}, got.Network)
	require.Equal(t, "/var", got.Binds[len(got.Binds)-1].Target, "last: the sources may lie below it")
}

func TestPrepare(t *testing.T) {
	c := config(t)
	require.NoError(t, c.Prepare(time.Now()))
	for _, file := range []string{"etc/kubelet.kubeconfig", "etc/kube-proxy.kubeconfig", "etc/netpol.kubeconfig", "etc/ca.crt"} {
		require.FileExists(t, c.Directory+"/"+file)
	}
	require.DirExists(t, c.Directory+"/var/lib/volumes")
}
