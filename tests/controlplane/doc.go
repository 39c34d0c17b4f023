// Package controlplane runs a Kubernetes control plane without nodes, without root and without Docker: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler and metrics-server as processes of this machine that listen on
// loopback only, and KWOK, which plays the nodes and the pods on them.
//
// Everything but the containers is real: admission, Pod Security, RBAC, quota, garbage collection, scheduling, eviction,
// autoscaling. Pods are called ready without running anything, so what needs an answering pod belongs on a cluster with
// nodes (see the package cluster).
//
// The programs are those of the module tests/parts, built once and kept in a cache. They end with the process that
// started them, whichever way that ends.
package controlplane
