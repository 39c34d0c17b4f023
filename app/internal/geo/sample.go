package geo

import (
	"math"

	"gonum.org/v1/gonum/spatial/r3"
)

// sampledEllipse moves the inputs of a fix through a fixed set of points that stands for their distribution, and looks
// where the rays meet the ground then. The CE90 is the 90 % quantile of the distances from the fix, in which a point whose
// ray misses the ground counts as infinitely far. The ellipse takes its shape from the nearer points, because a few hits
// near the horizon would stretch it without bound, and its size from the CE90.
func (w *view) sampledEllipse(hit Hit, sigmas deviations) (ce90Metres float64, shape Ellipse, err error) {
	var places [2 * latticePoints]place
	var squares [2 * latticePoints]float64
	s := w.spread(hit, &sigmas)
	for i := range standardNormals {
		m := s.move(&standardNormals[i])
		places[2*i], places[2*i+1] = s.place(&m, 1), s.place(&m, -1)
		squares[2*i], squares[2*i+1] = places[2*i].square, places[2*i+1].square
	}
	// Of n points in order, number k, from 0, has the share (k + 1/2)/n of them below it.
	square := nth(squares[:], len(squares)*9/10)
	if math.IsInf(square, 1) {
		return 0, Ellipse{}, ErrUnbounded
	}
	ce90Metres = math.Sqrt(square)
	shape = shapeOf(&places, square)
	if raw := shape.CE90Metres(); raw > 0 {
		shape.SigmaMajorMetres *= ce90Metres / raw
		shape.SigmaMinorMetres *= ce90Metres / raw
	}
	shape.MajorAzimuthDeg = math.Mod(shape.MajorAzimuthDeg+s.convergenceDeg+360, 180)
	return ce90Metres, shape, nil
}

// shapeOf returns the ellipse of the inner 90 % of the points. The circle says which those are at first; but it cuts off
// more of the long axis than of the short one, so the ellipse of what is within it says it again.
func shapeOf(places *[2 * latticePoints]place, square float64) Ellipse {
	var within covariance2
	for i := range places {
		if p := &places[i]; p.square <= square {
			within.add(p.east, p.north)
		}
	}
	if !(within.ee*within.nn-within.en*within.en > 0) {
		return within.ellipse() // points on a line
	}
	var squares [2 * latticePoints]float64
	for i := range places {
		squares[i] = math.Inf(1)
		if p := &places[i]; !math.IsInf(p.square, 1) {
			squares[i] = within.nn*p.east*p.east - 2*within.en*p.east*p.north + within.ee*p.north*p.north
		}
	}
	inner := squares
	limit := nth(inner[:], len(inner)*9/10)
	var sum covariance2
	for i := range places {
		if squares[i] <= limit {
			sum.add(places[i].east, places[i].north)
		}
	}
	return sum.ellipse()
}

// move is how far a ray, what it starts from and what it falls on are off. Vectors are in the ENU frame at the camera.
type move struct {
	tilt         r3.Vec  // of the ray, in radians
	heightMetres float64 // of the camera over the ground
	eastMetres   float64 // of the camera
	northMetres  float64
	headingRad   float64 // turns what the others made of the ray about the vertical
}

func (m *move) add(factor float64, by *move) {
	m.tilt.X += factor * by.tilt.X
	m.tilt.Y += factor * by.tilt.Y
	m.tilt.Z += factor * by.tilt.Z
	m.heightMetres += factor * by.heightMetres
	m.eastMetres += factor * by.eastMetres
	m.northMetres += factor * by.northMetres
	m.headingRad += factor * by.headingRad
}

// spread is what the errors of the inputs do to a ray, brought down to six independent standard normal variables.
type spread struct {
	ray            r3.Vec
	slantMetres    float64
	heightMetres   float64 // of the camera over the ground
	moves          [latticeDimensions]move
	convergenceDeg float64 // by how much bearings are larger at the fix than at the camera
}

// spread sums up the errors. Those that turn the camera only count across the ray, where they have two components; the
// first variable is the whole of the component in the vertical plane, which is the one that matters at shallow angles.
func (w *view) spread(hit Hit, sigmas *deviations) spread {
	across := r3.Vec{X: w.ray.Y, Y: -w.ray.X} // level, to the right of the ray
	if length := r3.Norm(across); length > 0 {
		across = r3.Scale(1/length, across)
	} else {
		across = r3.Vec{X: 1}
	}
	upward := r3.Cross(across, w.ray)
	columns := w.jacobian(hit.SlantRangeMetres)
	var turned covariance2 // ee: upward, nn: across
	for k := inputPitch; k < inputGround; k++ {
		perRadian := sigmas[k] / hit.SlantRangeMetres
		turned.add(perRadian*r3.Dot(upward, columns[k]), perRadian*r3.Dot(across, columns[k]))
	}
	up, along := math.Sqrt(turned.ee), 0.0
	if up > 0 {
		along = turned.en / up
	}
	east := w.frame.rotateToENU(FrameAt(hit.Point).east)
	s := spread{
		ray: w.ray, slantMetres: hit.SlantRangeMetres, heightMetres: heightOver(w.ray, hit.SlantRangeMetres),
		convergenceDeg: degrees(math.Atan2(east.Y, east.X)),
		moves: [latticeDimensions]move{
			{tilt: r3.Add(r3.Scale(up, upward), r3.Scale(along, across))},
			{tilt: r3.Scale(math.Sqrt(max(0, turned.nn-along*along)), across)},
			{heightMetres: math.Hypot(sigmas[inputUp], sigmas[inputGround])},
			{eastMetres: sigmas[inputEast]},
			{northMetres: sigmas[inputNorth]},
			{headingRad: sigmas[inputHeading]},
		},
	}
	s.align()
	return s
}

// align exchanges the variables for a turned set, which are as independent and as normal: to first order the first one
// moves the fix along the major axis of its error, the second along the minor axis, the others not at all. So the points
// of the lattice, which lie the most evenly in the first two, are spent where they count (Imai, Tan, Journal of
// Computational Finance 10, 2006).
func (s *spread) align() {
	const small = 1e-3 // sigmas
	var east, north, major, minor [latticeDimensions]float64
	var sum covariance2
	for k := range s.moves {
		ahead, back := s.place(&s.moves[k], small), s.place(&s.moves[k], -small)
		east[k], north[k] = (ahead.east-back.east)/(2*small), (ahead.north-back.north)/(2*small)
		sum.add(east[k], north[k])
	}
	sin, cos := math.Sincos(radians(sum.ellipse().MajorAzimuthDeg))
	for k := range s.moves {
		major[k], minor[k] = sin*east[k]+cos*north[k], cos*east[k]-sin*north[k]
	}
	s.mirror(&major, &minor, 0)
	s.mirror(&minor, &major, 1)
}

// mirror reflects the variables so that those from an index on act through that one alone on what they change by these
// amounts; other is reflected with them. This is Householder's transformation (Journal of the ACM 5, 1958).
func (s *spread) mirror(amounts, other *[latticeDimensions]float64, index int) {
	var length float64
	for _, a := range amounts[index:] {
		length += a * a
	}
	if !(length > 0) || !isFinite(length) {
		return
	}
	normal := *amounts
	clear(normal[:index])
	normal[index] += math.Copysign(math.Sqrt(length), normal[index])
	var square, dot float64
	var sum move
	for k, v := range normal {
		square += v * v
		dot += v * other[k]
		sum.add(v, &s.moves[k])
	}
	for k, v := range normal {
		other[k] -= 2 * dot / square * v
		s.moves[k].add(-2*v/square, &sum)
	}
}

// earthRadiusMetres is the mean radius of WGS-84 (NGA.STND.0036, table 3.5). Within 100 km, where samples matter, the
// ground curves from the tangent plane as a sphere of it does, to a hundredth of that curving.
const earthRadiusMetres = 6371008.8

// heightOver returns the height from which a ray of this direction and length reaches the ground, and groundAt is its
// inverse: how long a ray gets that is not of length 1, from a height; ok is false if it misses the ground. The ground
// is the parabola that touches the earth below the camera.
func heightOver(ray r3.Vec, slantMetres float64) float64 {
	level := slantMetres * slantMetres * (ray.X*ray.X + ray.Y*ray.Y)
	return -slantMetres*ray.Z - level/(2*earthRadiusMetres)
}

func groundAt(ray *r3.Vec, heightMetres float64) (length float64, ok bool) {
	curve := (ray.X*ray.X + ray.Y*ray.Y) * (1 / earthRadiusMetres)
	root := ray.Z*ray.Z - 2*curve*heightMetres
	if !(heightMetres > 0 && ray.Z < 0 && root >= 0) {
		return 0, false
	}
	return 2 * heightMetres / (math.Sqrt(root) - ray.Z), true
}

// place is where the ray of one point meets the ground, in metres from the fix, and the square of that distance.
type place struct{ east, north, square float64 }

// move returns what a point of the lattice stands for.
func (s *spread) move(z *[latticeDimensions]float64) move {
	var tilt r3.Vec // sums of its own are faster than those of a struct
	var height, east, north, heading float64
	for k, factor := range z {
		by := &s.moves[k]
		tilt.X += factor * by.tilt.X
		tilt.Y += factor * by.tilt.Y
		tilt.Z += factor * by.tilt.Z
		height += factor * by.heightMetres
		east += factor * by.eastMetres
		north += factor * by.northMetres
		heading += factor * by.headingRad
	}
	return move{tilt: tilt, heightMetres: height, eastMetres: east, northMetres: north, headingRad: heading}
}

// place returns where the ray meets the ground after a move, or after a part of it; -1 is the opposite.
func (s *spread) place(m *move, part float64) place {
	tilt := r3.Vec{X: part * m.tilt.X, Y: part * m.tilt.Y, Z: part * m.tilt.Z}
	// The errors are angles, the ray moves by their tangent; its series is good to 1 % at half a radian.
	stretch := 1 + (tilt.X*tilt.X+tilt.Y*tilt.Y+tilt.Z*tilt.Z)*(1./3)
	ray := r3.Vec{X: s.ray.X + stretch*tilt.X, Y: s.ray.Y + stretch*tilt.Y, Z: s.ray.Z + stretch*tilt.Z}
	length, ok := groundAt(&ray, s.heightMetres+part*m.heightMetres)
	if !ok {
		return place{square: math.Inf(1)}
	}
	sin, cos := sincos(part * m.headingRad)
	east := length*(ray.X*cos+ray.Y*sin) + part*m.eastMetres - s.slantMetres*s.ray.X
	north := length*(ray.Y*cos-ray.X*sin) + part*m.northMetres - s.slantMetres*s.ray.Y
	return place{east: east, north: north, square: east*east + north*north}
}

// sincos is math.Sincos, good to 1e-6, and faster at the angles by which headings are wrong.
func sincos(rad float64) (sin, cos float64) {
	square := rad * rad
	if square > 0.1 {
		return math.Sincos(rad)
	}
	return rad * (1 - square*(1./6)*(1-square*(1./20))), 1 - square*0.5*(1-square*(1./12))
}
