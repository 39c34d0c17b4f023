package lane2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/artifacts"
	"github.com/detection-api/detection-api/tests/controlplane"
)

// guardedLane is a second control plane, started once, with the chart's files for the administrator of the cluster. Nobody
// looks after Deployments on it.
var guardedLane = sync.OnceValues(func() (*lane, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	repository, err := artifacts.Find(".")
	if err != nil {
		return nil, err
	}
	directory, err := os.MkdirTemp("", "lane2-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(directory) }() // the API server has read the key by then
	files, encryption := repository.Path("charts", "detection-api", "cluster"), filepath.Join(directory, "encryption.yaml")
	if output, err := exec.CommandContext(ctx, filepath.Join(files, "make-encryption-configuration"), encryption).CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(output)))
	}
	return suite.startLane(ctx, repository, controlplane.Options{
		Log: os.Stderr, AuditPolicy: filepath.Join(files, "audit-policy.yaml"), EncryptionConfiguration: encryption,
		ExtraControllerManagerFlags: []string{"--controllers=*,-deployment-controller"},
	})
})

// guardedTests counts the tests that are through with it: the last one ends the control plane, which takes a tenth of a core also when it is idle.
var guardedTests atomic.Int32

func guarded(t *testing.T) *lane {
	t.Helper()
	start(t) // its tools are built, and the two do not start at once
	l, err := guardedLane()
	require.NoError(t, err, "an API server with the audit policy and the encryption of the chart")
	const users = 2
	t.Cleanup(func() {
		if guardedTests.Add(1) == users && !suite.keep {
			require.NoError(t, errors.Join(l.Err(), l.Close()))
		}
	})
	return l
}

// TestAuditAndEncryption holds that who reads a Secret is on record, without what it says, and that it is not to be read
// in etcd's files.
func TestAuditAndEncryption(t *testing.T) {
	l := guarded(t)
	t.Parallel()
	namespace := l.newNamespace(t)
	const text, plain = "nobody-may-read-this-5b1f", "anybody-may-read-this-5b1f"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hidden"}, StringData: map[string]string{"key": text}}
	_, err := l.kube.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "shown"}, Data: map[string]string{"key": plain}}
	_, err = l.kube.CoreV1().ConfigMaps(namespace).Create(t.Context(), config, metav1.CreateOptions{})
	require.NoError(t, err)
	found, err := l.kube.CoreV1().Secrets(namespace).Get(t.Context(), "hidden", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, text, string(found.Data["key"]), "who may read it can")

	await(t, "the audit log", func(context.Context) error { return l.inAuditLog(namespace, "get", "hidden") })
	log, err := os.ReadFile(l.AuditLog())
	require.NoError(t, err)
	require.NotContains(t, string(log), text)

	etcd := filepath.Join(filepath.Dir(l.Kubeconfig()), "etcd")
	require.True(t, inFiles(t, etcd, plain), "control: a ConfigMap can be read in etcd's files")
	require.False(t, inFiles(t, etcd, text), "a Secret cannot")
	require.True(t, inFiles(t, etcd, "k8s:enc:secretbox:v1:"))
}

// inAuditLog is content when the log says who did something with a Secret.
func (l *lane) inAuditLog(namespace, verb, name string) error {
	log, err := os.ReadFile(l.AuditLog())
	if err != nil {
		return err
	}
	for line := range bytes.Lines(log) {
		var event struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Namespace, Name string }
		}
		// The last line may not be whole yet.
		if json.Unmarshal(line, &event) != nil || event.Verb != verb || event.User.Username == "" {
			continue
		}
		if ref := event.ObjectRef; ref.Resource == "secrets" && ref.Namespace == namespace && ref.Name == name {
			return nil
		}
	}
	return errors.New("no such event")
}

// inFiles tells whether any file below a directory has a text in it.
func inFiles(t *testing.T, directory, text string) bool {
	t.Helper()
	found := false
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || found {
			return err
		}
		content, err := os.ReadFile(path)
		found = bytes.Contains(content, []byte(text))
		return err
	}))
	return found
}
