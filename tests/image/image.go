// Package image builds container images from files alone: no base image, no Docker, no registry.
//
// An image is reproducible: files are sorted, times are zero, and nothing of the machine that builds it gets in, so the
// same input has the same digest. The archive it writes is an OCI layout that is also a docker-archive; it is read by
// "docker load", "kind load image-archive" and "ctr images import".
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Spec describes an image.
type Spec struct {
	// Ref is the name with tag, for example registry.internal/detection-api:1.0.0. It must name a registry.
	Ref string
	// Entrypoint is the program and its first arguments.
	Entrypoint []string
	// Cmd are arguments that a pod may replace.
	Cmd []string
	// Env are NAME=value settings.
	Env []string
	// User is the user, as uid or uid:gid. Empty means root.
	User string
	// WorkDir is the directory the program starts in. Empty means /.
	WorkDir string
	// Labels are the image's labels.
	Labels map[string]string
	// Architecture is the GOARCH of the program. Empty means this machine's.
	Architecture string
	// Files are the contents, in any order. Missing parent directories are added, owned by root, mode 0755.
	Files []File
	// Plain leaves the layer uncompressed: larger, but quicker to load into a local cluster.
	Plain bool
}

// File is a file or a directory of an image.
type File struct {
	// Path is absolute.
	Path string
	// Source is the file on this machine to copy. Empty means Content.
	Source string
	// Content is used if Source is empty.
	Content []byte
	// Mode are the permission bits, including setuid and sticky as in a tar header. Zero means 0644, or 0755 for Dir.
	Mode int64
	// UID and GID are the owner.
	UID, GID int
	// Dir makes it an empty directory; Source and Content are not used.
	Dir bool
}

// Image is a built image.
type Image struct {
	ref   string
	image v1.Image
}

// Build makes an image with one layer. It reads every source file at once, so later changes do not matter.
func Build(spec Spec) (*Image, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	content, err := layerTar(spec.Files)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", spec.Ref, err)
	}
	layer, err := newLayer(content, spec.Plain)
	if err != nil {
		return nil, fmt.Errorf("image %s: make layer: %w", spec.Ref, err)
	}
	built, err := assemble(spec, layer)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", spec.Ref, err)
	}
	return &Image{ref: spec.Ref, image: built}, nil
}

func newLayer(content []byte, plain bool) (v1.Layer, error) {
	if plain {
		return static.NewLayer(content, types.OCIUncompressedLayer), nil
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression))
}

func (s Spec) check() error {
	name, tag, _ := strings.Cut(s.Ref[strings.LastIndex(s.Ref, "/")+1:], ":")
	if !strings.Contains(s.Ref, "/") || name == "" || tag == "" {
		return fmt.Errorf("image name %q: want registry/name:tag", s.Ref)
	}
	if len(s.Entrypoint) == 0 {
		return errors.New("image " + s.Ref + ": no entrypoint")
	}
	return nil
}

// assemble puts the layer and the configuration together.
func assemble(spec Spec, layer v1.Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	withLayer, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "tests/image"}})
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	config, err := withLayer.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS = "linux"
	config.Architecture = spec.Architecture
	if config.Architecture == "" {
		config.Architecture = runtime.GOARCH
	}
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		Entrypoint: spec.Entrypoint, Cmd: spec.Cmd, Env: spec.Env, User: spec.User,
		WorkingDir: spec.WorkDir, Labels: spec.Labels,
	}
	return mutate.ConfigFile(withLayer, config)
}

// layerTar writes the files and their parent directories, sorted by path.
func layerTar(files []File) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	all := withParents(files)
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	for i, file := range all {
		if i > 0 && file.Path == all[i-1].Path {
			return nil, fmt.Errorf("%s is given twice", file.Path)
		}
		if err := writeFile(writer, file); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// withParents cleans paths and adds every directory that no file gives.
func withParents(files []File) []File {
	given := map[string]bool{"/": true}
	var all []File
	for _, file := range files {
		file.Path = path.Clean("/" + file.Path)
		given[file.Path] = true
		all = append(all, file)
	}
	for _, file := range files {
		for parent := path.Dir(path.Clean("/" + file.Path)); !given[parent]; parent = path.Dir(parent) {
			given[parent] = true
			all = append(all, File{Path: parent, Dir: true})
		}
	}
	return all
}

func writeFile(writer *tar.Writer, file File) error {
	header := &tar.Header{
		Name: strings.TrimPrefix(file.Path, "/"), Mode: file.Mode, Uid: file.UID, Gid: file.GID,
		Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	}
	content := file.Content
	switch {
	case file.Dir:
		header.Typeflag, header.Name, content = tar.TypeDir, header.Name+"/", nil
	case file.Source != "":
		var err error
		if content, err = os.ReadFile(file.Source); err != nil {
			return err
		}
	}
	if header.Mode == 0 {
		header.Mode = 0o644
		if file.Dir {
			header.Mode = 0o755
		}
	}
	header.Size = int64(len(content))
	if err := writer.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", file.Path, err)
	}
	_, err := writer.Write(content)
	return err
}
