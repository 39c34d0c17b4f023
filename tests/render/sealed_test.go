package render

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/detection-api/detection-api/tests/chart"
)

// sealedValues are ciphertexts of every Secret.
var sealedValues = map[string]any{
	"secrets.jwt.sealed":      map[string]any{"secret_key": "AgA1"},
	"secrets.tak.sealed":      map[string]any{"endpoint": "AgA2", "username": "AgA3", "password": "AgA4"},
	"secrets.store.sealed":    map[string]any{"token": "AgA5"},
	"secrets.registry.sealed": map[string]any{".dockerconfigjson": "AgA6"},
}

// A SealedSecret makes the Secret that the pods name, of the type they need, in strict scope.
func TestSealedSecrets(t *testing.T) {
	o := rendered(t, chart.Options{Set: sealedValues})
	require.Empty(t, chart.All[*corev1.Secret](o))
	for name, want := range map[string]struct {
		values, kind string
	}{
		"jwt-signing-key":        {"secrets.jwt.sealed", "Opaque"},
		"tak-server-credentials": {"secrets.tak.sealed", "Opaque"},
		"store-credentials":      {"secrets.store.sealed", "Opaque"},
		"registry-credentials":   {"secrets.registry.sealed", "kubernetes.io/dockerconfigjson"},
	} {
		sealed := custom(t, o, "SealedSecret/"+name)
		require.Equal(t, sealedValues[want.values], field(t, sealed, "spec", "encryptedData"))
		require.Equal(t, want.kind, field(t, sealed, "spec", "template", "type"))
		require.Equal(t, map[string]any{"argocd.argoproj.io/sync-wave": "-1"}, field(t, sealed, "metadata", "annotations"), "no scope annotation: strict")
		require.Nil(t, field(t, sealed, "spec", "template", "metadata", "annotations"))
	}
	one := rendered(t, chart.Options{Set: map[string]any{"secrets.tak.sealed": map[string]any{"endpoint": "AgA2"}, "secrets.tak.existingSecret": "other"}})
	require.Equal(t, "AgA2", field(t, custom(t, one, "SealedSecret/other"), "spec", "encryptedData", "endpoint"))
	require.NotContains(t, one, "SealedSecret/jwt-signing-key")
}

// Ciphertexts that would make a Secret the pods cannot use are refused.
func TestSealedSecretsRefused(t *testing.T) {
	for argument, want := range map[string]string{
		"secrets.jwt.sealed.secretkey=A":                    "secrets.jwt.sealed.secretkey: nothing reads this key; it should be one of secret_key",
		"secrets.tak.sealed.username=A":                     "secrets.tak.sealed has no ciphertext under the key endpoint",
		"secrets.store.sealed.tokens=A":                     "secrets.store.sealed.tokens: nothing reads this key",
		"secrets.registry.sealed.config=A":                  "it should be one of .dockerconfigjson",
		"secrets.jwt.existingSecret=registry-credentials":   "none of them registry-credentials",
		"secrets.jwt.existingSecret=tak-server-credentials": "three different Secrets",
		"secrets.development.create=true":                   "environment is production",
		"secrets.development.takUsername=me":                "secrets.development.takUsername is set but secrets.development.create is false",
	} {
		refused(t, chart.Options{SetArguments: []string{argument}}, want)
	}
	refused(t, chart.Options{ValuesFiles: []string{"values-dev.yaml"}, SetArguments: []string{"secrets.jwt.sealed.secret_key=A"}}, "a Secret has one source")
}

// liveSecret is a Secret in the cluster with its keys.
func liveSecret(name string, change func(*corev1.Secret), keys ...string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: map[string][]byte{}}
	for _, key := range keys {
		secret.Data[key] = []byte("x")
	}
	if change != nil {
		change(secret)
	}
	return secret
}

// A release against a cluster wants its Secrets there, or a SealedSecret that makes them and may.
func TestSecretsOfTheCluster(t *testing.T) {
	t.Parallel()
	own := func(s *corev1.Secret) {
		s.OwnerReferences = []metav1.OwnerReference{{Kind: "SealedSecret", Name: s.Name}}
	}
	managed := func(s *corev1.Secret) { s.Annotations = map[string]string{"sealedsecrets.bitnami.com/managed": "true"} }
	released := func(s *corev1.Secret) {
		s.Annotations = map[string]string{"meta.helm.sh/release-name": "detection-api"}
	}
	tak, store := liveSecret("tak-server-credentials", nil, "endpoint"), liveSecret("store-credentials", nil, "token")
	sealed := map[string]any{"secrets.jwt.sealed": map[string]any{"secret_key": "AgA1"}}
	for name, c := range map[string]struct {
		jwt  *corev1.Secret
		set  map[string]any
		want string // empty: admitted
	}{
		"there":                      {liveSecret("jwt-signing-key", nil, "secret_key"), nil, ""},
		"missing":                    {nil, nil, "Secret jwt-signing-key does not exist"},
		"without its key":            {liveSecret("jwt-signing-key", nil, "other"), nil, "has nothing under the key secret_key"},
		"sealed, not there yet":      {nil, sealed, ""},
		"sealed, made by it":         {liveSecret("jwt-signing-key", own, "secret_key"), sealed, ""},
		"sealed, and handed over":    {liveSecret("jwt-signing-key", managed, "secret_key"), sealed, ""},
		"sealed, but made by hand":   {liveSecret("jwt-signing-key", nil, "secret_key"), sealed, "kubectl -n detection-system annotate secret jwt-signing-key sealedsecrets.bitnami.com/managed=true"},
		"sealed, but of the release": {liveSecret("jwt-signing-key", released, "secret_key"), sealed, "belongs to this release"},
	} {
		t.Run(name, func(t *testing.T) {
			o := chart.Options{Set: c.set, Cluster: []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, tak, store}}
			if c.jwt != nil {
				o.Cluster = append(o.Cluster, c.jwt)
			}
			if c.want != "" {
				refused(t, o, c.want)
				return
			}
			rendered(t, o)
		})
	}
}
