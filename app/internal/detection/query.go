package detection

import "math"

// Check refuses a query that cannot mean anything.
func (q Query) Check() error {
	if b := q.Within; b != nil {
		switch {
		case !(math.Abs(b.South) <= 90 && math.Abs(b.North) <= 90 && math.Abs(b.West) <= 180 && math.Abs(b.East) <= 180):
			return Invalid("bbox", "must be in degrees: longitudes from -180 to 180, latitudes from -90 to 90")
		case b.South > b.North:
			return Invalid("bbox", "the southern edge must not be north of the northern one")
		}
	}
	if !q.From.IsZero() && !q.Until.IsZero() && q.From.After(q.Until) {
		return Invalid("datetime", "must not end before it begins")
	}
	return nil
}

// Meridians returns the ranges of longitude that a box covers, in degrees, each from west to east. A box that crosses the
// antimeridian has two; one that touches it has both names of it.
func (b Box) Meridians() [][2]float64 {
	ranges := [][2]float64{{b.West, b.East}}
	if b.West > b.East {
		ranges = [][2]float64{{b.West, 180}, {-180, b.East}}
	}
	east, west := false, false
	for _, r := range ranges {
		east, west = east || r[1] == 180, west || r[0] == -180
	}
	switch {
	case east && !west:
		ranges = append(ranges, [2]float64{-180, -180})
	case west && !east:
		ranges = append(ranges, [2]float64{180, 180})
	}
	return ranges
}
