package condition_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/condition"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := condition.Await(t.Context(), "three calls", time.Second, func(context.Context) error {
			if calls++; calls < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, calls)
	})
}

func TestAwaitGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("ten seconds are over"))
		defer cancel()
		err := condition.Await(ctx, "the moon", time.Second, func(context.Context) error { return errors.New("it is cloudy") })
		require.ErrorContains(t, err, "the moon")
		require.ErrorContains(t, err, "ten seconds are over")
		require.ErrorContains(t, err, "it is cloudy")
	})
}
