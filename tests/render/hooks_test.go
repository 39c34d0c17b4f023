package render

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels and annotations of a site reach every object and every pod, and no selector.
func TestCommonLabelsAndAnnotations(t *testing.T) {
	for _, file := range valuesFiles {
		plain := mustRender(t, file, nil)
		rendered := mustRender(t, file, map[string]string{
			"commonLabels.team": "rescue", "commonAnnotations.contact": "duty", "podLabels.net": "field", "podAnnotations.audit": "on",
			"api.podAnnotations.audit": "more", "namespace.create": "true",
		})
		for key, object := range rendered {
			meta := object.(metav1.Object)
			require.Equal(t, "rescue", meta.GetLabels()["team"], "%s: %s", file, key)
			require.Equal(t, "duty", meta.GetAnnotations()["contact"], "%s: %s", file, key)
		}
		for owner, template := range rendered.podTemplates() {
			require.Equal(t, "field", template.Labels["net"], owner)
			if owner != "detection-api-test" { // a Pod of its own, so its labels are the object's
				require.NotContains(t, template.Labels, "team", owner)
			}
			want := "on"
			if template.Labels["app"] == "detection-api" {
				want = "more"
			}
			require.Equal(t, want, template.Annotations["audit"], "%s: what is nearer wins", owner)
		}
		for _, service := range all[*corev1.Service](rendered) {
			require.Equal(t, get[*corev1.Service](t, plain, "Service/"+service.Name).Spec, service.Spec)
		}
	}
}

// Objects of a site's own are rendered with the release, templates in them included.
func TestExtraObjects(t *testing.T) {
	rendered := mustRender(t, "values.yaml", map[string]string{
		"extraObjects": `[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"own-{{ .Release.Name }}"},"data":{"slot":"{{ .Values.activeSlot }}"}},` +
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"second"}}]`,
	})
	own := get[*corev1.ConfigMap](t, rendered, "ConfigMap/own-detection-api")
	require.Equal(t, "blue", own.Data["slot"])
	get[*corev1.ConfigMap](t, rendered, "ConfigMap/second")
}

// Prometheus finds pods by annotation or by ServiceMonitor, not by both.
func TestScrapeAnnotations(t *testing.T) {
	for owner, template := range mustRender(t, "values.yaml", nil).podTemplates() {
		if template.Labels["app"] == "detection-api" || template.Labels["app"] == "detection-api-store" {
			require.Equal(t, "true", template.Annotations["prometheus.io/scrape"], owner)
			require.Equal(t, "/metrics", template.Annotations["prometheus.io/path"], owner)
		}
	}
	for owner, template := range mustRender(t, "values.yaml", map[string]string{"monitoring.scrapeAnnotations": "false"}).podTemplates() {
		require.NotContains(t, template.Annotations, "prometheus.io/scrape", owner)
	}
}
