package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// objects decodes the manifest of a release.
func objects(manifest string) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	var result []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decode manifest: %w", err)
		}
		if len(object.Object) > 0 {
			result = append(result, object)
		}
	}
}

// selectors returns the selector of each workload by kind and name.
func selectors(manifest string) (map[string]string, error) {
	all, err := objects(manifest)
	if err != nil {
		return nil, err
	}
	result := map[string]string{}
	for _, object := range all {
		if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}, object.GetKind()) {
			continue
		}
		selector, _, err := unstructured.NestedMap(object.Object, "spec", "selector")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object.GetName(), err)
		}
		text, err := json.Marshal(selector)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object.GetName(), err)
		}
		result[object.GetKind()+"/"+object.GetName()] = string(text)
	}
	return result, nil
}

// sameSelectors returns an error if a workload that stays has another selector: Kubernetes refuses that, and a workload that
// is replaced instead leaves its pods behind.
func sameSelectors(before, after map[string]string) error {
	for name, old := range before {
		if selector, stays := after[name]; stays && selector != old {
			return fmt.Errorf("the selector of %s changed from %s to %s", name, old, selector)
		}
	}
	return nil
}

// Owners tells who owns fields of the objects of a manifest in the cluster: by kind and name the managers with their
// operation, such as "helm Update", sorted. Objects that are not there are left out.
func Owners(ctx context.Context, config *rest.Config, namespace, manifest string) (map[string][]string, error) {
	all, err := objects(manifest)
	if err != nil {
		return nil, err
	}
	mapper, err := newAccess(config, namespace).ToRESTMapper()
	if err != nil {
		return nil, err
	}
	cluster, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("owners: %w", err)
	}
	result := map[string][]string{}
	for _, object := range all {
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return nil, fmt.Errorf("owners: %w", err)
		}
		live, err := read(ctx, cluster, mapping, object, namespace)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("owners: %w", err)
		}
		result[object.GetKind()+"/"+object.GetName()] = managers(live)
	}
	return result, nil
}

func read(ctx context.Context, cluster dynamic.Interface, mapping *meta.RESTMapping, object *unstructured.Unstructured, namespace string) (*unstructured.Unstructured, error) {
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return cluster.Resource(mapping.Resource).Get(ctx, object.GetName(), metav1.GetOptions{})
	}
	if object.GetNamespace() != "" {
		namespace = object.GetNamespace()
	}
	return cluster.Resource(mapping.Resource).Namespace(namespace).Get(ctx, object.GetName(), metav1.GetOptions{})
}

func managers(object *unstructured.Unstructured) []string {
	var result []string
	for _, entry := range object.GetManagedFields() {
		if entry.Subresource == "" {
			result = append(result, entry.Manager+" "+string(entry.Operation))
		}
	}
	slices.Sort(result)
	return slices.Compact(result)
}
