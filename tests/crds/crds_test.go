package crds_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/controlplane"
	"github.com/detection-api/detection-api/tests/crds"
)

func TestApply(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a control plane")
	}
	c, err := controlplane.Start(t.Context(), controlplane.Options{Log: t.Output()})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	for _, source := range crds.All() {
		began := time.Now()
		objects, err := source.Read(t.Context())
		require.NoError(t, err)
		t.Logf("%d kinds of %s read in %s", len(objects), source.Module, time.Since(began).Round(time.Millisecond))
	}
	began := time.Now()
	require.NoError(t, crds.Apply(t.Context(), c.Config(), crds.All()...))
	t.Logf("all applied in %s", time.Since(began).Round(time.Millisecond))
	require.NoError(t, crds.Apply(t.Context(), c.Config(), crds.SealedSecrets()), "again")
}

func TestRead(t *testing.T) {
	objects, err := crds.GatewayAPI().Only("httproutes.gateway.networking.k8s.io").Read(t.Context())
	require.NoError(t, err)
	require.Len(t, objects, 1)

	tests := []struct {
		name   string
		change func(*crds.Source)
		want   string
	}{
		{"other checksum", func(s *crds.Source) { s.Sum = "h1:AAAA" }, "not h1:AAAA"},
		{"unknown version", func(s *crds.Source) { s.Version = "v0.0.1-nothing" }, "v0.0.1-nothing"},
		{"moved directory", func(s *crds.Source) { s.Paths = []string{"nowhere"} }, "nowhere"},
		{"directory without definitions", func(s *crds.Source) { s.Paths = []string{"docs"} }, "no definition"},
		{"unknown name", func(s *crds.Source) { s.Names = []string{"unknown.example"} }, "unknown.example"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := crds.SealedSecrets()
			test.change(&source)
			_, err := source.Read(t.Context())
			require.ErrorContains(t, err, test.want)
		})
	}
}
