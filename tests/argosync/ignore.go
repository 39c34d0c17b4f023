package main

import (
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// respectIgnored gives each target the live value of the fields that the Application ignores, or none where there is none,
// as the option RespectIgnoreDifferences does.
func (a *application) respectIgnored(result sync.ReconciliationResult) {
	for i, target := range result.Target {
		if target == nil || result.Live[i] == nil {
			continue
		}
		for _, ignored := range a.Spec.IgnoreDifferences {
			if !ignored.matches(target) {
				continue
			}
			for _, pointer := range ignored.JSONPointers {
				copyField(target.Object, result.Live[i].Object, pointer)
			}
		}
	}
}

func (d ignoredDifference) matches(object *unstructured.Unstructured) bool {
	gvk := object.GroupVersionKind()
	return (d.Group == "*" || d.Group == gvk.Group) && (d.Kind == "*" || d.Kind == gvk.Kind) &&
		(d.Name == "" || d.Name == object.GetName()) && (d.Namespace == "" || d.Namespace == object.GetNamespace())
}

// copyField copies what a JSON pointer names. It does not look into lists.
func copyField(to, from map[string]any, pointer string) {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	var path []string
	for field := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		path = append(path, unescape.Replace(field))
	}
	value, found, err := unstructured.NestedFieldCopy(from, path...)
	if err != nil || !found {
		unstructured.RemoveNestedField(to, path...)
		return
	}
	// The error says that a part of the path is no mapping in the target: then the target has no such field to keep.
	_ = unstructured.SetNestedField(to, value, path...)
}
