package main

import (
	"flag"

	"github.com/detection-api/detection-api/app/internal/geo"
)

// thresholdFlags adds the flags of the confidence flag's bounds.
func thresholdFlags(fs *flag.FlagSet) *geo.Thresholds {
	t := geo.DefaultThresholds()
	fs.Float64Var(&t.GreenCE90Metres, "flag-green-ce90-m", t.GreenCE90Metres, "largest CE90 in `metres` that is flagged GREEN")
	fs.Float64Var(&t.YellowCE90Metres, "flag-yellow-ce90-m", t.YellowCE90Metres, "largest CE90 in `metres` that is flagged YELLOW; RED beyond")
	return &t
}
