// Command generate writes the EGM96 geoid grid that package geo embeds, from the copy of NGA's WW15MGH.GRD inside
// github.com/westphae/geomag (MIT; the data are a work of the United States government and in the public domain).
//
// The output holds 721 rows from 90 N to 90 S of 1440 columns from 0 E eastwards, 15 minutes of arc apart: heights of the
// geoid above the WGS-84 ellipsoid in whole millimetres, which is the resolution of the source, as 24-bit little-endian
// two's complement numbers. The column of 360 E, equal to that of 0 E, is left out.
package main

import (
	"fmt"
	"math"
	"os"

	"github.com/westphae/geomag/pkg/egm96"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate OUTPUT")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(path string) error {
	const rows, columns, perDegree = 721, 1440, 4
	out := make([]byte, 0, rows*columns*3)
	for row := range rows {
		for column := range columns {
			lat, lon := 90-float64(row)/perDegree, float64(column)/perDegree
			node, err := egm96.NewLocationGeodetic(lat, lon, 0).NearestEGM96GridPoint()
			if err != nil {
				return fmt.Errorf("look up %g, %g: %w", lat, lon, err)
			}
			_, _, metres := node.Geodetic()
			mm := int32(math.Round(metres * 1000))
			out = append(out, byte(mm), byte(mm>>8), byte(mm>>16))
		}
	}
	return os.WriteFile(path, out, 0o644)
}
