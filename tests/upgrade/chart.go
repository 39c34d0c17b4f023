package upgrade

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	chart3 "helm.sh/helm/v3/pkg/chart"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chart4 "helm.sh/helm/v4/pkg/chart"
	loader4 "helm.sh/helm/v4/pkg/chart/loader"
)

// Chart is one version of a chart.
type Chart struct {
	// Name and Version are those of Chart.yaml.
	Name, Version string
	// Digest is over the content of every file, so that an archive and a directory of the same files have the same.
	Digest string

	helm3 *chart3.Chart
	helm4 chart4.Charter
}

// Load reads a chart from a directory or an archive.
func Load(path string) (*Chart, error) {
	three, err := loader3.Load(path)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", path, err)
	}
	four, err := loader4.Load(path)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", path, err)
	}
	return &Chart{Name: three.Name(), Version: three.Metadata.Version, Digest: digest(three), helm3: three, helm4: four}, nil
}

func digest(c *chart3.Chart) string {
	files := slices.Clone(c.Raw)
	slices.SortFunc(files, func(a, b *chart3.File) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	hash := sha256.New()
	for _, file := range files {
		fmt.Fprintf(hash, "%s %d\n%s", file.Name, len(file.Data), file.Data)
	}
	return fmt.Sprintf("sha256:%x", hash.Sum(nil))
}

// Released loads the archives (.tgz) of a directory, the oldest name first. Each version named must be among them, and each
// archive must be named: no version is left out silently.
func Released(dir string, versions ...string) ([]*Chart, error) {
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		return nil, fmt.Errorf("released versions: %w", err)
	}
	if len(versions) == 0 {
		return nil, errors.New("released versions: none is named, so nothing would be tested")
	}
	var result []*Chart
	missing := slices.Clone(versions)
	for _, archive := range archives {
		loaded, err := Load(archive)
		if err != nil {
			return nil, err
		}
		i := slices.Index(missing, loaded.Version)
		if i < 0 {
			return nil, fmt.Errorf("released versions: %s holds version %s, which is not named or there twice", archive, loaded.Version)
		}
		missing = slices.Delete(missing, i, i+1)
		result = append(result, loaded)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("released versions: no archive of %v in %s", missing, dir)
	}
	return result, nil
}

// differ returns an error if an upgrade from one chart to the other would prove nothing.
func differ(from, to *Chart) error {
	if from.Name != to.Name {
		return fmt.Errorf("%s and %s are different charts", from.Name, to.Name)
	}
	if from.Version == to.Version {
		return fmt.Errorf("both charts are version %s: an upgrade between them proves nothing", to.Version)
	}
	if from.Digest == to.Digest {
		return fmt.Errorf("versions %s and %s have the same content (%s)", from.Version, to.Version, to.Digest)
	}
	return nil
}
