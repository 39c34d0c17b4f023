package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Chart is a plot of lines.
type Chart struct {
	Name  string `json:"name"` // of the file, without .svg
	Title string `json:"title"`
	X     Axis   `json:"x"`
	Y     Axis   `json:"y"`
	Lines []Line `json:"lines"`
}

// Axis is an axis of a Chart.
type Axis struct {
	Label string `json:"label"` // with the unit
	Log   bool   `json:"log,omitempty"`
}

// Line is one of the lines of a Chart.
type Line struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"`
	Dashed bool         `json:"dashed,omitempty"`
}

// palette can be told apart by those who see no red or no green (Okabe and Ito).
var palette = []color.Color{
	color.RGBA{R: 0, G: 114, B: 178, A: 255},
	color.RGBA{R: 213, G: 94, B: 0, A: 255},
	color.RGBA{R: 0, G: 158, B: 115, A: 255},
	color.RGBA{R: 204, G: 121, B: 167, A: 255},
}

func (c Chart) write(path string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X.Label, c.Y.Label
	p.Title.Padding = vg.Points(6)
	p.BackgroundColor = color.White
	p.Add(plotter.NewGrid())
	if c.X.Log {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	if c.Y.Log {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		p.Y.Min = 0
	}
	for i, l := range c.Lines {
		if err := l.draw(p, palette[i%len(palette)], c.Y.Log); err != nil {
			return err
		}
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Y.Max *= 1.25 // room for the legend
	return p.Save(18*vg.Centimeter, 10*vg.Centimeter, path)
}

func (l Line) draw(p *plot.Plot, ink color.Color, positive bool) error {
	points := make(plotter.XYs, 0, len(l.Points))
	for _, point := range l.Points {
		if !math.IsNaN(point[1]) && (!positive || point[1] > 0) {
			points = append(points, plotter.XY{X: point[0], Y: point[1]})
		}
	}
	if len(points) == 0 {
		return nil
	}
	line, dots, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Width = ink, vg.Points(1.5)
	dots.Color, dots.Shape, dots.Radius = ink, draw.CircleGlyph{}, vg.Points(2)
	if l.Dashed {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		dots.Radius = 0
	}
	p.Add(line, dots)
	p.Legend.Add(l.Name, line)
	return nil
}
