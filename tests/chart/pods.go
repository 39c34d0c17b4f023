package chart

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// PodTemplates are the pods that the release makes, by the key of the object that makes them. A Pod stands for itself.
func (o Objects) PodTemplates() map[string]corev1.PodTemplateSpec {
	templates := map[string]corev1.PodTemplateSpec{}
	for key, object := range o {
		if template := podTemplate(object); template != nil {
			templates[key] = *template
		}
	}
	return templates
}

func podTemplate(object runtime.Object) *corev1.PodTemplateSpec {
	switch object := object.(type) {
	case *appsv1.Deployment:
		return &object.Spec.Template
	case *appsv1.StatefulSet:
		return &object.Spec.Template
	case *appsv1.DaemonSet:
		return &object.Spec.Template
	case *appsv1.ReplicaSet:
		return &object.Spec.Template
	case *batchv1.Job:
		return &object.Spec.Template
	case *batchv1.CronJob:
		return &object.Spec.JobTemplate.Spec.Template
	case *corev1.ReplicationController:
		return object.Spec.Template
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: object.ObjectMeta, Spec: object.Spec}
	}
	return nil
}

// Images are the images that the objects need, sorted, each once: those of all containers wherever an object lists them,
// also in kinds that are not Kubernetes' own, and image volumes.
func (o Objects) Images() ([]string, error) {
	var found []string
	for _, key := range o.Keys() {
		content, err := plain(o[key])
		if err != nil {
			return nil, fmt.Errorf("images of %s: %w", key, err)
		}
		found = append(found, images(content)...)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// images looks for lists of containers and of volumes at any depth.
func images(value any) []string {
	var found []string
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			switch key {
			case "containers", "initContainers", "ephemeralContainers":
				found = append(found, fields(child, "image")...)
			case "volumes":
				found = append(found, fields(child, "image", "reference")...)
			}
			found = append(found, images(child)...)
		}
	case []any:
		for _, child := range value {
			found = append(found, images(child)...)
		}
	}
	return found
}

// fields are the texts at path in each mapping of a list.
func fields(list any, path ...string) []string {
	var found []string
	items, _ := list.([]any)
	for _, item := range items {
		for _, key := range path {
			mapping, _ := item.(map[string]any)
			item = mapping[key]
		}
		if text, ok := item.(string); ok && text != "" {
			found = append(found, text)
		}
	}
	return found
}
