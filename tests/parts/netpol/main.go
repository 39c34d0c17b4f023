// Command netpol enforces NetworkPolicies on one node: the policy controller of kube-router without the rest of it.
// It programs iptables and ipsets of the network namespace it runs in, and ends when it can not do its work, so that
// whoever supervises it starts it anew.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settings are the command line's.
type settings struct {
	kubeconfig  string
	node        string
	serviceCIDR string
}

func main() {
	var s settings
	flag.StringVar(&s.kubeconfig, "kubeconfig", "", "path of the kubeconfig")
	flag.StringVar(&s.node, "node", "", "name of the node this runs on; it must be registered")
	flag.StringVar(&s.serviceCIDR, "service-cidr", "", "the cluster's Service address range")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

// run watches pods, namespaces and policies and programs the node until ctx ends.
func run(ctx context.Context, s settings) error {
	if s.kubeconfig == "" || s.node == "" || s.serviceCIDR == "" {
		return errors.New("the flags -kubeconfig, -node and -service-cidr are needed")
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, namespaces.HasSynced, policies.HasSynced) {
		return context.Cause(ctx)
	}
	var ipsets sync.Mutex
	controller, err := netpol.NewNetworkPolicyController(client, routerOptions(s), pods, policies, namespaces, &ipsets)
	if err != nil {
		return fmt.Errorf("make policy controller: %w", err)
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler,
		policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	enforce(ctx, controller)
	return nil
}

// routerOptions is the part of kube-router's configuration that its policy controller reads.
func routerOptions(s settings) *options.KubeRouterConfig {
	config := options.NewKubeRouterConfig()
	config.HostnameOverride = s.node
	config.ClusterIPCIDR = s.serviceCIDR
	config.NodePortRange = "30000-32767"
	config.IPTablesSyncPeriod = time.Minute
	config.RunFirewall = true
	return config
}

// enforce runs the controller until ctx ends. Its heartbeats are read and dropped: nobody asks for them, and the
// controller would block on an unread channel.
func enforce(ctx context.Context, controller *netpol.NetworkPolicyController) {
	heartbeats := make(chan *healthcheck.ControllerHeartbeat, 10)
	go func() {
		for {
			select {
			case <-heartbeats:
			case <-ctx.Done():
				return
			}
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	controller.Run(heartbeats, ctx.Done(), &running)
	running.Wait()
}
