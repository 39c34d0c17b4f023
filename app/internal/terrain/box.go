package terrain

import "github.com/detection-api/detection-api/app/internal/geo"

// box is a rectangle of latitudes and longitudes, in degrees.
type box struct{ south, north, west, east float64 }

// slackDeg is a tenth of a millimetre: more than the rounding of a tile's corners, less than anything that matters.
const slackDeg = 1e-9

func boxOf(p *geo.Patch) box {
	return box{south: p.SouthDeg, north: p.NorthDeg, west: p.WestDeg, east: p.EastDeg}
}

func (b box) setTo(p *geo.Patch) {
	p.SouthDeg, p.NorthDeg, p.WestDeg, p.EastDeg = b.south, b.north, b.west, b.east
}

// contains reports whether a point lies in the box or on its edge.
func (b box) contains(lat, lon float64) bool {
	return lat >= b.south-slackDeg && lat <= b.north+slackDeg && lon >= b.west-slackDeg && lon <= b.east+slackDeg
}

// holds reports whether a point lies in the box and not on its edge.
func (b box) holds(lat, lon float64) bool {
	return lat > b.south+slackDeg && lat < b.north-slackDeg && lon > b.west+slackDeg && lon < b.east-slackDeg
}

// overlaps reports whether the boxes have more than an edge in common.
func (b box) overlaps(other box) bool {
	return b.south+slackDeg < other.north && other.south+slackDeg < b.north &&
		b.west+slackDeg < other.east && other.west+slackDeg < b.east
}

// within returns what two boxes have in common.
func (b box) within(other box) box {
	return box{
		south: max(b.south, other.south), north: min(b.north, other.north),
		west: max(b.west, other.west), east: min(b.east, other.east),
	}
}

// turned returns the box moved east.
func (b box) turned(deg float64) box {
	b.west += deg
	b.east += deg
	return b
}

// besides cuts another box off, such that a point of this one stays. If the point lies in both, nothing is cut.
func (b box) besides(other box, lat, lon float64) box {
	if !b.overlaps(other) || other.contains(lat, lon) {
		return b
	}
	switch {
	case lon < other.west:
		b.east = min(b.east, other.west)
	case lon > other.east:
		b.west = max(b.west, other.east)
	case lat < other.south:
		b.north = min(b.north, other.south)
	case lat > other.north:
		b.south = max(b.south, other.north)
	}
	return b
}
