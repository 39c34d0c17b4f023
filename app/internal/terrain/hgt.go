package terrain

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
)

// hgtName is how SRTM names its tiles: by the south-western corner, in whole degrees.
var hgtName = regexp.MustCompile(`(?i)^([NS])(\d{2})([EW])(\d{3})`)

// openHGT reads what there is of a header: the name and the size. (SRTM user guide, NASA LP DAAC, 2015, section 2.)
//
// A tile is one degree square, posts are big-endian numbers of 2 bytes, rows from the north, the edges belong to the
// neighbours too. Heights are metres above the EGM96 geoid.
func openHGT(path string, _ *Options) ([]*tile, error) {
	file, err := openPacked(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	south, west, err := hgtCorner(filepath.Base(path))
	if err != nil {
		if south, west, err = hgtCorner(filepath.Base(file.name)); err != nil {
			return nil, err
		}
	}
	rows, columns, err := hgtSize(file.size)
	if err != nil {
		return nil, err
	}
	t := &tile{datum: MSL, placement: placement{
		northDeg: float64(south + 1), westDeg: float64(west), rows: rows, columns: columns,
		latStepDeg: 1 / float64(rows-1), lonStepDeg: 1 / float64(columns-1),
	}}
	if rows == 3601 { // seconds of arc
		t.model = "SRTM1"
	}
	t.load = func() (*grid, error) { return loadHGT(path, t) }
	return []*tile{t}, nil
}

func hgtCorner(name string) (southDeg, westDeg int, err error) {
	part := hgtName.FindStringSubmatch(name)
	if part == nil {
		return 0, 0, fmt.Errorf("%w: the name %q does not begin like N46E008", errUnsupported, name)
	}
	southDeg, _ = strconv.Atoi(part[2])
	westDeg, _ = strconv.Atoi(part[4])
	if part[1] == "S" || part[1] == "s" {
		southDeg = -southDeg
	}
	if part[3] == "W" || part[3] == "w" {
		westDeg = -westDeg
	}
	if southDeg < -90 || southDeg > 89 || westDeg < -180 || westDeg > 179 {
		return 0, 0, fmt.Errorf("%w: there is no tile %q on earth", errBroken, name)
	}
	return southDeg, westDeg, nil
}

// hgtSize tells rows and columns from the size in bytes. A degree is divided into steps of whole seconds of arc, or thirds
// of one. Beyond 50 degrees of latitude tiles may have half as many columns.
func hgtSize(bytes int64) (rows, columns int, err error) {
	posts := bytes / 2
	for _, half := range [...]int64{1, 2} {
		n := int64(math.Round(math.Sqrt(float64(posts * half))))
		for steps := n - 2; steps <= n+1; steps++ {
			if bytes%2 == 0 && steps > 0 && steps%half == 0 && 10800%steps == 0 && (steps+1)*(steps/half+1) == posts {
				return int(steps + 1), int(steps/half + 1), nil
			}
		}
	}
	return 0, 0, fmt.Errorf("%w: %d bytes are no tile of one degree", errBroken, bytes)
}

func loadHGT(path string, t *tile) (*grid, error) {
	file, err := openPacked(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if want := int64(t.rows) * int64(t.columns) * 2; file.size != want {
		return nil, fmt.Errorf("%w: it had %d bytes at the start and has %d now", errBroken, want, file.size)
	}
	g, in, line := newGrid(t), bufio.NewReaderSize(file, 1<<16), make([]byte, 2*t.columns)
	for row := range t.rows {
		if _, err := io.ReadFull(in, line); err != nil {
			return nil, fmt.Errorf("%w: row %d: %w", errBroken, row, err)
		}
		for column := range t.columns {
			g.set(row, column, float64(int16(binary.BigEndian.Uint16(line[2*column:])))) // -32768, a void, is out of the limits
		}
	}
	g.finish(t)
	return g, nil
}
