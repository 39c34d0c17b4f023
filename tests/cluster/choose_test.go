package cluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name   string
		option string
		env    map[string]string
		kind   bool
		want   string
		err    string
	}{
		{name: "nothing there", want: Local},
		{name: "Docker answers", kind: true, want: Kind},
		{name: "KUBECONFIG is set", env: map[string]string{"KUBECONFIG": "/x"}, kind: true, want: Existing},
		{name: "CLUSTER goes before KUBECONFIG", env: map[string]string{"KUBECONFIG": "/x", "CLUSTER": "local"}, kind: true, want: Local},
		{name: "CLUSTER=kind without Docker is not second-guessed", env: map[string]string{"CLUSTER": "kind"}, want: Kind},
		{name: "CLUSTER=existing", env: map[string]string{"CLUSTER": "existing"}, want: Existing},
		{name: "option goes before CLUSTER", option: "local", env: map[string]string{"CLUSTER": "kind"}, want: Local},
		{name: "unknown CLUSTER", env: map[string]string{"CLUSTER": "minikube"}, err: `the variable CLUSTER is "minikube": want existing, kind or local`},
		{name: "unknown option", option: "k3s", err: `the option Provider is "k3s": want existing, kind or local`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machine{
				getenv:    func(name string) string { return test.env[name] },
				kindWorks: func(context.Context) bool { return test.kind },
			}
			got, err := m.choose(t.Context(), test.option)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
