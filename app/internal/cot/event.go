package cot

import (
	"math"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/detection"
)

const timeLayout = "2006-01-02T15:04:05.000Z" // the only form that ATAK and all servers read the same way

const headStart = `<event version="2.0" uid="`

// appendHead writes the attributes of <event> after the uid. kind and how are trusted text that needs no escaping.
func appendHead(b []byte, kind, how string, t times) []byte {
	b = append(b, `" type="`...)
	b = append(b, kind...)
	b = append(b, `" how="`...)
	b = append(b, how...)
	b = append(b, `" time="`...)
	b = t.time.UTC().AppendFormat(b, timeLayout)
	b = append(b, `" start="`...)
	b = t.start.UTC().AppendFormat(b, timeLayout)
	b = append(b, `" stale="`...)
	b = t.stale.UTC().AppendFormat(b, timeLayout)
	return append(b, `">`...)
}

// unknownMetres is what CoT writes for a height or an error that is not known (ATAK's CotPoint.UNKNOWN).
const unknownMetres = 9999999

// What a 90 % error is in standard deviations: CMAS and VMAS of FGDC-STD-007.3-1998, appendix 3-A.
const (
	ce90PerSigma = 2.1460
	le90PerSigma = 1.6449
)

func (p *Profile) appendPoint(b []byte, fix *detection.Fix) []byte {
	hae, ce, le := float64(unknownMetres), fix.CE90Metres, fix.LE90Metres
	if p.oneSigma {
		ce, le = ce/ce90PerSigma, le/le90PerSigma
	}
	if knownHeight(fix) {
		hae = *fix.HAEMetres
	} else {
		le = unknownMetres
	}
	return appendPlace(b, fix.LatDeg, fix.LonDeg, hae, errorMetres(ce), errorMetres(le))
}

func appendPlace(b []byte, latDeg, lonDeg, haeMetres, ceMetres, leMetres float64) []byte {
	b = append(b, `<point lat="`...)
	b = appendDecimal(b, latDeg, 8) // 1e-8 deg is about 1 mm
	b = append(b, `" lon="`...)
	b = appendDecimal(b, lonDeg, 8)
	b = append(b, `" hae="`...)
	b = appendMetres(b, haeMetres)
	b = append(b, `" ce="`...)
	b = appendMetres(b, ceMetres)
	b = append(b, `" le="`...)
	b = appendMetres(b, leMetres)
	return append(b, `"/>`...)
}

func knownHeight(fix *detection.Fix) bool {
	return fix.HAEMetres != nil && math.Abs(*fix.HAEMetres) < unknownMetres // false for NaN and infinities
}

// errorMetres returns a stated error, or "unknown" for what is none.
func errorMetres(metres float64) float64 {
	if metres >= 0 && metres < unknownMetres {
		return metres
	}
	return unknownMetres
}

func appendMetres(b []byte, metres float64) []byte {
	if metres == unknownMetres {
		return append(b, "9999999.0"...) // receivers compare the text as well as the number
	}
	return appendDecimal(b, metres, 3)
}

// appendDecimal writes v as an xs:decimal, which has no exponent. v must be finite.
func appendDecimal(b []byte, v float64, decimals int) []byte {
	from := len(b)
	b = strconv.AppendFloat(b, v, 'f', decimals, 64)
	if b[from] != '-' {
		return b
	}
	for _, c := range b[from+1:] {
		if c != '0' && c != '.' {
			return b
		}
	}
	return append(b[:from], b[from+1:]...) // no minus zero
}
