package chart

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart4 "helm.sh/helm/v4/pkg/chart/v2"
	loader4 "helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil4 "helm.sh/helm/v4/pkg/chart/v2/util"
	engine4 "helm.sh/helm/v4/pkg/engine"
	releaseutil4 "helm.sh/helm/v4/pkg/release/v1/util"
)

// helm4Version is what .Capabilities.HelmVersion says; the SDK alone would name no patch release.
const helm4Version = "v4.3.1"

func parse4(files map[string][]byte) (*chart4.Chart, error) {
	var buffered []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		buffered = append(buffered, &archive.BufferedFile{Name: name, Data: files[name]})
	}
	parsed, err := loader4.LoadFiles(buffered)
	if err != nil {
		return nil, err
	}
	return parsed, parsed.Validate()
}

func withTemplates4(original *chart4.Chart, templates map[string][]byte) *chart4.Chart {
	copied := *original
	copied.Templates = nil
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		copied.Templates = append(copied.Templates, &common.File{Name: name, Data: templates[name]})
	}
	return &copied
}

func (c *Chart) render4(o Options, values map[string]any) (*Release, error) {
	parsed := c.parsed.helm4
	if c.hasDependencies() {
		var err error
		if parsed, err = parse4(c.files); err != nil {
			return nil, err
		}
		if err := chartutil4.ProcessDependencies(parsed, values); err != nil {
			return nil, err
		}
	}
	files, err := execute4(parsed, o, values)
	if err != nil {
		return nil, err
	}
	release := &Release{Namespace: o.Namespace, Notes: splitNotes(parsed.Name(), files)}
	hooks, manifests, err := releaseutil4.SortManifests(files, nil, releaseutil4.InstallOrder)
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

func execute4(parsed *chart4.Chart, o Options, values map[string]any) (map[string]string, error) {
	capabilities, err := capabilities4(o)
	if err != nil {
		return nil, err
	}
	if want := parsed.Metadata.KubeVersion; want != "" && !chartutil4.IsCompatibleRange(want, capabilities.KubeVersion.String()) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", want, capabilities.KubeVersion.Version)
	}
	top, err := commonutil.ToRenderValuesWithSchemaValidation(parsed, values, common.ReleaseOptions{
		Name: o.Release, Namespace: o.Namespace, Revision: o.Revision, IsUpgrade: o.Upgrade, IsInstall: !o.Upgrade,
	}, capabilities, o.SkipSchema)
	if err != nil {
		return nil, err
	}
	renderer := engine4.Engine{CustomTemplateFuncs: maps.Clone(o.Funcs)}
	if len(o.Cluster) > 0 {
		live, err := newCluster(o.Cluster)
		if err != nil {
			return nil, err
		}
		// The engine takes either a client or functions, and coverage needs the functions.
		renderer.CustomTemplateFuncs = withLookup(renderer.CustomTemplateFuncs, live)
	}
	return renderer.RenderWithContext(context.Background(), parsed, top)
}

func capabilities4(o Options) (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(o.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("kube version %s: %w", o.KubeVersion, err)
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), o.APIVersions...)
	capabilities.HelmVersion.Version = helm4Version
	return capabilities, nil
}
