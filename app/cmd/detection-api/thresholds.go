package main

import (
	"flag"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// thresholdFlags adds the flags of the confidence flag's bounds.
func thresholdFlags(fs *flag.FlagSet) *geo.Thresholds {
	t := geo.DefaultThresholds()
	fs.Float64Var(&t.GreenCE90Metres, "flag-green-ce90-m", t.GreenCE90Metres, "largest CE90 in `metres` that is flagged GREEN")
	fs.Float64Var(&t.YellowCE90Metres, "flag-yellow-ce90-m", t.YellowCE90Metres,
		"largest CE90 in `metres` that is flagged YELLOW; RED beyond")
	return &t
}

func checkThresholds(t geo.Thresholds) error {
	if t.Validate() != nil {
		return wrongUsage("flag-green-ce90-m and flag-yellow-ce90-m: want 0 < green <= yellow, got %g and %g", t.GreenCE90Metres,
			t.YellowCE90Metres)
	}
	return nil
}
