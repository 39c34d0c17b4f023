package track

import "math"

// mat2 is a 2x2 matrix of east and north, mat4 one of east, north and their velocities. mat42 and mat24 go between them.
type (
	mat2  [2][2]float64
	mat4  [4][4]float64
	mat42 [4][2]float64
)

func (a mat2) add(b mat2) mat2 {
	for i := range a {
		for j := range a[i] {
			a[i][j] += b[i][j]
		}
	}
	return a
}

func (a mat2) scale(by float64) mat2 {
	for i := range a {
		for j := range a[i] {
			a[i][j] *= by
		}
	}
	return a
}

func (a mat2) times(b mat2) (c mat2) {
	for i := range c {
		for j := range c[i] {
			c[i][j] = a[i][0]*b[0][j] + a[i][1]*b[1][j]
		}
	}
	return c
}

func (a mat2) transposed() mat2 { return mat2{{a[0][0], a[1][0]}, {a[0][1], a[1][1]}} }

func (a mat2) det() float64 { return a[0][0]*a[1][1] - a[0][1]*a[1][0] }

// inverse is of a matrix that is known to be regular.
func (a mat2) inverse() mat2 {
	d := a.det()
	return mat2{{a[1][1] / d, -a[0][1] / d}, {-a[1][0] / d, a[0][0] / d}}
}

// sqrt is the symmetric square root of a symmetric positive matrix, by Cayley and Hamilton.
func (a mat2) sqrt() mat2 {
	s := math.Sqrt(max(0, a.det()))
	t := math.Sqrt(a[0][0] + a[1][1] + 2*s)
	if t == 0 {
		return mat2{}
	}
	return mat2{{(a[0][0] + s) / t, a[0][1] / t}, {a[1][0] / t, (a[1][1] + s) / t}}
}

// eigen returns the eigenvalues of a symmetric matrix, the larger one first, and the direction of its axis: from east to
// north, in radians.
func (a mat2) eigen() (major, minor, angle float64) {
	mean, half := (a[0][0]+a[1][1])/2, (a[0][0]-a[1][1])/2
	root := math.Hypot(half, a[0][1])
	return mean + root, mean - root, math.Atan2(a[0][1], half) / 2
}

// distance2 is the squared Mahalanobis distance of a difference with covariance a.
func (a mat2) distance2(d [2]float64) float64 {
	i := a.inverse()
	return d[0]*(i[0][0]*d[0]+i[0][1]*d[1]) + d[1]*(i[1][0]*d[0]+i[1][1]*d[1])
}

func (a mat42) times(b mat2) (c mat42) {
	for i := range c {
		c[i][0] = a[i][0]*b[0][0] + a[i][1]*b[1][0]
		c[i][1] = a[i][0]*b[0][1] + a[i][1]*b[1][1]
	}
	return c
}

func (a mat42) plus(b mat42, by float64) mat42 {
	for i := range a {
		a[i][0] += by * b[i][0]
		a[i][1] += by * b[i][1]
	}
	return a
}

// outer is a times b transposed.
func (a mat42) outer(b mat42) (c mat4) {
	for i := range c {
		for j := range c[i] {
			c[i][j] = a[i][0]*b[j][0] + a[i][1]*b[j][1]
		}
	}
	return c
}

func (a mat4) times(b mat4) (c mat4) {
	for i := range c {
		for k := range b {
			for j := range c[i] {
				c[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return c
}

func (a mat4) transposed() (b mat4) {
	for i := range a {
		for j := range a[i] {
			b[j][i] = a[i][j]
		}
	}
	return b
}

func (a mat4) times42(b mat42) (c mat42) {
	for i := range c {
		for k := range b {
			c[i][0] += a[i][k] * b[k][0]
			c[i][1] += a[i][k] * b[k][1]
		}
	}
	return c
}

// add adds by times b and by times its transpose's half, so that the sum stays symmetric.
func (a mat4) add(b mat4, by float64) mat4 {
	for i := range a {
		for j := range a[i] {
			a[i][j] += by * (b[i][j] + b[j][i]) / 2
		}
	}
	return a
}

// position is the block of east and north.
func (a mat4) position() mat2 { return mat2{{a[0][0], a[0][1]}, {a[1][0], a[1][1]}} }
