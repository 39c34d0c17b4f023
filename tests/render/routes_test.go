package render

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

// ingress renders the Ingress with more values.
func ingress(t *testing.T, set map[string]any) *networkingv1.Ingress {
	t.Helper()
	o := rendered(t, chart.Options{Set: with(set, map[string]any{"ingress.enabled": true})})
	found, err := chart.Get[*networkingv1.Ingress](o, "Ingress/detection-api-ingress")
	require.NoError(t, err)
	backend := found.Spec.Rules[0].HTTP.Paths[0].Backend.Service
	service, err := chart.Get[*corev1.Service](o, "Service/"+backend.Name)
	require.NoError(t, err)
	require.Equal(t, service.Spec.Ports[0].Name, backend.Port.Name)
	return found
}

// The Ingress suits any controller; what belongs to one of them is an annotation by value.
func TestIngress(t *testing.T) {
	t.Parallel()
	plain := ingress(t, nil)
	require.Nil(t, plain.Spec.IngressClassName)
	body := "nginx.ingress.kubernetes.io/proxy-body-size"
	require.Equal(t, map[string]string{body: "16777216"}, plain.Annotations)
	require.Equal(t, []networkingv1.IngressTLS{{Hosts: []string{"detection-api.example.net"}, SecretName: "detection-api-tls"}}, plain.Spec.TLS)
	require.Equal(t, "detection-api.example.net", plain.Spec.Rules[0].Host)
	require.Equal(t, "detection-api-service", plain.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name)

	limit := "nginx.ingress.kubernetes.io/limit-rps"
	larger := ingress(t, map[string]any{"slots.green.config": map[string]any{"maxBodyBytes": 33554432}})
	require.Equal(t, "33554432", larger.Annotations[body], "the one Ingress lets through what either slot takes")
	own := ingress(t, map[string]any{"ingress.className": "nginx", "ingress.limitRPS": 50, "ingress.tls.enabled": false, "ingress.host": "*.example.net"})
	require.Equal(t, new("nginx"), own.Spec.IngressClassName)
	require.Equal(t, map[string]string{limit: "50", body: "16777216"}, own.Annotations)
	require.Empty(t, own.Spec.TLS)
	require.Equal(t, "*.example.net", own.Spec.Rules[0].Host)

	annotated := ingress(t, map[string]any{"ingress.limitRPS": 50, "ingress.annotations": map[string]any{limit: "7", body: "1m", "a": "b"}})
	require.Equal(t, map[string]string{limit: "7", body: "1m", "a": "b"}, annotated.Annotations)
	require.NotContains(t, rendered(t, chart.Options{}), "Ingress/detection-api-ingress")
}

// The HTTPRoute attaches to the Gateways it is given and ends slow requests, but no streams.
func TestHTTPRoute(t *testing.T) {
	parents := []any{map[string]any{"name": "public", "namespace": "gateway-system", "sectionName": "https"}}
	set := map[string]any{"httpRoute.enabled": true, "httpRoute.parentRefs": parents}
	spec := custom(t, rendered(t, chart.Options{Set: set}), "HTTPRoute/detection-api-route")["spec"].(map[string]any)
	require.Equal(t, parents, spec["parentRefs"])
	require.NotContains(t, spec, "hostnames")
	stream := spec["rules"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{"request": "0s"}, stream["timeouts"])
	require.Equal(t, []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/api/v1/stream"}}}, stream["matches"])
	rule := spec["rules"].([]any)[1].(map[string]any)
	require.Equal(t, map[string]any{"request": "30s"}, rule["timeouts"])
	require.Equal(t, stream["backendRefs"], rule["backendRefs"])
	require.Equal(t, []any{map[string]any{"kind": "Service", "name": "detection-api-service", "port": int64(8000)}}, rule["backendRefs"])

	own := with(set, map[string]any{"httpRoute.hostnames": []any{"cop.example.net"}, "httpRoute.requestTimeout": "500ms", "httpRoute.annotations": map[string]any{"a": "b"}})
	route := custom(t, rendered(t, chart.Options{Set: own}), "HTTPRoute/detection-api-route")
	require.Equal(t, []any{"cop.example.net"}, field(t, route, "spec", "hostnames"))
	require.Equal(t, map[string]any{"a": "b"}, field(t, route, "metadata", "annotations"))
	rule = field(t, route, "spec", "rules").([]any)[1].(map[string]any)
	require.Equal(t, map[string]any{"request": "500ms"}, rule["timeouts"])
	require.NotContains(t, rendered(t, chart.Options{}), "HTTPRoute/detection-api-route")
}

// The Certificate is for the host of the Ingress, into the Secret that the Ingress reads.
func TestCertificate(t *testing.T) {
	set := map[string]any{"ingress.enabled": true, "certificate.enabled": true, "ingress.host": "cop.example.net", "ingress.tls.secretName": "cop-tls"}
	o := rendered(t, chart.Options{Set: set})
	spec := custom(t, o, "Certificate/detection-api-tls")["spec"].(map[string]any)
	require.Equal(t, []any{"cop.example.net"}, spec["dnsNames"])
	require.Equal(t, "cop-tls", spec["secretName"])
	require.Equal(t, map[string]any{"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "internal-ca"}, spec["issuerRef"])
	require.Equal(t, "2160h", spec["duration"])
	require.Equal(t, "720h", spec["renewBefore"])
	delete(set, "certificate.enabled")
	require.NotContains(t, rendered(t, chart.Options{Set: set}), "Certificate/detection-api-tls")
}

// Values that cannot work are refused with the one to change.
func TestRoutesRefused(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{
		"httpRoute.enabled=true":   "httpRoute.parentRefs is empty",
		"certificate.enabled=true": "no Ingress uses the certificate",
		"certificate.enabled=true,ingress.enabled=true,ingress.tls.enabled=false":     "no Ingress uses the certificate",
		"certificate.enabled=true,ingress.enabled=true,certificate.durationHours=720": "certificate.renewBeforeHours is 720 but certificate.durationHours is 720",
		"kyverno.enabled=true": "kyverno.publicKey is empty",
	} {
		refused(t, chart.Options{SetArguments: []string{argument}}, want)
	}
}
