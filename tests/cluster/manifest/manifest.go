// Package manifest applies Kubernetes objects written as YAML.
package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// fieldManager owns what is applied here.
const fieldManager = "cluster-harness"

// Apply creates the objects of a multi-document YAML text in its order, or changes them to what it says. It takes the
// plural of a kind to be regular, which holds for every built-in kind.
func Apply(ctx context.Context, config *rest.Config, text []byte) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	objects, err := decode(text)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := apply(ctx, client, object); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func decode(text []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

func apply(ctx context.Context, client dynamic.Interface, object *unstructured.Unstructured) error {
	plural, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	var resource dynamic.ResourceInterface = client.Resource(plural)
	if namespace := object.GetNamespace(); namespace != "" {
		resource = client.Resource(plural).Namespace(namespace)
	}
	_, err := resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}
