package chart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// Objects are the objects of a release, hooks included, by kind and name such as Deployment/web. An object in another
// namespace than the release's has that in its key, too: Role/monitoring/scrape. Where two API groups have a kind of one
// name, the later one's key has the group: Ingress.config.openshift.io/web.
//
// Kinds of Kubernetes itself are of their type, those of other API groups are *unstructured.Unstructured.
type Objects map[string]runtime.Object

// identity is what makes an object another one for an API server.
type identity struct{ group, kind, namespace, name string }

// Objects decodes the release. Decoding is strict: unknown fields, also those that differ in upper and lower case only,
// duplicate keys, unknown kinds of Kubernetes' own API groups, and two objects of one name are errors.
func (r *Release) Objects() (Objects, error) {
	decoded := decoder{namespace: r.Namespace, objects: Objects{}, seen: map[identity]string{}}
	for _, document := range r.Documents() {
		if err := decoded.add([]byte(document.YAML)); err != nil {
			return nil, fmt.Errorf("decode %s: %w", document.Template, err)
		}
	}
	return decoded.objects, nil
}

// Decode decodes a stream of YAML documents, such as the output of `helm template`, as Release.Objects does.
func Decode(stream, namespace string) (Objects, error) {
	decoded := decoder{namespace: namespace, objects: Objects{}, seen: map[identity]string{}}
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(stream)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return decoded.objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("split YAML: %w", err)
		}
		if err := decoded.add(document); err != nil {
			return nil, fmt.Errorf("decode: %w", err)
		}
	}
}

type decoder struct {
	namespace string
	objects   Objects
	seen      map[identity]string
}

// add decodes one document; one without content is none.
func (d decoder) add(document []byte) error {
	text, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	if string(text) == "null" {
		return nil
	}
	object, err := decodeJSON(text)
	if err != nil {
		return err
	}
	access, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	kind := object.GetObjectKind().GroupVersionKind()
	id := identity{kind.Group, kind.Kind, access.GetNamespace(), access.GetName()}
	if id.namespace == "" {
		id.namespace = d.namespace
	}
	if key, taken := d.seen[id]; taken {
		return fmt.Errorf("two objects are %s", key)
	}
	key := d.key(id)
	d.seen[id], d.objects[key] = key, object
	return nil
}

func (d decoder) key(id identity) string {
	name := id.name
	if id.namespace != d.namespace {
		name = id.namespace + "/" + name
	}
	if _, taken := d.objects[id.kind+"/"+name]; taken {
		return id.kind + "." + id.group + "/" + name
	}
	return id.kind + "/" + name
}

// decodeJSON decodes an object into the type of its kind, or into none when the kind is not one of Kubernetes itself.
func decodeJSON(text []byte) (runtime.Object, error) {
	var about metav1.PartialObjectMetadata
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &about); err != nil {
		return nil, err
	}
	kind := about.GroupVersionKind()
	if kind.Kind == "" || kind.Version == "" || about.Name == "" && about.GenerateName == "" {
		return nil, fmt.Errorf("an object needs apiVersion, kind and metadata.name; this one has %q, %q, %q", about.APIVersion, about.Kind, about.Name)
	}
	object, err := scheme.Scheme.New(kind)
	if runtime.IsNotRegisteredError(err) && !scheme.Scheme.IsGroupRegistered(kind.Group) {
		untyped := &unstructured.Unstructured{}
		return untyped, json.UnmarshalCaseSensitivePreserveInts(text, &untyped.Object)
	}
	if err != nil {
		return nil, err
	}
	name := kind.Kind + "/" + about.Name
	strict, err := json.UnmarshalStrict(text, object)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return object, nil
}

// Keys are the keys of all objects in their order.
func (o Objects) Keys() []string { return slices.Sorted(maps.Keys(o)) }

// All returns the objects of one type in the order of their keys.
func All[T runtime.Object](o Objects) []T {
	var found []T
	for _, key := range o.Keys() {
		if object, ok := o[key].(T); ok {
			found = append(found, object)
		}
	}
	return found
}

// Get returns one object by type and key such as Deployment/web. The error lists the keys that there are.
func Get[T runtime.Object](o Objects, key string) (T, error) {
	object, ok := o[key].(T)
	if ok {
		return object, nil
	}
	if other, found := o[key]; found {
		return object, fmt.Errorf("%s is a %T, not a %s", key, other, reflect.TypeFor[T]())
	}
	return object, fmt.Errorf("%s is not rendered; there are %s", key, strings.Join(o.Keys(), ", "))
}
