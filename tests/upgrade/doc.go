// Package upgrade takes a chart from every released version to the one of the working tree and back, with the SDKs of
// Helm 3 and Helm 4, on any cluster. It runs no helm program.
//
//	released, err := upgrade.Released("testdata/releases", "1.0.0", "1.1.0")
//	require.NoError(t, err)
//	next, err := upgrade.Load("../charts/mine")
//	require.NoError(t, err)
//	matrix, err := upgrade.Plan{
//		Config: config, Release: "mine", From: released, To: next, Namespace: newNamespace, Check: check,
//	}.Run(ctx)
//	t.Log(matrix)
//	require.NoError(t, err)
//
// For each version and each pair of Helm versions the old chart is installed, upgraded, rolled back, upgraded again and
// uninstalled; after each step Check looks at the cluster. Nothing waits for pods but Check. Three mistakes of such tests
// are errors here: a released version that is not there, an upgrade between two charts that are the same, and a selector of
// a workload that changes.
//
// What a site must do for an upgrade is written down as Site: the values that the old version was installed with, and one
// set of values for each `helm upgrade` to the new chart.
package upgrade
