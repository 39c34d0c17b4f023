package local

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name    string
		user    int
		missing []string
		want    string
	}{
		{"all there", 0, nil, ""},
		{"not root", 1000, nil, "the provider local needs root: run it with sudo, or use kind or existing"},
		{"no runc", 0, []string{"runc"}, "the provider local needs runc: apt-get install runc"},
		{"package of another name", 0, []string{"ipset", "nft"}, "the provider local needs ipset, nft: apt-get install ipset nftables"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := check(test.user, func(program string) bool { return !slices.Contains(test.missing, program) })
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

func TestInstalled(t *testing.T) {
	require.True(t, installed("sh"))
	require.False(t, installed("no-such-program"))
}
