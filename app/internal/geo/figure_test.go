package geo

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/spatial/r3"
)

// TestFigure draws docs/geolocation.svg: go test ./internal/geo -run TestFigure -update
// Without -update it compares the file with what it would draw, so the picture is always one of this code.
func TestFigure(t *testing.T) {
	for _, o := range readOracles(t) {
		if o.ID == "oa-01" {
			compareFile(t, "../../../docs/geolocation.svg", []byte(drawShot(t, o)))
		}
	}
}

// The picture's frame: metres east and north of the camera, and how large one of them is drawn.
const (
	figureWest, figureEast   = -300.0, 410.0
	figureSouth, figureNorth = -560.0, 40.0
	figureScale              = 1.2
	figureTop                = 46.0 // of the map, below the title
	figureUpper              = 0.15 // the part of the image, from its upper edge, whose ground lies too far away to draw
)

// figure collects the elements of a picture of the ground around a camera.
type figure struct {
	strings.Builder
	frame Frame
}

func (f *figure) at(p LatLonHAE) (x, y float64) { return f.metres(f.frame.ENU(p.ECEF())) }

func (f *figure) metres(enu r3.Vec) (x, y float64) {
	return (enu.X - figureWest) * figureScale, figureTop + (figureNorth-enu.Y)*figureScale
}

func (f *figure) line(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }

func (f *figure) text(x, y float64, text string) {
	f.line(`<text x="%.1f" y="%.1f" stroke="#fff" stroke-width="3" paint-order="stroke">%s</text>`, x, y, text)
}

// drawShot shows the footprint of a shot that OpenAthena publishes and the 90 % error ellipses of pixels all over it.
func drawShot(t *testing.T, o oracle) string {
	t.Helper()
	camera := CameraForImage(4000, 3000, 2800)
	camera.Position = o.position(t)
	camera.HeadingDeg, camera.PitchDeg, camera.RollDeg = o.in(t, "heading_deg"), o.in(t, "pitch_deg"), o.in(t, "roll_deg")
	surface := o.in(t, "surface_hae_m")
	f := &figure{frame: FrameAt(camera.Position)}
	width, height := (figureEast-figureWest)*figureScale, figureTop+(figureNorth-figureSouth)*figureScale
	f.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="13" fill="#222">`, width, height)
	f.line(`<rect width="%.0f" height="%.0f" fill="#fff"/>`, width, height)
	f.text(14, 20, fmt.Sprintf("Shot %s: 90 %% error ellipses of 25 pixels over its footprint", o.Name))
	f.text(14, 38, fmt.Sprintf("camera %.0f m over the ground, heading %.1f°, pitch %.0f°; image 4000 × 3000 px, focal length 2800 px; default sigmas",
		camera.Position.HAEMetres-surface, camera.HeadingDeg, camera.PitchDeg))
	f.drawFootprint(t, camera, surface)
	for _, down := range []float64{0.22, 0.35, 0.5, 0.7, 0.92} {
		for _, right := range []float64{0.06, 0.28, 0.5, 0.72, 0.94} {
			f.drawFix(t, camera, 4000*right, 3000*down, surface, right == 0.5)
		}
	}
	x, y := f.at(camera.Position)
	f.line(`<path d="M%.1f %.1fl-8 14h16z" fill="#222"/>`, x, y-8)
	f.text(x+12, y+4, "camera")
	published := LatLonHAE{LatDeg: decodeAs[float64](t, o.Expected, "lat_deg"), LonDeg: decodeAs[float64](t, o.Expected, "lon_deg"), HAEMetres: surface}
	x, y = f.at(published)
	f.line(`<path d="M%.1f %.1fl14 14m0 -14l-14 14" stroke="#0a47a9" stroke-width="2.5"/>`, x-7, y-7)
	f.drawLegend(width, height)
	f.line(`</svg>`)
	return f.String()
}

// drawFootprint outlines the ground that the image shows, but for its upper part.
func (f *figure) drawFootprint(t *testing.T, camera Camera, surface float64) {
	t.Helper()
	var outline []string
	corner := func(right, down float64) {
		hit, err := camera.GroundHit(4000*right, 3000*down, surface)
		if err != nil {
			t.Fatal(err)
		}
		x, y := f.at(hit.Point)
		outline = append(outline, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	for _, c := range [][2]float64{{0, figureUpper}, {0, 1}, {1, 1}, {1, figureUpper}} {
		corner(c[0], c[1])
	}
	f.line(`<polygon points="%s" fill="#eef3f8" stroke="#7f93a8" stroke-dasharray="6 4"/>`, strings.Join(outline, " "))
}

// drawFix draws the fix of one pixel with its ellipse, in the colour of its flag, and with its CE90 if that is wanted.
func (f *figure) drawFix(t *testing.T, camera Camera, u, v, surface float64, named bool) {
	t.Helper()
	fix, err := Locate(camera, u, v, surface, DefaultSigmas())
	if err != nil {
		t.Fatal(err)
	}
	colour := map[Flag]string{Green: "#1b7f3b", Yellow: "#b58900", Red: "#c0392b"}[DefaultThresholds().Flag(fix.CE90Metres)]
	major, minor := fix.Ellipse.SemiAxes90Metres()
	x, y := f.at(fix.Point)
	f.line(`<ellipse cx="%.1f" cy="%.1f" rx="%.1f" ry="%.1f" transform="rotate(%.1f %.1f %.1f)" fill="%s" fill-opacity="0.13" stroke="%s" stroke-width="1.5"/>`,
		x, y, major*figureScale, minor*figureScale, fix.Ellipse.MajorAzimuthDeg-90, x, y, colour, colour)
	f.line(`<circle cx="%.1f" cy="%.1f" r="2" fill="%s"/>`, x, y, colour)
	if named {
		f.line(`<circle cx="%.1f" cy="%.1f" r="%.1f" fill="none" stroke="%s" stroke-dasharray="2 3"/>`, x, y, fix.CE90Metres*figureScale, colour)
		f.text(x+fix.CE90Metres*figureScale+4, y+4, fmt.Sprintf("CE90 %.0f m", fix.CE90Metres))
	}
}

func (f *figure) drawLegend(width, height float64) {
	x, y := width-232, height-128
	f.line(`<rect x="%.1f" y="%.1f" width="222" height="118" fill="#fff" stroke="#bbb"/>`, x, y)
	thresholds := DefaultThresholds()
	for i, row := range []struct{ colour, text string }{
		{"#1b7f3b", fmt.Sprintf("GREEN: CE90 up to %.0f m", thresholds.GreenCE90Metres)},
		{"#b58900", fmt.Sprintf("YELLOW: up to %.0f m", thresholds.YellowCE90Metres)},
		{"#c0392b", "RED: beyond"},
	} {
		line := y + 20 + 18*float64(i)
		f.line(`<ellipse cx="%.1f" cy="%.1f" rx="9" ry="5" fill="%s" fill-opacity="0.13" stroke="%s" stroke-width="1.5"/>`, x+16, line-4, row.colour, row.colour)
		f.text(x+34, line, row.text)
	}
	f.line(`<path d="M%.1f %.1fl9 9m0 -9l-9 9" stroke="#0a47a9" stroke-width="2.5"/>`, x+11, y+66)
	f.text(x+34, y+75, "published by OpenAthena")
	f.line(`<path d="M%.1f %.1fv6h%.1fv-6" fill="none" stroke="#222"/>`, x+10, y+94, 100*figureScale)
	f.text(x+14+100*figureScale, y+104, "100 m")
	north := math.Round(width - 30)
	f.line(`<path d="M%.1f 92v-30m-6 10l6 -10l6 10" fill="none" stroke="#222" stroke-width="1.5"/>`, north)
	f.text(north-5, 106, "N")
}
