// Package crds brings the kinds of operators into a cluster: their CustomResourceDefinitions, read at test time from the
// Go modules that the operators are published as. Nothing of theirs is copied; what is read is pinned by version and
// checksum. Descriptions are left out: they are most of the bytes and no part of any check.
//
// The sets that come with the package are [SealedSecrets], [PrometheusOperator], [GatewayAPI], [CertManager], [Kyverno]
// and [ArgoCD]. Any other operator whose module has its definitions is a [Source] more.
package crds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// kind is the kind of what is read; other objects beside it are passed over.
const kind = "CustomResourceDefinition"

// Source is a set of definitions in a Go module.
type Source struct {
	// Module and Version name the module, for example sigs.k8s.io/gateway-api and v1.6.1.
	Module, Version string
	// Sum is the checksum of the module as go.sum has it, "h1:...".
	Sum string
	// Paths are files or directories of the module, with slashes. Directories are read with all below them.
	Paths []string
	// Names are the definitions to take, for example sealedsecrets.bitnami.com. None means all.
	Names []string
}

// Only is the source restricted to definitions of these names, for clusters that should not be given more than a chart
// needs.
func (s Source) Only(names ...string) Source {
	s.Names = names
	return s
}

// Read downloads the module, unless the module cache has it, and returns the definitions in the order of their files.
func (s Source) Read(ctx context.Context) ([]*unstructured.Unstructured, error) {
	directory, err := s.download(ctx)
	if err != nil {
		return nil, fmt.Errorf("get %s@%s: %w", s.Module, s.Version, err)
	}
	var found []*unstructured.Unstructured
	for _, path := range s.Paths {
		read, err := s.readPath(filepath.Join(directory, filepath.FromSlash(path)))
		if err != nil {
			return nil, fmt.Errorf("read definitions of %s@%s: %w", s.Module, s.Version, err)
		}
		found = append(found, read...)
	}
	return found, s.check(found)
}

// check refuses a source that says less than it promises: a moved directory must not look like a success.
func (s Source) check(found []*unstructured.Unstructured) error {
	missing := slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool {
		return slices.ContainsFunc(found, func(o *unstructured.Unstructured) bool { return o.GetName() == name })
	})
	if len(missing) > 0 || len(found) == 0 {
		return fmt.Errorf("%s@%s has no definition %s in %s", s.Module, s.Version, strings.Join(missing, ", "), strings.Join(s.Paths, ", "))
	}
	return nil
}

// download asks the go command for the module's directory. It is run outside of any module, so that nothing but the
// module asked for decides what is downloaded.
func (s Source) download(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.Module+"@"+s.Version)
	command.Dir = os.TempDir()
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, runErr := command.Output()
	var module struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(output, &module); err != nil {
		return "", errors.Join(fmt.Errorf("answer of go mod download: %w: %s", err, stderr.Bytes()), runErr)
	}
	if module.Error != "" || runErr != nil {
		return "", errors.Join(errors.New(module.Error), runErr)
	}
	if module.Sum != s.Sum {
		return "", fmt.Errorf("its checksum is %s, not %s", module.Sum, s.Sum)
	}
	return module.Dir, nil
}

func (s Source) readPath(path string) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		read, err := s.readFile(path)
		found = append(found, read...)
		return err
	})
	return found, err
}

func (s Source) readFile(path string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		if object.GetKind() == kind && (len(s.Names) == 0 || slices.Contains(s.Names, object.GetName())) {
			dropDescriptions(object.Object)
			found = append(found, object)
		}
	}
}

// dropDescriptions removes the texts from a definition's schemas. A field that is called description stays: its value is a
// schema and no text. So does what is inside of values, such as defaults.
func dropDescriptions(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if _, isText := inner.(string); isText && key == "description" {
				delete(value, key)
			} else if key != "default" && key != "example" && key != "enum" {
				dropDescriptions(inner)
			}
		}
	case []any:
		for _, inner := range value {
			dropDescriptions(inner)
		}
	}
}
