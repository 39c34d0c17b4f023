package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/gruntwork-io/terratest/modules/logger"
	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

// fixed are values without which two renders of a file differ: development Secrets are random.
func fixed(file string) map[string]string {
	if file != "values-dev.yaml" {
		return nil
	}
	return map[string]string{
		"secrets.development.jwtSecretKey": strings.Repeat("k", 48),
		"secrets.development.storeToken":   strings.Repeat("t", 48),
	}
}

// canonical is the canonical form of what one version of Helm renders in this process.
func canonical(t *testing.T, engine chart.Engine, o chart.Options) string {
	t.Helper()
	release, err := loadChart(t).Render(engine, o)
	require.NoError(t, err)
	decoded, err := release.Objects()
	require.NoError(t, err)
	text, err := decoded.Canonical()
	require.NoError(t, err)
	return text
}

// templated is the canonical form of what a helm command prints, run as a user would run it.
func templated(t *testing.T, file string) string {
	t.Helper()
	o := &helm.Options{
		SetValues: fixed(file), KubectlOptions: k8s.NewKubectlOptions("", "", namespace), Logger: logger.Discard,
	}
	for _, layer := range layers(file) {
		o.ValuesFiles = append(o.ValuesFiles, filepath.Join(chartDir, layer))
	}
	text, err := helm.RenderTemplateContextE(t, t.Context(), o, chartDir, releaseName, nil, "--kube-version", chart.DefaultKubeVersion)
	require.NoError(t, err)
	decoded, err := chart.Decode(text, namespace)
	require.NoError(t, err)
	canonical, err := decoded.Canonical()
	require.NoError(t, err)
	return canonical
}

// commands are the helm commands that `make tools` builds, by the version whose SDK renders in this process.
var commands = map[chart.Engine]string{chart.Helm3: "helm", chart.Helm4: "helm4"}

// The helm commands of both versions, and their SDKs in this process, give the same objects for every values file.
func TestHelmCommands(t *testing.T) {
	for engine, command := range commands {
		t.Run(command, func(t *testing.T) {
			tool(t, command)
			for _, file := range allFiles() {
				require.Equal(t, canonical(t, engine, options(file, fixed(file))), templated(t, file), file)
			}
		})
	}
	for _, file := range allFiles() {
		o := options(file, fixed(file))
		require.Equal(t, canonical(t, chart.Helm3, o), canonical(t, chart.Helm4, o), file)
	}
	other := canonical(t, chart.Helm4, options("values.yaml", map[string]string{"activeSlot": "green"}))
	require.NotEqual(t, canonical(t, chart.Helm3, options("values.yaml", nil)), other, "positive control")
}

// tool puts a command that `make tools` builds into the path of this test, under the name helm, which Terratest calls.
func tool(t *testing.T, command string) {
	t.Helper()
	built, err := filepath.Abs(filepath.Join("..", "..", "build", "bin", command))
	require.NoError(t, err)
	_, err = os.Stat(built)
	require.NoError(t, err, "run `make tools` first")
	dir := t.TempDir()
	require.NoError(t, os.Symlink(built, filepath.Join(dir, "helm")))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// allFiles are the values files of every way to install the chart.
func allFiles() []string {
	return append(append([]string{}, valuesFiles...), platformFile)
}
