package terrain

import (
	"fmt"
	"math"
	"slices"
)

// GeoTIFF keys: OGC 19-008r4, section 7.
const (
	keyModel         = 1024
	keyRaster        = 1025
	keyGeodetic      = 2048
	keyDatum         = 2050
	keyAngularUnit   = 2054
	keyEllipsoid     = 2056
	keySemiMajor     = 2057
	keyProjected     = 3072
	keyVertical      = 4096
	keyVerticalUnit  = 4099
	modelGeographic  = 2
	rasterPixelPoint = 2
	userDefined      = 32767
)

// Geographic systems (EPSG codes) that lie within two metres of WGS 84, which is less than a post: WGS 84 and its
// realizations, NAD83, ETRS89, GDA94 and GDA2020, NZGD2000, JGD2000 and JGD2011, SIRGAS 2000, CGCS2000, RGF93.
var wgs84Relatives = []int{
	4326, 4979, 4269, 4258, 4937, 4283, 7844, 4167, 4612, 6668, 4674, 4490, 4171, 6318, 6319, 4617, 9057, 9056, 9055, 9054, 9053,
	7789, 9000, 9989, 9990, 4955, 4957, 4965, 4989,
}

// threeDimensional are those of them whose heights are above the ellipsoid, with the vertical code that older files have.
var threeDimensional = []int{4979, 4937, 6319, 4955, 4957, 4965, 4989, 7789, 9989, 5030}

// geoKeys are the keys of a file. A key that is a number in the doubles is in doubles.
type geoKeys struct {
	codes   map[int]int
	doubles map[int]float64
}

func (d *directory) geoKeys() (geoKeys, error) {
	keys := geoKeys{codes: map[int]int{}, doubles: map[int]float64{}}
	words, err := d.integers(tagGeoKeys)
	if err != nil {
		return keys, err
	}
	doubles, err := d.doubles(tagGeoDoubles)
	if err != nil {
		return keys, err
	}
	for i := 4; i+4 <= len(words); i += 4 {
		key, place, value := int(words[i]), words[i+1], words[i+3]
		switch {
		case place == 0:
			keys.codes[key] = int(value)
		case place == tagGeoDoubles && value < uint64(len(doubles)):
			keys.doubles[key] = doubles[value]
		}
	}
	return keys, nil
}

// check refuses what is not latitude and longitude on WGS 84.
func (k *geoKeys) check() error {
	model, code := k.codes[keyModel], k.codes[keyGeodetic]
	if model != modelGeographic && (model != 0 || code == 0) {
		if projected := k.codes[keyProjected]; projected != 0 {
			return fmt.Errorf("%w: projected coordinates (EPSG:%d); warp the file to EPSG:4326", errUnsupported, projected)
		}
		return fmt.Errorf("%w: no geographic coordinates (model type %d); warp the file to EPSG:4326", errUnsupported, model)
	}
	const degree = 9102
	if unit, ok := k.codes[keyAngularUnit]; ok && unit != degree {
		return fmt.Errorf("%w: angular unit %d, only degrees are", errUnsupported, unit)
	}
	if slices.Contains(wgs84Relatives, code) {
		return nil
	}
	const datumWGS84, ellipsoidWGS84, ellipsoidGRS80 = 6326, 7030, 7019
	ellipsoid, semiMajor := k.codes[keyEllipsoid], k.doubles[keySemiMajor]
	if (code == 0 || code == userDefined) && (k.codes[keyDatum] == datumWGS84 || ellipsoid == ellipsoidWGS84 ||
		ellipsoid == ellipsoidGRS80 || semiMajor == 6378137) {
		return nil
	}
	return fmt.Errorf("%w: geographic system EPSG:%d is not WGS 84 within two metres; warp the file to EPSG:4326", errUnsupported, code)
}

// datum tells what heights are counted from. Every vertical system but the ellipsoid is taken as EGM96: EGM2008 and the
// national ones lie within a metre or two of it.
func (k *geoKeys) datum(otherwise Datum) Datum {
	vertical, ok := k.codes[keyVertical]
	switch {
	case ok && slices.Contains(threeDimensional, vertical):
		return HAE
	case ok && vertical != 0 && vertical != userDefined:
		return MSL
	case slices.Contains(threeDimensional, k.codes[keyGeodetic]):
		return HAE
	}
	return otherwise
}

// metresPerUnit is the unit of the heights.
func (k *geoKeys) metresPerUnit() (float64, error) {
	const metre, foot, surveyFoot = 9001, 9002, 9003
	switch unit := k.codes[keyVerticalUnit]; unit {
	case 0, metre:
		return 1, nil
	case foot:
		return 0.3048, nil
	case surveyFoot:
		return 1200. / 3937, nil
	default:
		return 0, fmt.Errorf("%w: vertical unit %d, only metres and feet are", errUnsupported, unit)
	}
}

// place says where the posts lie: the centres of pixels that are areas, or where pixels are points.
func (d *directory) place(keys *geoKeys, rows, columns int) (placement, error) {
	p := placement{rows: rows, columns: columns, rim: true}
	scale, errScale := d.doubles(tagScale)
	tie, errTie := d.doubles(tagTiepoint)
	matrix, errMatrix := d.doubles(tagTransformation)
	if err := firstError(errScale, errTie, errMatrix); err != nil {
		return p, err
	}
	var column, row, west, north float64 // a point of the raster and where it lies
	switch {
	case len(scale) >= 2 && len(tie) >= 6:
		column, row, west, north = tie[0], tie[1], tie[3], tie[4]
		p.lonStepDeg, p.latStepDeg = scale[0], scale[1]
	case len(matrix) >= 8 && matrix[1] == 0 && matrix[4] == 0:
		west, north = matrix[3], matrix[7]
		p.lonStepDeg, p.latStepDeg = matrix[0], -matrix[5]
	default:
		return p, fmt.Errorf("%w: no scale and tie point, or the raster is turned", errUnsupported)
	}
	centre := 0.5
	if keys.codes[keyRaster] == rasterPixelPoint {
		centre = 0
	}
	p.westDeg, p.northDeg = west+(centre-column)*p.lonStepDeg, north-(centre-row)*p.latStepDeg
	return p, p.check()
}

// leastStepDeg is a centimetre; no model has posts so close together.
const leastStepDeg = 1e-7

// check holds that the posts lie on earth.
func (p *placement) check() error {
	south, east := p.lat(p.rows-1), p.lon(p.columns-1)
	if !(p.latStepDeg >= leastStepDeg && p.lonStepDeg >= leastStepDeg) || !(p.northDeg <= 90+p.latStepDeg && south >= -90-p.latStepDeg) ||
		!(p.westDeg >= -360-p.lonStepDeg && east <= 720) || !(east-p.westDeg < 360+p.lonStepDeg/2) || math.IsNaN(south+east) {
		return fmt.Errorf("%w: it does not lie on earth: posts from %g, %g to %g, %g", errBroken, p.northDeg, p.westDeg, south, east)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
