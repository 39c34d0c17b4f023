package parts

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/detection-api/detection-api/tests/image"
)

// Registry is the host name of the images of a local cluster. It exists nowhere: nodes have the images or fail.
const Registry = "cluster.local"

// step is one run of go build.
type step struct {
	name     string
	note     string   // appended to the first progress line
	packages []string // of the module
	ldflags  string
}

func steps() []step {
	// Without a version Kubernetes reports v0.0.0, and every chart with a kubeVersion refuses the cluster.
	const version = " -X k8s.io/component-base/version.gitVersion=" + KubernetesVersion +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
	return []step{
		{name: "node programs", packages: []string{"./nodeinit", "./pause", "./probe", "./provisioner", "./netpol"}},
		{name: "CoreDNS", packages: []string{"./coredns"}},
		{name: "etcd, KWOK, containerd, network plugins and metrics-server", packages: []string{"tool"}},
		{name: "Kubernetes " + KubernetesVersion, note: " (about ten minutes the first time)", packages: []string{"./kube"}, ldflags: version},
	}
}

func (s step) arguments(bin string) []string {
	arguments := []string{"-trimpath", "-ldflags", "-s -w" + s.ldflags, "-o", bin + "/"}
	return append(arguments, s.packages...)
}

// kubeNames are the programs that the program kube is, depending on the name it is run by.
var kubeNames = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"}

// link gives programs the names they go by.
func link(set Set) error {
	for _, name := range kubeNames {
		if err := os.Symlink("kube", set.Program(name)); err != nil {
			return err
		}
	}
	// The go command names a program after its package's directory, which for etcd is "server".
	return os.Rename(set.Program("server"), set.Program("etcd"))
}

// nodeImage is an image made of one program.
type nodeImage struct {
	program string
	source  string // the program's package
	user    string
}

// Ref is the name under which pods ask for the image of a program.
func Ref(program string) string { return Registry + "/" + program + ":1" }

func images() []nodeImage {
	return []nodeImage{
		{program: "pause", source: "./pause", user: "65535:65535"},
		{program: "coredns", source: "./coredns", user: "65532:65532"},
		{program: "metrics-server", source: "sigs.k8s.io/metrics-server/cmd/metrics-server", user: "65532:65532"},
		{program: "probe", source: "./probe", user: "65532:65532"},
	}
}

func (i nodeImage) archive(set Set) string {
	return filepath.Join(set.Directory, "images", i.program+".tar")
}

// build makes the archive, uncompressed because every node unpacks it at every start.
func (i nodeImage) build(set Set) error {
	built, err := image.Build(image.Spec{
		Ref: Ref(i.program), Entrypoint: []string{"/" + i.program}, User: i.user, Plain: true,
		Files: []image.File{{Path: "/" + i.program, Source: set.Program(i.program), Mode: 0o755}, {Path: "/tmp", Dir: true, Mode: 0o1777}},
	})
	if err != nil {
		return err
	}
	return built.WriteFile(i.archive(set))
}

// hashFiles writes name and content of each Go and module file below directory, in the order of names.
func hashFiles(w io.Writer, directory string) error {
	return filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(path) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(directory, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s %d\n%s", filepath.ToSlash(relative), len(content), content)
		return err
	})
}

// isSource leaves out tests and whatever else lies about: they do not change what is built.
func isSource(path string) bool {
	name := filepath.Base(path)
	return name == "go.mod" || name == "go.sum" || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}
