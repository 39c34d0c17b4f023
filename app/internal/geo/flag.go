package geo

import "fmt"

// Flag grades a position for whoever reads it at a glance.
type Flag string

// The grades, from good to poor.
const (
	Green  Flag = "GREEN"
	Yellow Flag = "YELLOW"
	Red    Flag = "RED"
)

// Thresholds are the largest CE90s, in metres, of the grades Green and Yellow.
type Thresholds struct {
	GreenCE90Metres  float64
	YellowCE90Metres float64
}

// DefaultThresholds returns 15 m and 30 m, the upper bounds of the target location error categories CAT II and CAT III
// of JP 3-09.3 (Close Air Support).
func DefaultThresholds() Thresholds {
	return Thresholds{GreenCE90Metres: 15, YellowCE90Metres: 30}
}

// Validate returns an error unless 0 < green <= yellow.
func (t Thresholds) Validate() error {
	if !(t.GreenCE90Metres > 0 && t.GreenCE90Metres <= t.YellowCE90Metres) || !isFinite(t.YellowCE90Metres) {
		return fmt.Errorf("%w: thresholds must be 0 < green <= yellow, got %g and %g m", ErrInvalidInput,
			t.GreenCE90Metres, t.YellowCE90Metres)
	}
	return nil
}

// Flag grades a CE90 in metres. A threshold belongs to the better grade; NaN and infinity are Red.
func (t Thresholds) Flag(ce90Metres float64) Flag {
	switch {
	case ce90Metres <= t.GreenCE90Metres:
		return Green
	case ce90Metres <= t.YellowCE90Metres:
		return Yellow
	default:
		return Red
	}
}
