package lane2

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// awaitRights waits until the API server goes by all rights that were written so far. It learns of each of the four
// kinds in the order of the writes, but later: once it knows one object more of each kind, it knows those before.
func (l *lane) awaitRights(t *testing.T, namespace string) {
	t.Helper()
	last := roleCase{user: namespace + "-last", can: []string{"get places.last.example.net", "get clusters.last.example.net @cluster"}}
	defer l.removeLastRights(t, namespace, last.user)
	l.grantLastRights(t, namespace, last.user)
	await(t, "the API server to go by the rights that were written", func(context.Context) error {
		for _, request := range last.can {
			if !l.allowed(t, last, namespace, request) {
				return fmt.Errorf("not allowed yet: %s", request)
			}
		}
		return nil
	})
}

func (l *lane) grantLastRights(t *testing.T, namespace, user string) {
	t.Helper()
	rbac, meta := l.kube.RbacV1(), metav1.ObjectMeta{Name: user}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}}
	get := func(resource string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{"last.example.net"}, Resources: []string{resource}}}
	}
	reference := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: user}
	}
	_, err := rbac.Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: get("places")}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = rbac.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: get("clusters")}, metav1.CreateOptions{})
	require.NoError(t, err)
	binding := &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: reference("Role"), Subjects: subjects}
	_, err = rbac.RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{})
	require.NoError(t, err)
	everywhere := &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: reference("ClusterRole"), Subjects: subjects}
	_, err = rbac.ClusterRoleBindings().Create(t.Context(), everywhere, metav1.CreateOptions{})
	require.NoError(t, err)
}

func (l *lane) removeLastRights(t *testing.T, namespace, name string) {
	t.Helper()
	rbac, ctx := l.kube.RbacV1(), context.Background()
	require.NoError(t, rbac.ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}))
	require.NoError(t, rbac.RoleBindings(namespace).Delete(ctx, name, metav1.DeleteOptions{}))
	require.NoError(t, rbac.ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{}))
	require.NoError(t, rbac.Roles(namespace).Delete(ctx, name, metav1.DeleteOptions{}))
}
