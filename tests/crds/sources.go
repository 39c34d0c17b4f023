package crds

// All are the sources that come with the package.
func All() []Source {
	return []Source{SealedSecrets(), PrometheusOperator(), GatewayAPI(), CertManager(), Kyverno(), ArgoCD()}
}

// SealedSecrets are the kinds of Bitnami Sealed Secrets.
func SealedSecrets() Source {
	return Source{
		Module: "github.com/bitnami-labs/sealed-secrets", Version: "v0.38.4",
		Sum: "h1:lBb8aOgbz+H+6LmKYI2GluGm4HE2ql5aQ/UL7SBxR/4=", Paths: []string{"helm/sealed-secrets/crds"},
	}
}

// PrometheusOperator are the kinds of the Prometheus operator.
func PrometheusOperator() Source {
	return Source{
		Module: "github.com/prometheus-operator/prometheus-operator", Version: "v0.93.0",
		Sum: "h1:AohlYJT+En8TmNpAcEUJ3GsaJTAqfEBwHmGTVpRm/Io=", Paths: []string{"example/prometheus-operator-crd"},
	}
}

// GatewayAPI are the kinds of the Gateway API's standard channel.
func GatewayAPI() Source {
	return Source{
		Module: "sigs.k8s.io/gateway-api", Version: "v1.6.1",
		Sum: "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=", Paths: []string{"config/crd/standard"},
	}
}

// CertManager are the kinds of cert-manager.
func CertManager() Source {
	return Source{
		Module: "github.com/cert-manager/cert-manager", Version: "v1.21.1",
		Sum: "h1:0LttV37Q5c2CBNoHkjuI8sLKTXWZDC2SwQkxrBMKV9w=", Paths: []string{"deploy/crds"},
	}
}

// Kyverno are the kinds of Kyverno's policies.
func Kyverno() Source {
	return Source{
		Module: "github.com/kyverno/kyverno", Version: "v1.19.1",
		Sum:   "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
		Paths: []string{"config/crds/kyverno", "config/crds/policies.kyverno.io"},
	}
}

// ArgoCD are the kinds of Argo CD 3.
func ArgoCD() Source {
	return Source{
		Module: "github.com/argoproj/argo-cd/v3", Version: "v3.5.7",
		Sum: "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=", Paths: []string{"manifests/crds"},
	}
}
