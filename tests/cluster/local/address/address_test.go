package address

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name  string
		inUse []string
		want  int
	}{
		{"nothing in use", nil, 0},
		{"something else in use", []string{"192.168.0.0/16", "172.17.0.0/16"}, 0},
		{"a cluster runs", []string{"10.89.0.0/24", "10.160.1.0/24"}, 1},
		{"a hole is filled", []string{"10.89.0.0/24", "10.89.2.0/24"}, 1},
		{"pods' range in use", []string{"10.160.7.0/24"}, 1},
		{"Services' range in use", []string{"10.192.0.5/32"}, 1},
		{"a wide route to a far network", []string{"10.0.0.0/8"}, 0},
		{"a wide range that covers many", []string{"10.160.0.0/12"}, 16},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan, err := Choose(prefixes(test.inUse))
			require.NoError(t, err)
			require.Equal(t, test.want, plan.Slot)
		})
	}
	_, err := Choose(prefixes([]string{"10.160.0.0/11"}))
	require.ErrorIs(t, err, ErrNoRoom)
}

// TestPlansAreDisjoint holds every range of every plan against all others.
func TestPlansAreDisjoint(t *testing.T) {
	var seen []netip.Prefix
	for slot := range Slots {
		plan := Plan{Slot: slot}
		for _, own := range []netip.Prefix{plan.NodeNetwork(), plan.PodNetwork(), plan.ServiceNetwork()} {
			require.Equal(t, own.Masked(), own)
			for _, other := range seen {
				require.False(t, own.Overlaps(other), "%s overlaps %s", own, other)
			}
			seen = append(seen, own)
		}
		require.True(t, plan.NodeNetwork().Contains(plan.Host()))
		require.True(t, plan.NodeNetwork().Contains(plan.Node(MaxNodes)))
		require.True(t, plan.PodNetwork().Overlaps(plan.NodePods(MaxNodes)))
		require.True(t, plan.ServiceNetwork().Contains(plan.DNSService()))
	}
}

func prefixes(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}
