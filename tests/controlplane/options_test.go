package controlplane_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/controlplane"
)

const (
	auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: Metadata
    resources: [{group: "", resources: [secrets]}]
  - level: None
`
	encryption = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers:
      - secretbox: {keys: [{name: key1, secret: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}]}
      - identity: {}
`
	secretText = "a-text-that-nobody-else-writes"
)

// TestOptions tries files for the API server. That the audit log has the secret's name shows that a request was audited;
// that etcd's files lack its text, that it was encrypted: without the file they have it.
func TestOptions(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, encrypted := range []bool{false, true} {
		options := controlplane.Options{
			AuditPolicy: writeFile(t, auditPolicy), LogDirectory: t.TempDir(), FeatureGates: map[string]bool{"AllAlpha": false},
		}
		if encrypted {
			options.EncryptionConfiguration = writeFile(t, encryption)
		}
		c, client := start(t, options)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "audited"}, StringData: map[string]string{"key": secretText}}
		_, err := client.CoreV1().Secrets("default").Create(t.Context(), secret, metav1.CreateOptions{})
		require.NoError(t, err)
		audit, err := os.ReadFile(c.AuditLog())
		require.NoError(t, err)
		require.Contains(t, string(audit), `"name":"audited"`)
		require.Equal(t, !encrypted, filesContain(t, temporary, secretText))
		require.NoError(t, c.Close())
		require.FileExists(t, c.AuditLog(), "a log directory of the caller's stays")
	}
}

func TestFailedStart(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a control plane")
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	_, err := controlplane.Start(t.Context(), controlplane.Options{ExtraAPIServerFlags: []string{"--no-such-flag"}})
	require.ErrorContains(t, err, "kube-apiserver has ended")
	require.ErrorContains(t, err, temporary)
	require.Empty(t, withArgument(t, temporary))
	logs, err := filepath.Glob(filepath.Join(temporary, "*", "log", "kube-apiserver.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1, "the reason can be read")
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// filesContain tells whether any file of etcd below a directory has a text in it.
func filesContain(t *testing.T, directory, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*", "etcd", "member", "*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(content), text) {
			return true
		}
	}
	return false
}
