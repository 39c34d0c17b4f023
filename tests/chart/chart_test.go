package chart_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/chart"
)

func TestSmoke(t *testing.T) {
	loaded, err := chart.Load("../../charts/detection-api")
	require.NoError(t, err)
	for _, engine := range chart.Engines() {
		start := time.Now()
		var objects chart.Objects
		for range 10 {
			release, err := loaded.Render(engine, chart.Options{Namespace: "detection-system"})
			require.NoError(t, err)
			objects, err = release.Objects()
			require.NoError(t, err)
		}
		t.Log(engine, time.Since(start)/10, objects.Keys())
		images, err := objects.Images()
		require.NoError(t, err)
		t.Log(images)
	}
}
