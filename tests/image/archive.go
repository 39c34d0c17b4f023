package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Ref is the name the image was built under.
func (i *Image) Ref() string { return i.ref }

// Digest is the digest of the image's manifest, as a registry or containerd shows it: sha256:<hex>.
func (i *Image) Digest() (string, error) {
	digest, err := i.image.Digest()
	return digest.String(), err
}

// Size is what a registry stores and a node pulls: the bytes of the manifest, the configuration and the layer.
func (i *Image) Size() (int64, error) {
	manifest, err := i.image.Manifest()
	if err != nil {
		return 0, err
	}
	size, err := i.image.Size()
	if err != nil {
		return 0, err
	}
	size += manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

// WriteFile writes the image as an archive. The file appears under its name only when it is complete.
func (i *Image) WriteFile(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := errors.Join(i.write(file), file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("write image archive %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}

// write emits the OCI layout and, for older Docker versions, manifest.json pointing at the same blobs.
func (i *Image) write(w io.Writer) error {
	archive := &archiveWriter{tar: tar.NewWriter(w)}
	manifest, err := i.image.Manifest()
	if err != nil {
		return err
	}
	rawManifest, err := i.image.RawManifest()
	if err != nil {
		return err
	}
	rawConfig, err := i.image.RawConfigFile()
	if err != nil {
		return err
	}
	digest, err := i.image.Digest()
	if err != nil {
		return err
	}
	archive.add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	archive.addJSON("index.json", i.index(digest, int64(len(rawManifest))))
	archive.add(blobPath(digest), rawManifest)
	archive.add(blobPath(manifest.Config.Digest), rawConfig)
	docker := dockerManifest{Config: blobPath(manifest.Config.Digest), RepoTags: []string{i.ref}}
	layers, err := i.image.Layers()
	if err != nil {
		return err
	}
	for n, layer := range layers {
		docker.Layers = append(docker.Layers, blobPath(manifest.Layers[n].Digest))
		archive.addLayer(manifest.Layers[n], layer)
	}
	archive.addJSON("manifest.json", []dockerManifest{docker})
	return archive.close()
}

// dockerManifest is an entry of a docker-archive's manifest.json.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (i *Image) index(digest v1.Hash, size int64) v1.IndexManifest {
	return v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: types.OCIManifestSchema1, Digest: digest, Size: size,
		// containerd names an imported image by the first, other tools by the second.
		Annotations: map[string]string{"io.containerd.image.name": i.ref, "org.opencontainers.image.ref.name": i.ref},
	}}}
}

func blobPath(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

// archiveWriter keeps the first error, so that its callers can be read as a list of entries.
type archiveWriter struct {
	tar *tar.Writer
	err error
}

func (a *archiveWriter) add(name string, content []byte) {
	a.addReader(name, int64(len(content)), bytes.NewReader(content))
}

func (a *archiveWriter) addJSON(name string, value any) {
	content, err := json.Marshal(value)
	a.err = errors.Join(a.err, err)
	a.add(name, content)
}

func (a *archiveWriter) addLayer(descriptor v1.Descriptor, layer v1.Layer) {
	content, err := layer.Compressed()
	if err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	defer content.Close()
	a.addReader(blobPath(descriptor.Digest), descriptor.Size, content)
}

func (a *archiveWriter) addReader(name string, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	a.err = a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
	if a.err == nil {
		_, a.err = io.Copy(a.tar, content)
	}
}

func (a *archiveWriter) close() error {
	if a.err != nil {
		return a.err
	}
	return a.tar.Close()
}
