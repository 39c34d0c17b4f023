package tests

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/gruntwork-io/terratest/modules/k8s"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/detection-api/detection-api/tests/cluster/local/pki"
	"github.com/detection-api/detection-api/tests/load"
	"github.com/detection-api/detection-api/tests/stack"
)

const (
	clientSecret = "tak-client-certificate"
	// secretReaches is how long a changed Secret takes to the files of a pod, at most: the kubelet's sync period and its cache.
	secretReaches = 3 * time.Minute
)

// TestTAKOverTLS holds that detections go to a TAK server that asks for a client certificate, and that a new certificate in the
// Secret is used without a restart.
func TestTAKOverTLS(t *testing.T) {
	s, api := installed(t)
	authority, err := pki.NewAuthority("TAK of a test", time.Now())
	require.NoError(t, err)
	tak := installTLS(t, s, authority)
	giveCertificate(t, s, authority, "first")
	useEndpoint(t, s, "tls://takserver-tls.tak.svc:8089")

	const first, more = 20, 3
	detection := load.Detections("tls", time.Now())
	sent := load.Burst(t.Context(), api, first, detection)
	require.NoError(t, sent.Error())
	eventually(t, time.Minute, "every detection on the TAK server with TLS", func() error {
		return sentBy(t.Context(), tak, "first", sent.Accepted)
	})

	before := restarts(t, s)
	giveCertificate(t, s, authority, "second")
	began := time.Now()
	for n := 0; ; n++ {
		again := load.Burst(t.Context(), api, more, func(i int) []byte { return detection(first + more*n + i) }) // new objects
		require.NoError(t, again.Error())
		eventually(t, time.Minute, "every detection on the TAK server with TLS", func() error { return sentBy(t.Context(), tak, "", again.Accepted) })
		if sentBy(t.Context(), tak, "second", again.Accepted) == nil {
			break
		}
		require.Less(t, time.Since(began), secretReaches, "the new certificate is used")
		require.NoError(t, tak.Pause(t.Context())) // a connection that is up keeps its certificate
		require.NoError(t, tak.Resume(t.Context()))
	}
	require.Equal(t, before, restarts(t, s), "no pod was replaced or restarted")
	fmt.Fprintf(progress(), "%s: the pods used a new certificate %.0f s after it was in the Secret\n", t.Name(), time.Since(began).Seconds())
}

// installTLS deploys the TAK server with TLS and a door to its control API.
func installTLS(t *testing.T, s *stack.Stack, authority *pki.Authority) *stack.TAK {
	t.Helper()
	own, err := authority.Issue(pki.Subject{Name: "takserver", DNSNames: []string{"takserver-tls.tak.svc"}, Addresses: []netip.Addr{}}, time.Now())
	require.NoError(t, err)
	putSecret(t, s, "tak", "takserver-tls", map[string][]byte{
		"tls.crt": own.Certificate, "tls.key": own.Key, "ca.crt": authority.Pair.Certificate,
	})
	require.NoError(t, s.InstallTLSTAK(t.Context()))
	t.Cleanup(func() {
		require.NoError(t, s.Kube.AppsV1().Deployments("tak").Delete(context.WithoutCancel(t.Context()), "takserver-tls", metav1.DeleteOptions{}))
	})
	options := kubectlOptions(s)
	options.Namespace = "tak"
	tunnel := k8s.NewTunnel(options, k8s.ResourceTypeService, "takserver-tls", 0, 8080)
	eventually(t, 2*time.Minute, "the TAK server with TLS", func() error { return tunnel.ForwardPortE(t) })
	t.Cleanup(tunnel.Close)
	return &stack.TAK{ControlURL: "http://" + tunnel.Endpoint()}
}

// giveCertificate puts a client certificate with that common name where the release looks for it.
func giveCertificate(t *testing.T, s *stack.Stack, authority *pki.Authority, name string) {
	t.Helper()
	pair, err := authority.Issue(pki.Subject{Name: name}, time.Now())
	require.NoError(t, err)
	putSecret(t, s, stack.Namespace, clientSecret, map[string][]byte{
		"ca.crt": authority.Pair.Certificate, "tls.crt": pair.Certificate, "tls.key": pair.Key,
	})
}

func putSecret(t *testing.T, s *stack.Stack, namespace, name string, data map[string][]byte) {
	t.Helper()
	secrets := s.Kube.CoreV1().Secrets(namespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	if _, err := secrets.Get(t.Context(), name, metav1.GetOptions{}); err == nil {
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
		require.NoError(t, err)
		return
	}
	_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = secrets.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
	})
}

// sentBy says whether all those detections have arrived over a connection with a certificate of that name; empty: of any.
func sentBy(ctx context.Context, tak *stack.TAK, client string, ids []string) error {
	events, err := tak.Events(ctx)
	if err != nil {
		return err
	}
	arrived := map[string]bool{}
	for _, event := range events {
		if client == "" || event.Client == client {
			arrived[event.DetectionID()] = true
		}
	}
	return missing(ids, func(id string) bool { return arrived[id] })
}

// restarts counts the restarts of each serving pod, without those that drain after an upgrade.
func restarts(t *testing.T, s *stack.Stack) map[string]int32 {
	t.Helper()
	counts := map[string]int32{}
	running, err := pods(t, s, "app=detection-api")
	require.NoError(t, err)
	for _, pod := range running {
		if pod.DeletionTimestamp == nil {
			counts[pod.Name] = pod.Status.ContainerStatuses[0].RestartCount
		}
	}
	return counts
}

// useEndpoint sends the release's detections there, with the client certificate of clientSecret, until the test is over.
func useEndpoint(t *testing.T, s *stack.Stack, endpoint string) {
	t.Helper()
	const name = "tak-server-tls"
	putSecret(t, s, stack.Namespace, name, map[string][]byte{"endpoint": []byte(endpoint)})
	options := helmOptions(s)
	options.SetValues = map[string]string{"secrets.tak.existingSecret": name, "secrets.takTLS.existingSecret": clientSecret}
	t.Cleanup(func() {
		options.SetValues = map[string]string{"secrets.tak.existingSecret": "tak-server-credentials", "secrets.takTLS.existingSecret": ""}
		require.NoError(t, helm.UpgradeContextE(t, context.WithoutCancel(t.Context()), options, s.Repository.Path("charts", "detection-api"), stack.Release))
		require.NoError(t, slotsReady(context.WithoutCancel(t.Context()), s))
	})
	require.NoError(t, upgrade(t, s, options))
	require.NoError(t, slotsReady(t.Context(), s))
	eventually(t, 2*time.Minute, "the pods from before the upgrade to be gone", func() error { return drained(t, s) })
}

// drained says whether no pod is on its way out: until its node has heard of it, such a pod is still given detections, and sends
// them where it always did.
func drained(t *testing.T, s *stack.Stack) error {
	t.Helper()
	there, err := pods(t, s, "app=detection-api")
	if err != nil {
		return err
	}
	for _, pod := range there {
		if pod.DeletionTimestamp != nil {
			return fmt.Errorf("pod %s still drains", pod.Name)
		}
	}
	return nil
}
