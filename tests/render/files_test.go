package render

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

var (
	cameras = map[string]any{"drone-7": map[string]any{"focal_length": 2810.4, "image_width": 4000.0, "heading_reference": "magnetic"}}
	classes = map[string]any{"bear": map[string]any{"type": "a-n-G", "names": []any{"brown <bear>"}}}

	// withFiles sets everything that reaches the service as a file.
	withFiles = map[string]any{
		"config.cameraProfiles": cameras, "config.cotProfile": "sar", "config.cotProfileChanges": map[string]any{"classes": classes},
		"secrets.takTLS.existingSecret": "tak-client", "secrets.jwtKeys.existingSecret": "signing-keys", "secrets.clients.existingSecret": "clients",
		"terrain.existingClaim": "tiles", "pictures.enabled": true,
	}
)

// slotOf returns the container and the volumes of a slot, and its environment from the ConfigMap.
func slotOf(t *testing.T, o objects, slot string) (corev1.Container, map[string]corev1.Volume, map[string]string) {
	t.Helper()
	spec := get[*appsv1.Deployment](t, o, "Deployment/detection-api-"+slot).Spec.Template.Spec
	volumes := map[string]corev1.Volume{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = volume
	}
	container := spec.Containers[0]
	return container, volumes, get[*corev1.ConfigMap](t, o, "ConfigMap/"+container.EnvFrom[0].ConfigMapRef.Name).Data
}

// fileOf returns the volume that a path in the container lies in and what is left of the path. A mount by subPath would keep
// changes from running pods.
func fileOf(t *testing.T, container corev1.Container, path string) (volume, rest string) {
	t.Helper()
	for _, mount := range container.VolumeMounts {
		require.Empty(t, mount.SubPath+mount.SubPathExpr, mount.Name)
		if after, ok := strings.CutPrefix(path+"/", mount.MountPath+"/"); ok {
			require.Empty(t, volume, "%s is in one volume", path)
			require.Equal(t, mount.Name != "pictures", mount.ReadOnly, mount.Name)
			volume, rest = mount.Name, strings.TrimSuffix(after, "/")
		}
	}
	require.NotEmpty(t, volume, "%s is in no volume", path)
	return volume, rest
}

// Every file that the environment names is where it says, from the source that the values name.
func TestFilesOfTheService(t *testing.T) {
	o := rendered(t, chart.Options{Set: withFiles})
	for _, slot := range []string{"blue", "green"} {
		container, volumes, env := slotOf(t, objects(o), slot)
		for name, want := range map[string]string{
			"TAK_CA": "tak ca.crt", "TAK_CERT": "tak tls.crt", "TAK_KEY": "tak tls.key", "JWT_KEYS": "jwt ", "CLIENTS_FILE": "clients clients.json",
			"CAMERA_PROFILES": "files cameras.json", "COT_PROFILE_FILE": "files cot.json", "TERRAIN": "terrain ", "PICTURES_DIR": "pictures ",
		} {
			volume, rest := fileOf(t, container, env[name])
			require.Equal(t, want, volume+" "+rest, name)
		}
		require.Equal(t, "tak-client", volumes["tak"].Secret.SecretName)
		require.Equal(t, "signing-keys", volumes["jwt"].Secret.SecretName)
		require.Equal(t, "clients", volumes["clients"].Secret.SecretName)
		require.Equal(t, &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "tiles", ReadOnly: true}, volumes["terrain"].PersistentVolumeClaim)
		require.Equal(t, "2Gi", volumes["pictures"].EmptyDir.SizeLimit.String())
		require.Equal(t, container.EnvFrom[0].ConfigMapRef.Name, volumes["files"].ConfigMap.Name, "the generation that the pod runs with")
		for _, item := range volumes["files"].ConfigMap.Items {
			require.Contains(t, env, item.Key)
		}
		require.JSONEq(t, asJSON(t, cameras), env["CAMERA_PROFILES_JSON"])
		require.JSONEq(t, asJSON(t, map[string]any{"base": "sar", "classes": classes}), env["COT_PROFILE_JSON"])
		require.NotContains(t, env, "COT_PROFILE", "the service takes it or the file")
		require.False(t, hasEnv(container, "JWT_SECRET_KEY"), "it takes one key or a directory of them")
	}
}

// Without values there are no such files, and one slot may have what the other has not.
func TestNoFiles(t *testing.T) {
	container, volumes, env := slotOf(t, objects(rendered(t, chart.Options{})), "blue")
	require.Len(t, volumes, 1, "the queue")
	require.Len(t, container.VolumeMounts, 1)
	require.True(t, hasEnv(container, "JWT_SECRET_KEY"))
	require.Equal(t, "tactical", env["COT_PROFILE"])
	for name := range env {
		require.NotContains(t, name, "_JSON")
	}
	o := rendered(t, chart.Options{Set: map[string]any{"slots.green.config": map[string]any{"cameraProfiles": cameras}}})
	_, blue, _ := slotOf(t, objects(o), "blue")
	_, green, _ := slotOf(t, objects(o), "green")
	require.NotContains(t, blue, "files")
	require.Len(t, green["files"].ConfigMap.Items, 1)
}

func TestTAKServerName(t *testing.T) {
	_, _, env := slotOf(t, objects(rendered(t, chart.Options{Set: map[string]any{"config.takServerName": "tak.example.org"}})), "blue")
	require.Equal(t, "tak.example.org", env["TAK_SERVER_NAME"])
}

// A PKCS#12 file replaces certificate and key, and keys that are empty are not named.
func TestTAKCertificateAsPKCS12(t *testing.T) {
	container, _, env := slotOf(t, objects(rendered(t, chart.Options{Set: map[string]any{
		"secrets.takTLS": map[string]any{"existingSecret": "x", "ca": "", "certificate": "", "key": "", "p12": "client.p12", "password": "password"},
		"config.takPins": []any{"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, "config.takAnyName": true,
	}})), "green")
	volume, rest := fileOf(t, container, env["TAK_P12"])
	require.Equal(t, "tak client.p12", volume+" "+rest)
	require.Equal(t, "/etc/detection-api/tak/password", env["TAK_PASSWORD_FILE"])
	require.Equal(t, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", env["TAK_PIN"])
	require.NotContains(t, env, "TAK_SERVER_NAME")
	require.Equal(t, "true", env["TAK_ANY_NAME"])
	for _, name := range []string{"TAK_CA", "TAK_CERT", "TAK_KEY"} {
		require.NotContains(t, env, name)
	}
}

func hasEnv(container corev1.Container, name string) bool {
	for _, env := range container.Env {
		if env.Name == name {
			return true
		}
	}
	return false
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
