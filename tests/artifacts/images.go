package artifacts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/image"
)

// DevVersion is the version of what is built from a checkout.
const DevVersion = "dev"

// Registry is the registry in the names of all images.
const Registry = "registry.internal"

// Image is a container image as an archive on disk.
type Image struct {
	Ref    string // registry.internal/NAME:TAG
	Tag    string
	Path   string // docker-archive and OCI layout in one
	Digest string // sha256:...
	Bytes  int64  // what a registry would store
}

// ServiceImage builds the image of the service: its static binary, CA certificates and a user, without any base image.
func (r Repository) ServiceImage(ctx context.Context, version string) (Image, error) {
	binary, err := r.Service(ctx, version)
	if err != nil {
		return Image{}, err
	}
	return r.serviceImage(binary, version)
}

func (r Repository) serviceImage(binary, tag string) (Image, error) {
	certificates, err := image.CACertificates()
	if err != nil {
		return Image{}, err
	}
	return r.writeImage("detection-api", tag, "/detection-api", image.File{Path: "/detection-api", Source: binary, Mode: 0o755},
		certificates, image.File{Path: "/app/data", Dir: true, Mode: 0o750, UID: imageUser, GID: imageUser})
}

// DevImage builds the service's image from the checkout as it is. Its tag ends in a hash of the program, so that a changed
// program is a changed pod.
func (r Repository) DevImage(ctx context.Context) (Image, error) {
	binary, err := r.Service(ctx, DevVersion)
	if err != nil {
		return Image{}, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return Image{}, fmt.Errorf("hash the program: %w", err)
	}
	return r.serviceImage(binary, fmt.Sprintf("%s-%x", DevVersion, sha256.Sum256(content))[:len(DevVersion)+1+12])
}

// TestImage builds an image of one of the commands of the tests module, tagged test.
func (r Repository) TestImage(ctx context.Context, name string) (Image, error) {
	binary, err := r.TestProgram(ctx, name)
	if err != nil {
		return Image{}, err
	}
	return r.writeImage(name, "test", "/"+name, image.File{Path: "/" + name, Source: binary, Mode: 0o755})
}

// imageUser owns the process in every image. It is what runAsUser of the chart says.
const imageUser = 1000

func (r Repository) writeImage(name, tag, entrypoint string, files ...image.File) (Image, error) {
	passwd := image.File{Path: "/etc/passwd", Content: fmt.Appendf(nil, "app:x:%d:%d::/:/sbin/nologin\n", imageUser, imageUser)}
	built, err := image.Build(image.Spec{
		Ref:        Registry + "/" + name + ":" + tag,
		Entrypoint: []string{entrypoint},
		User:       fmt.Sprintf("%d:%d", imageUser, imageUser),
		Files:      append(files, passwd),
	})
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(r.Build("images"), 0o755); err != nil {
		return Image{}, fmt.Errorf("make the folder of the images: %w", err)
	}
	out := Image{Ref: built.Ref(), Tag: tag, Path: r.Build("images", name+"-"+tag+".tar")}
	if out.Digest, err = built.Digest(); err != nil {
		return Image{}, fmt.Errorf("digest of %s: %w", out.Ref, err)
	}
	if out.Bytes, err = built.Size(); err != nil {
		return Image{}, fmt.Errorf("size of %s: %w", out.Ref, err)
	}
	return out, built.WriteFile(out.Path)
}

// ChartAppVersion is the version of the service that the chart installs when it is told no other.
func (r Repository) ChartAppVersion() (string, error) {
	text, err := os.ReadFile(r.Path("charts", "detection-api", "Chart.yaml"))
	if err != nil {
		return "", fmt.Errorf("read the chart's version: %w", err)
	}
	var chart struct {
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal(text, &chart); err != nil {
		return "", fmt.Errorf("read the chart's version: %w", err)
	}
	return chart.AppVersion, nil
}
