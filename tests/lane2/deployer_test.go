package lane2

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// withoutRights leaves the RBAC objects to an administrator: who deploys may not grant rights.
var withoutRights = []string{"--set", "rbac.create=false"}

// TestDeployer installs, upgrades, promotes, rolls back and uninstalls with the deployer's own token, and nothing but the
// rights of its Role.
func TestDeployer(t *testing.T) {
	withEachHelm(t, func(t *testing.T, r *release) {
		r.becomeDeployer(t)
		r.install(t, withoutRights...)
		r.awaitReady(t, "green", 3)
		r.mustUpgrade(t, "--set", "slots.green.image.tag=1.2.3,slots.green.config.logLevel=debug")
		r.awaitReady(t, "green", 3)
		r.mustUpgrade(t, "--set", "activeSlot=green")
		require.Equal(t, "green", r.activeSlot(t))
		require.NoError(t, r.rollback(t))
		require.Equal(t, "blue", r.activeSlot(t))

		err := r.upgrade(t, "--set", "promotion.admissionPolicy.enabled=true")
		require.ErrorContains(t, err, "forbidden", "what belongs to the cluster is not its own")
		_, err = r.helm(t, "uninstall", releaseName)
		require.NoError(t, err)
	})
}

// TestDeployerNeedsItsRights is the control: with one rule less the install is refused.
func TestDeployerNeedsItsRights(t *testing.T) {
	l := start(t)
	t.Parallel()
	r := l.newRelease(t, "helm")
	r.becomeDeployer(t)
	role, err := l.kube.RbacV1().Roles(r.namespace).Get(t.Context(), "detection-api-deployer", metav1.GetOptions{})
	require.NoError(t, err)
	for i := range role.Rules {
		if role.Rules[i].APIGroups[0] == "policy" {
			role.Rules[i].Resources = []string{"nothing"}
		}
	}
	_, err = l.kube.RbacV1().Roles(r.namespace).Update(t.Context(), role, metav1.UpdateOptions{})
	require.NoError(t, err)
	r.awaitRights(t, r.namespace)
	_, err = r.helm(t, append([]string{"install", releaseName, r.chart(), "--values", r.chart("values-prod.yaml")}, withoutRights...)...)
	require.ErrorContains(t, err, "poddisruptionbudgets")
	require.ErrorContains(t, err, "forbidden")
}

// becomeDeployer has the administrator grant the rights, and goes on with a token of detection-api-deployer-sa.
func (r *release) becomeDeployer(t *testing.T) {
	t.Helper()
	const name = "detection-api-deployer-sa"
	for _, object := range r.render(t, r.namespace, "--values", r.chart("values-prod.yaml")) {
		if object.GetName() == name || object.GetName() == "detection-api-deployer" {
			require.NoError(t, r.newApplier(t, r.namespace).apply(t, object, metav1.PatchOptions{}))
		}
	}
	r.awaitRights(t, r.namespace)
	request, err := r.kube.CoreV1().ServiceAccounts(r.namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	config := clientcmdapi.NewConfig()
	admin := r.Config()
	config.Clusters["lane2"] = &clientcmdapi.Cluster{Server: admin.Host, CertificateAuthority: admin.CAFile, CertificateAuthorityData: admin.CAData}
	config.AuthInfos["deployer"] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts["deployer"] = &clientcmdapi.Context{Cluster: "lane2", AuthInfo: "deployer"}
	config.CurrentContext = "deployer"
	r.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, r.kubeconfig))
}
