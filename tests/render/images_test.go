package render

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// images are those of one render; refused says that the chart does not take the values.
func images(t *testing.T, o chart.Options) (list []string, refused bool) {
	t.Helper()
	release, err := loadChart(t).Render(chart.Helm4, o)
	if err != nil {
		return nil, true
	}
	decoded, err := release.Objects()
	require.NoError(t, err)
	list, err = decoded.Images()
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list, false
}

// switches are the paths of all values that are true or false, with the value that they have not by default.
func switches(values map[string]any, prefix string) map[string]any {
	found := map[string]any{}
	for key, value := range values {
		switch value := value.(type) {
		case bool:
			found[prefix+key] = !value
		case map[string]any:
			maps.Copy(found, switches(value, prefix+key+"."))
		}
	}
	return found
}

// repositories are images without registry, tag and digest.
func repositories(images []string) []string {
	var names []string
	for _, image := range images {
		name, _, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], "@")
		name, _, _ = strings.Cut(name, ":")
		names = append(names, name)
	}
	return names
}

// pinned renders with another registry and a digest, and wants both in every image. It returns the repositories.
func pinned(t *testing.T, file string, set map[string]any) (names []string, refused bool) {
	t.Helper()
	digest := "sha256:" + strings.Repeat("a", 64)
	o := options(file, nil)
	o.SkipSchema = true
	o.Set = map[string]any{"image.registry": "mirror.example:5000/team", "image.digest": digest}
	maps.Copy(o.Set, set)
	list, refused := images(t, o)
	for _, image := range list {
		require.True(t, strings.HasPrefix(image, "mirror.example:5000/team/"), "%s %v: %s", file, set, image)
		require.True(t, strings.HasSuffix(image, "@"+digest), "%s %v: %s", file, set, image)
		require.NotContains(t, image, ":latest")
	}
	return repositories(list), refused
}

// Every image of every values file is in images.txt, with a tag other than latest.
func TestImageListIsComplete(t *testing.T) {
	listed := listedImages(t)
	for _, file := range allFiles() {
		list, refused := images(t, options(file, nil))
		require.False(t, refused, file)
		require.Subset(t, listed, list, file)
		_, refused = pinned(t, file, nil)
		require.False(t, refused, file)
	}
	for _, image := range listed {
		require.Regexp(t, `:[0-9][^:/]*$`, image)
	}
}

// Whatever a release switches on or off, it needs no other image than those of images.txt, and the registry and the digest
// are those of the values.
func TestImagesOfEverySwitch(t *testing.T) {
	t.Parallel()
	listed := repositories(listedImages(t))
	defaults, err := loadChart(t).Defaults()
	require.NoError(t, err)
	toggles := switches(defaults, "")
	rendered := 0
	for _, path := range slices.Sorted(maps.Keys(toggles)) {
		// What is off is switched on where little else is, what is on is switched off where all else is on.
		file := platformFile
		if toggles[path] == true {
			file = "values.yaml"
		}
		names, refused := pinned(t, file, map[string]any{path: toggles[path]})
		require.Subset(t, listed, names, "%s: %s", file, path)
		if !refused {
			rendered++
		}
	}
	require.Greater(t, rendered, len(toggles)/2, "most switches can be turned")
}

func listedImages(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartDir, "images.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, text)
	return strings.Fields(string(text))
}
