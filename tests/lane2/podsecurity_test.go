package lane2

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// brokenPods are ways to break the restricted Pod Security Standard.
func brokenPods() map[string]func(*corev1.PodSpec) {
	yes, no, root := true, false, int64(0)
	return map[string]func(*corev1.PodSpec){
		"privileged": func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Privileged, s.Containers[0].SecurityContext.AllowPrivilegeEscalation = &yes, nil
		},
		"privilege escalation": func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = &yes },
		"root": func(s *corev1.PodSpec) {
			s.SecurityContext.RunAsNonRoot, s.Containers[0].SecurityContext.RunAsNonRoot = &no, &no
			s.Containers[0].SecurityContext.RunAsUser = &root
		},
		"no seccomp": func(s *corev1.PodSpec) {
			s.SecurityContext.SeccompProfile, s.Containers[0].SecurityContext.SeccompProfile = nil, nil
		},
		"capability": func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_ADMIN"}}
		},
		"host network": func(s *corev1.PodSpec) { s.HostNetwork = true },
		"host path": func(s *corev1.PodSpec) {
			s.Volumes = append(s.Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
		},
	}
}

// testPodSecurity holds that the namespace, which enforces the restricted standard, admits every pod that the objects
// start, and none of them in a broken form.
func (l *lane) testPodSecurity(t *testing.T, namespace string, objects []*unstructured.Unstructured) {
	t.Helper()
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	pods := podsOf(t, objects)
	require.GreaterOrEqual(t, len(pods), 3)
	for _, pod := range pods {
		_, err := l.kube.CoreV1().Pods(namespace).Create(t.Context(), pod, dryRun)
		require.NoError(t, err, pod.GenerateName)
		for name, breakIt := range brokenPods() {
			broken := pod.DeepCopy()
			breakIt(&broken.Spec)
			_, err := l.kube.CoreV1().Pods(namespace).Create(t.Context(), broken, dryRun)
			require.Error(t, err, "%s: %s", pod.GenerateName, name)
			require.ErrorContains(t, err, "violates PodSecurity", "%s: %s", pod.GenerateName, name)
		}
	}
}
