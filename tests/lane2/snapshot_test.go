package lane2

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// snapshot is what a namespace holds: the state of each object by "Kind/name".
type snapshot map[string]string

// snapshot reads all objects of a namespace but those that Kubernetes derives from others or Helm keeps its history in.
// Two snapshots differ in an object when anything but its status was written in between, even by a write that changed
// nothing but the resource version of an object that has no status.
func (l *lane) snapshot(t *testing.T, namespace string) snapshot {
	t.Helper()
	lists, err := l.kube.Discovery().ServerPreferredNamespacedResources()
	require.NoError(t, err)
	found := snapshot{}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "create"}}, lists) {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, resource := range list.APIResources {
			if slices.Contains([]string{"Event", "Endpoints", "EndpointSlice", "Lease"}, resource.Kind) {
				continue
			}
			objects, err := l.dynamic.Resource(group.WithResource(resource.Name)).Namespace(namespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err, resource.Name)
			for _, object := range objects.Items {
				if !strings.HasPrefix(object.GetName(), "sh.helm.release.") {
					found[object.GetKind()+"/"+object.GetName()] = state(t, &object)
				}
			}
		}
	}
	return found
}

func state(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	if _, ok := object.Object["status"]; ok {
		delete(object.Object, "status")
		object.SetResourceVersion("")
	}
	object.SetManagedFields(nil)
	text, err := json.Marshal(object.Object)
	require.NoError(t, err)
	return string(text)
}

// differences are the objects that are not the same in both.
func (s snapshot) differences(later snapshot) []string {
	changed := []string{}
	for name, text := range s {
		if later[name] != text {
			changed = append(changed, name)
		}
	}
	for name := range later {
		if _, ok := s[name]; !ok {
			changed = append(changed, name)
		}
	}
	sort.Strings(changed)
	return changed
}
