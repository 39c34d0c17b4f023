package upgrade

import (
	"context"
	"fmt"
	"sync"
	"time"

	kube3 "helm.sh/helm/v3/pkg/kube"
	kube4 "helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// hookTimeout bounds Helm's wait for hooks, the only thing that it waits for here.
const hookTimeout = 2 * time.Minute

// Helm is a version of Helm.
type Helm int

// The versions of Helm that the SDKs are of.
const (
	Helm3 Helm = 3
	Helm4 Helm = 4
)

// String is the version's name.
func (h Helm) String() string { return fmt.Sprintf("Helm %d", int(h)) }

// client is what a version of Helm does with one release.
type client interface {
	install(ctx context.Context, c *Chart, values map[string]any) error
	// upgrade keeps the values that were set before and lays more over them (--reset-then-reuse-values).
	upgrade(ctx context.Context, c *Chart, values map[string]any) error
	rollback(revision int) error
	uninstall() error
	// deployed returns the revision and the manifest that were released last.
	deployed() (revision int, manifest string, err error)
}

// connect returns a client of a version of Helm for a release.
func connect(h Helm, config *rest.Config, namespace, release string) (client, error) {
	beHelm()
	getter := newAccess(config, namespace)
	if h == Helm3 {
		return connect3(getter, release)
	}
	return connect4(getter, release)
}

// beHelm makes the SDKs write under the name that the commands have in managedFields, not under that of the test binary:
// templates may look at it. The SDKs keep the name in a variable of their own.
var beHelm = sync.OnceFunc(func() {
	kube3.ManagedFieldsManager, kube4.ManagedFieldsManager = "helm", "helm"
})

// access gives Helm a cluster and a namespace without a kubeconfig file.
type access struct {
	config    *rest.Config
	namespace string
	// discover is asked often by Helm, so it remembers what it found; a kind that is not known yet makes it look again.
	discover func() (discovery.CachedDiscoveryInterface, error)
}

func newAccess(config *rest.Config, namespace string) access {
	return access{config: config, namespace: namespace, discover: sync.OnceValues(func() (discovery.CachedDiscoveryInterface, error) {
		found, err := discovery.NewDiscoveryClientForConfig(config)
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		return memory.NewMemCacheClient(found), nil
	})}
}

// ToRESTConfig is part of genericclioptions.RESTClientGetter, as are the other methods.
func (a access) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(a.config), nil }

// ToDiscoveryClient returns what is known of the API server's kinds.
func (a access) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) { return a.discover() }

// ToRESTMapper maps kinds to resources.
func (a access) ToRESTMapper() (meta.RESTMapper, error) {
	found, err := a.discover()
	if err != nil {
		return nil, err
	}
	return restmapper.NewDeferredDiscoveryRESTMapper(found), nil
}

// ToRawKubeConfigLoader tells Helm the namespace.
func (a access) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(*api.NewConfig(), &clientcmd.ConfigOverrides{Context: api.Context{Namespace: a.namespace}})
}
