// Package chart renders a Helm chart inside the test process, with the Helm 3 and the Helm 4 SDK, and decodes what was
// rendered into typed objects, strictly. It runs no helm program and needs no cluster, so a render takes milliseconds and a
// test can afford hundreds of them.
//
//	loaded, err := chart.Load("../charts/mine")
//	require.NoError(t, err)
//	release, err := loaded.Render(chart.Helm4, chart.Options{Set: map[string]any{"replicas": 3}})
//	require.NoError(t, err)
//	objects, err := release.Objects()
//	require.NoError(t, err)
//	for _, deployment := range chart.All[*appsv1.Deployment](objects) {
//		require.NotNil(t, deployment.Spec.Template.Spec.SecurityContext)
//	}
//
// Values are merged, and validated against the chart's values.schema.json, by Helm's own code of the chosen version; the
// chart's kubeVersion is checked against Options.KubeVersion. `lookup` finds the objects of Options.Cluster, which makes
// the branches testable that a chart takes on an upgrade.
//
// Objects is the decoded release: All and Get read it by type, PodTemplates and Images look into every workload, Canonical
// is a form for golden files, and Changed names what differs between two releases. WithTemplates and Options.Funcs are the
// seams for tools that replace or watch templates, such as coverage and mutation runs.
package chart
