package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// trackingAnnotation marks the objects of an Application; it is Argo CD's default since version 3.
const trackingAnnotation = "argocd.argoproj.io/tracking-id"

// trackingID is the mark of one object. A controller that copies annotations makes no mark of its own object's.
func trackingID(app, namespace string, object *unstructured.Unstructured) string {
	gvk := object.GroupVersionKind()
	return fmt.Sprintf("%s:%s/%s:%s/%s", app, gvk.Group, gvk.Kind, namespace, object.GetName())
}

// resources are the kinds that the cluster serves.
type resources []kube.APIResourceInfo

// IsNamespaced tells whether a kind lives in namespaces.
func (r resources) IsNamespaced(kind schema.GroupKind) (bool, error) {
	index := slices.IndexFunc(r, func(info kube.APIResourceInfo) bool { return info.GroupKind == kind })
	if index < 0 {
		return false, fmt.Errorf("the cluster does not serve %s", kind)
	}
	return r[index].Meta.Namespaced, nil
}

// excluded is what Argo CD leaves out unless told otherwise, and events, which are never in Git.
type excluded struct{}

func (excluded) IsExcludedResource(_, kind, _ string) bool {
	return slices.Contains([]string{"Endpoints", "EndpointSlice", "Lease", "Event", "CertificateSigningRequest"}, kind)
}

func (excluded) GetLabelSelector(_, _, _ string) string { return "" }

// liveObjects returns the objects in the cluster that carry the Application's mark.
func (s *syncer) liveObjects(ctx context.Context, kinds resources) (map[kube.ResourceKey]*unstructured.Unstructured, error) {
	client, err := dynamic.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	live := map[kube.ResourceKey]*unstructured.Unstructured{}
	for _, kind := range kinds {
		list, err := client.Resource(kind.GroupVersionResource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind.GroupKind, err)
		}
		for i := range list.Items {
			if object := &list.Items[i]; s.tracked(object) {
				live[kube.GetResourceKey(object)] = object
			}
		}
	}
	return live, nil
}

func (s *syncer) tracked(object *unstructured.Unstructured) bool {
	mark := object.GetAnnotations()[trackingAnnotation]
	app := s.application
	return mark != "" && (mark == trackingID(app.Metadata.Name, object.GetNamespace(), object) ||
		object.GetNamespace() == "" && mark == trackingID(app.Metadata.Name, app.Spec.Destination.Namespace, object))
}

// track gives each target its namespace and its mark.
func (s *syncer) track(kinds resources) []*unstructured.Unstructured {
	var targets []*unstructured.Unstructured
	for _, target := range s.targets {
		target = target.DeepCopy()
		namespace := target.GetNamespace()
		if namespace == "" {
			namespace = s.application.Spec.Destination.Namespace
		}
		if namespaced, err := kinds.IsNamespaced(target.GroupVersionKind().GroupKind()); err == nil && namespaced {
			target.SetNamespace(namespace)
		}
		annotations := target.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[trackingAnnotation] = trackingID(s.application.Metadata.Name, namespace, target)
		target.SetAnnotations(annotations)
		targets = append(targets, target)
	}
	return targets
}
