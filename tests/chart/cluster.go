package chart

import (
	"context"
	"fmt"
	"text/template"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	v1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// cluster answers `lookup` from a list of objects.
type cluster []*unstructured.Unstructured

func newCluster(objects []runtime.Object) (cluster, error) {
	var live cluster
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("cluster object: %w", err)
		}
		one := &unstructured.Unstructured{Object: content}
		if one.GetKind() == "" {
			kinds, _, err := scheme.Scheme.ObjectKinds(object)
			if err != nil {
				return nil, fmt.Errorf("cluster object: %w", err)
			}
			one.SetGroupVersionKind(kinds[0])
		}
		live = append(live, one)
	}
	return live, nil
}

// GetClientFor returns a reader of one kind; it is how Helm's engine asks for one.
func (c cluster) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return reader{cluster: c, kind: schema.FromAPIVersionAndKind(apiVersion, kind)}, true, nil
}

// reader reads the objects of one kind. The methods of the embedded interface, which is nil, are never called by `lookup`.
type reader struct {
	dynamic.NamespaceableResourceInterface
	cluster   cluster
	kind      schema.GroupVersionKind
	namespace string
}

// Namespace reads that namespace only.
func (r reader) Namespace(name string) dynamic.ResourceInterface {
	r.namespace = name
	return r
}

// Get returns one object.
func (r reader) Get(_ context.Context, name string, _ v1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	for _, object := range r.matching() {
		if object.GetName() == name {
			return object.DeepCopy(), nil
		}
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: r.kind.Group, Resource: r.kind.Kind}, name)
}

// List returns all objects.
func (r reader) List(context.Context, v1.ListOptions) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(r.kind.GroupVersion().WithKind(r.kind.Kind + "List"))
	for _, object := range r.matching() {
		list.Items = append(list.Items, *object.DeepCopy())
	}
	return list, nil
}

func (r reader) matching() []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, object := range r.cluster {
		if object.GroupVersionKind() == r.kind && (r.namespace == "" || object.GetNamespace() == r.namespace) {
			found = append(found, object)
		}
	}
	return found
}

// withLookup adds a `lookup` that does what that of Helm's engine does with a client.
func withLookup(funcs template.FuncMap, live cluster) template.FuncMap {
	if funcs == nil {
		funcs = template.FuncMap{}
	}
	funcs["lookup"] = func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		all := reader{cluster: live, kind: schema.FromAPIVersionAndKind(apiVersion, kind), namespace: namespace}
		if name == "" {
			list, err := all.List(context.Background(), v1.ListOptions{})
			if err != nil {
				return nil, err
			}
			return list.UnstructuredContent(), nil
		}
		object, err := all.Get(context.Background(), name, v1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, err
		}
		return object.UnstructuredContent(), nil
	}
	return funcs
}
