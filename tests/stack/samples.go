package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/detection-api/detection-api/tests/condition"
	"github.com/detection-api/detection-api/tests/detectionapi"
	"github.com/detection-api/detection-api/tests/samples"
)

// Sighting is one sample that went all the way: sent, accepted, shown by TAK.
type Sighting struct {
	Expected  samples.Expected
	Detection detectionapi.Detection
	OffMetres float64 // between the known position and that of the detection
}

// Marker is an object as the TAK server shows it after all samples.
type Marker struct {
	Event     Event    // the newest
	Last      Sighting // of the object
	Sightings int
	OffMetres float64 // between the last known position and that on the map
}

// SendSamples posts every sample set, as if it had just been taken, and waits until the TAK server shows all of it.
func (s *Stack) SendSamples(ctx context.Context, api *detectionapi.Client) (sightings []Sighting, markers []Marker, err error) {
	err = s.step("sample detections", func() error {
		for _, name := range samples.Sets() {
			set, err := samples.Load(s.Repository.Path("docs", "samples"), name)
			if err != nil {
				return err
			}
			if set, err = samples.At(set, time.Now()); err != nil {
				return err
			}
			for _, sample := range set {
				sighting, err := report(ctx, api, sample)
				if err != nil {
					return err
				}
				sightings = append(sightings, sighting)
			}
		}
		markers, err = s.awaitMarkers(ctx, expectedMarkers(sightings))
		return err
	})
	return sightings, markers, err
}

func report(ctx context.Context, api *detectionapi.Client, sample samples.Sample) (Sighting, error) {
	detection, err := api.Report(ctx, sample.Request)
	if err != nil {
		return Sighting{}, fmt.Errorf("sample %s: %w", sample.Expected.Name, err)
	}
	off := samples.DistanceMetres(sample.Expected.LatDeg, sample.Expected.LonDeg, detection.LatDeg, detection.LonDeg)
	return Sighting{Expected: sample.Expected, Detection: detection, OffMetres: off}, nil
}

// expectedMarkers are the objects of the sightings, in the order in which they were first seen, still without events.
func expectedMarkers(sightings []Sighting) []Marker {
	var markers []Marker
	at := map[string]int{}
	for _, sighting := range sightings {
		id := sighting.Detection.MarkerID()
		i, known := at[id]
		if !known {
			i, at[id] = len(markers), len(markers)
			markers = append(markers, Marker{})
		}
		markers[i].Last = sighting
		markers[i].Sightings++
	}
	return markers
}

// awaitMarkers waits until the TAK server has the last sighting of each object.
func (s *Stack) awaitMarkers(ctx context.Context, markers []Marker) ([]Marker, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return markers, condition.Await(ctx, "every sample on the TAK server", 200*time.Millisecond, func(ctx context.Context) error {
		events, err := s.TAK.Events(ctx)
		if err != nil {
			return err
		}
		newest := map[string]Event{}
		for _, event := range events {
			newest[event.DetectionID()] = event
		}
		missing := 0
		for i := range markers {
			last := markers[i].Last
			event, ok := newest[last.Detection.MarkerID()]
			if !ok || event.Start.Before(last.Expected.Timestamp) {
				missing++
				continue
			}
			markers[i].Event = event
			markers[i].OffMetres = samples.DistanceMetres(last.Expected.LatDeg, last.Expected.LonDeg, event.Lat, event.Lon)
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d objects are missing", missing, len(markers))
		}
		return nil
	})
}

// Print writes the sightings and then the markers as tables, known beside computed.
func Print(w io.Writer, sightings []Sighting, markers []Marker) error {
	const columns = "known position (lat, lon)\tcomputed (lat, lon)\toff by\tstated CE90\n"
	row := func(table io.Writer, e samples.Expected, latDeg, lonDeg, off, ce90 float64) {
		fmt.Fprintf(table, "%.6f, %.6f\t%.6f, %.6f\t%.2f m\t%.1f m\n", e.LatDeg, e.LonDeg, latDeg, lonDeg, off, ce90)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "detection\t"+columns)
	for _, s := range sightings {
		fmt.Fprintf(table, "%s\t", s.Expected.Name)
		row(table, s.Expected, s.Detection.LatDeg, s.Detection.LonDeg, s.OffMetres, s.Detection.CE90Metres)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, "\nOn the TAK map, one marker for each object:\n\n")
	fmt.Fprint(table, "CoT type\thow\tsightings\t"+columns)
	for _, m := range markers {
		fmt.Fprintf(table, "%s\t%s\t%d\t", m.Event.Type, m.Event.How, m.Sightings)
		row(table, m.Last.Expected, m.Event.Lat, m.Event.Lon, m.OffMetres, m.Event.CE)
	}
	return table.Flush()
}

// Check returns an error that names each sighting whose distance is over its tolerance, and each marker that is farther off than
// it says.
func Check(sightings []Sighting, markers []Marker) error {
	var errs []error
	for _, s := range sightings {
		if !(s.OffMetres <= s.Expected.ToleranceMetres) {
			errs = append(errs, fmt.Errorf("%s is %.2f m off, %.2f m are allowed", s.Expected.Name, s.OffMetres, s.Expected.ToleranceMetres))
		}
	}
	for _, m := range markers {
		if !(m.OffMetres <= m.Event.CE) {
			errs = append(errs, fmt.Errorf("the marker of %s is %.2f m off, its CE90 is %.1f m", m.Last.Expected.Name, m.OffMetres, m.Event.CE))
		}
	}
	return errors.Join(errs...)
}
