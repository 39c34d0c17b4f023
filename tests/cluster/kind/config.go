package kind

import (
	"fmt"
	"strings"
)

// config is the cluster's configuration: one control plane and workers spread round-robin over three zones. The node
// ports are published by the control plane's container; every node serves every node port.
func config(opts Options) []byte {
	var b strings.Builder
	b.WriteString("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n")
	if len(opts.NodePorts) > 0 {
		b.WriteString("  extraPortMappings:\n")
	}
	for _, port := range opts.NodePorts {
		fmt.Fprintf(&b, "  - {containerPort: %d, hostPort: %d, listenAddress: 127.0.0.1, protocol: TCP}\n", port, port)
	}
	for i := range opts.Workers {
		fmt.Fprintf(&b, "- role: worker\n  labels: {topology.kubernetes.io/zone: zone-%c, topology.kubernetes.io/region: local}\n", 'a'+i%3)
	}
	// Hosts with control groups of version 1 are served too.
	b.WriteString(`kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
`)
	return []byte(b.String())
}
