package geo

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// relief is a height model on a regular grid, held whole. Posts that are NaN are voids.
type relief struct {
	south, west, spacingDeg float64
	rows, columns           int
	posts                   []float64 // from the south, then from the west
	ceiling                 float64
	sigma                   float64
	bounded                 bool // answer with the whole grid when it can
}

func newRelief(south, west, spacingDeg float64, n int, height func(row, column int) float64) *relief {
	r := &relief{south: south, west: west, spacingDeg: spacingDeg, rows: n, columns: n, ceiling: math.Inf(-1)}
	for i := range n * n {
		h := height(i/n, i%n)
		r.posts = append(r.posts, h)
		if h > r.ceiling {
			r.ceiling = h
		}
	}
	return r
}

// rough returns hills of several sizes with noise on each post.
func rough(seed uint64, reliefMetres float64) func(row, column int) float64 {
	noise := rand.New(rand.NewPCG(seed, 1))
	a, b := noise.Float64()*6, noise.Float64()*6
	return func(row, column int) float64 {
		y, x := float64(row), float64(column)
		hills := math.Sin(x/9+a)*math.Cos(y/7+b) + 0.4*math.Sin(x/2.3+y/3.1)
		return reliefMetres * (hills + 0.5*noise.Float64())
	}
}

func (r *relief) cell(lat, lon float64) (row, column int, ok bool) {
	y, x := (lat-r.south)/r.spacingDeg, (lon-r.west)/r.spacingDeg
	if !(y >= 0 && x >= 0 && y <= float64(r.rows-1) && x <= float64(r.columns-1)) {
		return 0, 0, false
	}
	return min(int(y), r.rows-2), min(int(x), r.columns-2), true
}

func (r *relief) Patch(lat, lon, hae float64) Patch {
	row, column, ok := r.cell(lat, lon)
	if !ok {
		return Patch{CeilingHAEMetres: HighestGroundHAEMetres, SouthDeg: lat, NorthDeg: lat, WestDeg: lon, EastDeg: lon}
	}
	if r.bounded && hae > r.ceiling+ClearanceMetres {
		size := float64(r.rows-1) * r.spacingDeg
		return Patch{
			Kind: Bounded, CeilingHAEMetres: r.ceiling,
			SouthDeg: r.south, NorthDeg: r.south + size, WestDeg: r.west, EastDeg: r.west + size,
		}
	}
	p := Patch{SigmaMetres: r.sigma}
	p.SouthDeg, p.WestDeg = r.south+float64(row)*r.spacingDeg, r.west+float64(column)*r.spacingDeg
	p.NorthDeg, p.EastDeg = p.SouthDeg+r.spacingDeg, p.WestDeg+r.spacingDeg
	sw, se := r.posts[row*r.columns+column], r.posts[row*r.columns+column+1]
	nw, ne := r.posts[(row+1)*r.columns+column], r.posts[(row+1)*r.columns+column+1]
	if math.IsNaN(sw + se + nw + ne) {
		p.CeilingHAEMetres = r.ceiling
		return p
	}
	p.Kind = Surface
	p.Bilinear = Bilinear{
		LatDeg: p.SouthDeg, LonDeg: p.WestDeg, HAEMetres: sw, NorthPerDeg: (nw - sw) / r.spacingDeg,
		EastPerDeg: (se - sw) / r.spacingDeg, TwistPerDeg2: (ne - nw - se + sw) / (r.spacingDeg * r.spacingDeg),
	}
	return p
}

// height is written apart from Patch: weights of the four posts.
func (r *relief) height(lat, lon float64) float64 {
	row, column, ok := r.cell(lat, lon)
	if !ok {
		return math.NaN()
	}
	y, x := (lat-r.south)/r.spacingDeg-float64(row), (lon-r.west)/r.spacingDeg-float64(column)
	at := func(i, j int) float64 { return r.posts[(row+i)*r.columns+column+j] }
	return (1-y)*((1-x)*at(0, 0)+x*at(0, 1)) + y*((1-x)*at(1, 0)+x*at(1, 1))
}

// clearance is the height of the ray above the ground, by way of ECEF and back.
func (r *relief) clearance(origin, direction r3.Vec, slant float64) float64 {
	p := LatLonHAEFromECEF(r3.Add(origin, r3.Scale(slant, direction)))
	return p.HAEMetres - r.height(p.LatDeg, p.LonDeg)
}

// bruteForce marches in equal steps until it is not above the ground, and bisects.
func (r *relief) bruteForce(origin, direction r3.Vec, step, end float64) (slant float64, ok bool) {
	for s := step; s <= end; s += step {
		if !(r.clearance(origin, direction, s) <= 0) {
			continue
		}
		low, high := s-step, s
		for high-low > 1e-3 {
			if middle := (low + high) / 2; r.clearance(origin, direction, middle) <= 0 {
				high = middle
			} else {
				low = middle
			}
		}
		return high, true
	}
	return 0, false
}

// shot is a ray from above a relief.
type shot struct {
	frame     Frame
	position  LatLonHAE
	ray       r3.Vec
	direction r3.Vec // ECEF
}

// shots draws cameras over the south-west quarter of a relief that look north-east, mostly shallowly.
func (r *relief) shots(seed uint64, count int) []shot {
	noise := rand.New(rand.NewPCG(seed, 2))
	size := float64(r.rows-1) * r.spacingDeg
	var found []shot
	for range count {
		p := LatLonHAE{LatDeg: r.south + size*noise.Float64()/4, LonDeg: r.west + size*noise.Float64()/4}
		p.HAEMetres = r.height(p.LatDeg, p.LonDeg) + 1 + 60*3600*r.spacingDeg*noise.ExpFloat64()
		c := testCamera(p.LatDeg, p.LonDeg, 20+50*noise.Float64())
		c.Position, c.PitchDeg = p, 3-12*noise.ExpFloat64()
		frame := FrameAt(p)
		ray := c.axes().forward
		found = append(found, shot{frame: frame, position: p, ray: ray, direction: frame.rotateToECEF(ray)})
	}
	return found
}

// TestMarchAgainstBruteForce compares the march with steps of 0.1 m, over ground so rough that most shots are decided by a
// ridge. What brute force misses, a ridge that the ray cuts for less than its step, is checked for itself.
func TestMarchAgainstBruteForce(t *testing.T) {
	for _, place := range []struct{ lat, lon, spacingDeg float64 }{
		{46.5, 8.2, 1. / 3600}, {-33, -70.1, 3. / 3600}, {0.001, 0.001, 1. / 10800}, {78, -179.99, 2. / 3600},
	} {
		hits, thin, coarse := 0, 0, 0
		for seed := range uint64(4) {
			r := newRelief(place.lat, place.lon, place.spacingDeg, 80, rough(seed, 25*3600*place.spacingDeg))
			r.bounded = seed%2 == 1
			for _, s := range r.shots(seed, 40) {
				hit, err := IntersectTerrain(s.position, s.ray, r)
				end := hit.SlantRangeMetres + 1
				if err != nil && !errors.Is(err, ErrTooShallow) {
					end = 30 * 111e3 * place.spacingDeg * 2
				}
				want, ok := r.bruteForce(s.frame.origin, s.direction, 0.1, end)
				switch {
				case err == nil && ok && math.Abs(hit.SlantRangeMetres-want) < 0.1:
					hits++
				case err == nil && r.clearance(s.frame.origin, s.direction, hit.SlantRangeMetres+0.01) < 0.01:
					thin++
				case err == nil:
					t.Errorf("%+v: hit at %v m, brute force %v m", s.position, hit.SlantRangeMetres, want)
				case ok && !errors.Is(err, ErrTooShallow):
					t.Errorf("%+v: %v, but the ray meets the ground at %v m", s.position, err, want)
				}
				// The positive control: steps of two posts go over the ridge.
				step := 2 * 111e3 * place.spacingDeg
				if far, found := r.bruteForce(s.frame.origin, s.direction, step, end+2*step); ok && (!found || far > want+1) {
					coarse++
				}
			}
		}
		t.Logf("%v: %d hits, %d of ridges thinner than 0.1 m, steps of two posts go over %d", place, hits, thin, coarse)
		if hits < 60 || coarse < 5 {
			t.Errorf("%v: %d hits, %d missed by coarse steps: the ground is too easy", place, hits, coarse)
		}
	}
}
