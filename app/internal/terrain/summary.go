package terrain

import (
	"fmt"
	"math"
	"strings"
)

// Ignored is a file that was left out.
type Ignored struct {
	Path   string
	Reason error
}

// Summary is what a directory of height models holds.
type Summary struct {
	Files          int // in use
	Tiles          int // one for each file, more for a large GeoTIFF
	SouthDeg       float64
	NorthDeg       float64
	WestDeg        float64 // of the tile that lies farthest west
	EastDeg        float64 // of the one that lies farthest east; past 180 if it goes over the antimeridian
	FinestMetres   float64 // the least distance between posts
	CoarsestMetres float64
	Ignored        []Ignored
}

func summarize(tiles []*tile, ignored []Ignored) Summary {
	s := Summary{
		Tiles: len(tiles), Ignored: ignored, FinestMetres: math.Inf(1),
		SouthDeg: math.Inf(1), WestDeg: math.Inf(1), NorthDeg: math.Inf(-1), EastDeg: math.Inf(-1),
	}
	files := map[string]bool{}
	for _, t := range tiles {
		files[t.path] = true
		s.SouthDeg, s.NorthDeg = min(s.SouthDeg, t.footprint.south), max(s.NorthDeg, t.footprint.north)
		s.WestDeg, s.EastDeg = min(s.WestDeg, t.footprint.west), max(s.EastDeg, t.footprint.east)
		s.FinestMetres, s.CoarsestMetres = min(s.FinestMetres, t.postMetres()), max(s.CoarsestMetres, t.postMetres())
	}
	s.Files = len(files)
	return s
}

// String tells it in one line, with the reasons of up to five of the files that were left out.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d files (%d tiles), latitude %.4f to %.4f, longitude %.4f to %.4f, posts %.0f to %.0f m apart, %d files ignored",
		s.Files, s.Tiles, s.SouthDeg, s.NorthDeg, s.WestDeg, s.EastDeg, s.FinestMetres, s.CoarsestMetres, len(s.Ignored))
	for i, file := range s.Ignored {
		if i == 5 {
			fmt.Fprintf(&b, "; and %d more", len(s.Ignored)-i)
			break
		}
		fmt.Fprintf(&b, "; %s: %v", file.Path, file.Reason)
	}
	return b.String()
}

// firstReason is for the message that nothing can be used.
func firstReason(ignored []Ignored) string {
	if len(ignored) == 0 {
		return ""
	}
	return fmt.Sprintf("; the first is %s: %v", ignored[0].Path, ignored[0].Reason)
}
