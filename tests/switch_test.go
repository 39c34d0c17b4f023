package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/helm"
	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/load"
	"github.com/detection-api/detection-api/tests/stack"
)

// TestSwitch switches to the idle slot and back under load: no request fails, and the times are printed.
func TestSwitch(t *testing.T) {
	s, api := installed(t)
	from := activeSlot(t, s)
	traffic := load.Start(t.Context(), api, 100, load.Detections("switch", time.Now()))
	for _, slot := range []string{other(from), from} {
		acceptedMore(t, traffic, 200)
		took := promote(t, s, slot)
		require.Equal(t, slot, activeSlot(t, s))
		fmt.Fprintf(progress(), "TestSwitch: slot %s gave its first answer %.2f s after the Service changed (helm upgrade: %.1f s)\n",
			slot, took.firstAnswer.Seconds(), took.helm.Seconds())
		require.Less(t, took.firstAnswer, 5*time.Second)
	}
	acceptedMore(t, traffic, 200)
	result := traffic.Stop()
	require.NoError(t, result.Error(), "requests over two switches")
	everythingKept(t, s, api, result)
}

func other(slot string) string {
	if slot == "blue" {
		return "green"
	}
	return "blue"
}

type switchTimes struct{ firstAnswer, helm time.Duration }

// promote runs the README's way of switching and measures from the change of the Service to the first answer of a pod of
// the new slot, on a connection of its own each time.
func promote(t *testing.T, s *stack.Stack, slot string) switchTimes {
	t.Helper()
	changed, answered := make(chan time.Time, 1), make(chan time.Time, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go watch(ctx, changed, func() bool {
		selected, err := selectedSlot(ctx, s)
		return err == nil && selected == slot
	})
	go watch(ctx, answered, func() bool { return answeringSlot(ctx, s) == slot })
	start := time.Now()
	options := helmOptions(s)
	options.SetValues = map[string]string{"activeSlot": slot}
	require.NoError(t, upgrade(t, s, options))
	helmTook := time.Since(start)
	at := receive(t, changed, "the Service to point to slot "+slot)
	first := receive(t, answered, "an answer of slot "+slot)
	return switchTimes{helm: helmTook, firstAnswer: max(0, first.Sub(at))}
}

func receive(t *testing.T, from <-chan time.Time, what string) time.Time {
	t.Helper()
	select {
	case at := <-from:
		return at
	case <-time.After(2 * time.Minute):
		require.FailNow(t, "waited 2 minutes in vain for "+what)
		return time.Time{}
	}
}

// watch reports when a condition is first seen to hold.
func watch(ctx context.Context, at chan<- time.Time, holds func() bool) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if holds() {
				at <- time.Now()
				return
			}
		}
	}
}

// answeringSlot asks the active Service who answers. Empty means nobody.
func answeringSlot(ctx context.Context, s *stack.Stack) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Cluster.NodePortURL(stack.APINodePort)+"/ready", nil)
	if err != nil {
		return ""
	}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var ready struct {
		Slot string `json:"slot"`
	}
	if json.NewDecoder(response.Body).Decode(&ready) != nil {
		return ""
	}
	return ready.Slot
}

// TestPromotionRefused holds that the chart refuses to move traffic to a slot that cannot take it, and says what to do.
func TestPromotionRefused(t *testing.T) {
	s, _ := installed(t)
	active := activeSlot(t, s)
	idle := other(active)
	tests := []struct {
		name   string
		values map[string]string // what is deployed to the idle slot first
		want   []string          // what the refusal must contain
	}{
		{"cold", map[string]string{"slots." + idle + ".replicas": "0"}, []string{"slots." + idle + ".replicas is 0 but activeSlot is " + idle}},
		{"too small", map[string]string{"slots." + idle + ".autoscaling": "false", "slots." + idle + ".replicas": "1"}, []string{"detection-api-" + idle, "3", "replicas=3", "refused"}},
		{"not ready", map[string]string{"slots." + idle + ".image.tag": "no-such-image"}, []string{"detection-api-" + idle, "rollout status", "refused"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Cleanup(func() { restoreIdle(t, s, idle) })
			deploy := helmOptions(s)
			deploy.SetValues = tt.values
			deploy.ExtraArgs = map[string][]string{"upgrade": {"--reset-then-reuse-values"}} // the point is that it does not become ready
			require.NoError(t, upgrade(t, s, deploy))
			switching := helmOptions(s)
			switching.SetValues = map[string]string{"activeSlot": idle}
			err := upgrade(t, s, switching)
			require.Error(t, err)
			for _, text := range tt.want {
				require.ErrorContains(t, err, text)
			}
			require.Equal(t, active, activeSlot(t, s), "traffic stays where it was")
		})
	}
}

// restoreIdle puts the idle slot back to what the README installs, and waits for its pods.
func restoreIdle(t *testing.T, s *stack.Stack, idle string) {
	options := helmOptions(s)
	options.SetValues = map[string]string{
		"slots." + idle + ".replicas": "3", "slots." + idle + ".image.tag": "", "slots." + idle + ".autoscaling": "true",
	}
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, helm.UpgradeContextE(t, ctx, options, s.Repository.Path("charts", "detection-api"), stack.Release))
	require.NoError(t, slotsReady(ctx, s))
}
