package chart

import (
	"fmt"
	"maps"
	"slices"

	chart3 "helm.sh/helm/v3/pkg/chart"
	loader3 "helm.sh/helm/v3/pkg/chart/loader"
	chartutil3 "helm.sh/helm/v3/pkg/chartutil"
	engine3 "helm.sh/helm/v3/pkg/engine"
	releaseutil3 "helm.sh/helm/v3/pkg/releaseutil"
)

// helm3Version is what .Capabilities.HelmVersion says; the SDK alone would name no patch release.
const helm3Version = "v3.22.0"

func parse3(files map[string][]byte) (*chart3.Chart, error) {
	var buffered []*loader3.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		buffered = append(buffered, &loader3.BufferedFile{Name: name, Data: files[name]})
	}
	parsed, err := loader3.LoadFiles(buffered)
	if err != nil {
		return nil, err
	}
	return parsed, parsed.Validate()
}

func withTemplates3(original *chart3.Chart, templates map[string][]byte) *chart3.Chart {
	copied := *original
	copied.Templates = nil
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		copied.Templates = append(copied.Templates, &chart3.File{Name: name, Data: templates[name]})
	}
	return &copied
}

func (c *Chart) render3(o Options, values map[string]any) (*Release, error) {
	if len(o.Funcs) > 0 {
		return nil, errFuncs
	}
	parsed := c.parsed.helm3
	if c.hasDependencies() {
		var err error
		if parsed, err = parse3(c.files); err != nil {
			return nil, err
		}
		if err := chartutil3.ProcessDependenciesWithMerge(parsed, values); err != nil {
			return nil, err
		}
	}
	files, err := execute3(parsed, o, values)
	if err != nil {
		return nil, err
	}
	release := &Release{Namespace: o.Namespace, Notes: splitNotes(parsed.Name(), files)}
	hooks, manifests, err := releaseutil3.SortManifests(files, nil, releaseutil3.InstallOrder)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		release.Manifests = append(release.Manifests, Document{Template: source(m.Name), YAML: m.Content})
	}
	for _, h := range hooks {
		release.Hooks = append(release.Hooks, Hook{
			Document: Document{Template: source(h.Path), YAML: h.Manifest},
			Events:   texts(h.Events), Weight: h.Weight, DeletePolicies: texts(h.DeletePolicies),
		})
	}
	return release, nil
}

func execute3(parsed *chart3.Chart, o Options, values map[string]any) (map[string]string, error) {
	capabilities, err := capabilities3(o)
	if err != nil {
		return nil, err
	}
	if want := parsed.Metadata.KubeVersion; want != "" && !chartutil3.IsCompatibleRange(want, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", want, capabilities.KubeVersion.String())
	}
	top, err := chartutil3.ToRenderValuesWithSchemaValidation(parsed, values, chartutil3.ReleaseOptions{
		Name: o.Release, Namespace: o.Namespace, Revision: o.Revision, IsUpgrade: o.Upgrade, IsInstall: !o.Upgrade,
	}, capabilities, o.SkipSchema)
	if err != nil {
		return nil, err
	}
	if len(o.Cluster) == 0 {
		return engine3.Render(parsed, top)
	}
	live, err := newCluster(o.Cluster)
	if err != nil {
		return nil, err
	}
	return engine3.RenderWithClientProvider(parsed, top, live)
}

func capabilities3(o Options) (*chartutil3.Capabilities, error) {
	version, err := chartutil3.ParseKubeVersion(o.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("kube version %s: %w", o.KubeVersion, err)
	}
	capabilities := chartutil3.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), o.APIVersions...)
	capabilities.HelmVersion.Version = helm3Version
	return capabilities, nil
}
