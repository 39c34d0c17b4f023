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

// Sighting is one sample that went all the way: sent, accepted, received by TAK.
type Sighting struct {
	Expected  samples.Expected
	Event     Event
	OffMetres float64 // between the known position and the one on the map
}

// SendSamples posts every sample set and waits until the TAK server has all of it.
func (s *Stack) SendSamples(ctx context.Context, api *detectionapi.Client) ([]Sighting, error) {
	var sent []Sighting
	var ids []string
	err := s.step("sample detections", func() error {
		for _, name := range samples.Sets() {
			set, err := samples.Load(s.Repository.Path("docs", "samples"), name)
			if err != nil {
				return err
			}
			for _, sample := range set {
				answer, err := api.Post(ctx, sample.Request)
				if err != nil {
					return err
				}
				if !answer.Accepted() {
					return fmt.Errorf("sample %s was refused: %d %s", sample.Expected.Name, answer.Status, answer.Body)
				}
				sent, ids = append(sent, Sighting{Expected: sample.Expected}), append(ids, answer.DetectionID())
			}
		}
		events, err := s.await(ctx, ids)
		for i, id := range ids {
			sent[i].Event = events[id]
			sent[i].OffMetres = samples.DistanceMetres(sent[i].Expected.LatDeg, sent[i].Expected.LonDeg, events[id].Lat, events[id].Lon)
		}
		return err
	})
	return sent, err
}

// await waits until the TAK server has all the detections and returns their events.
func (s *Stack) await(ctx context.Context, ids []string) (map[string]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	found := map[string]Event{}
	return found, condition.Await(ctx, "every sample on the TAK server", 200*time.Millisecond, func(ctx context.Context) error {
		events, err := s.TAK.Events(ctx)
		if err != nil {
			return err
		}
		for _, event := range events {
			found[event.DetectionID()] = event
		}
		missing := 0
		for _, id := range ids {
			if _, ok := found[id]; !ok {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d events are missing", missing, len(ids))
		}
		return nil
	})
}

// Print writes the sightings as a table, known beside received.
func Print(w io.Writer, sightings []Sighting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "object\tCoT type\tknown position (lat, lon)\ton the TAK map (lat, lon)\toff by\tstated CE90")
	for _, s := range sightings {
		fmt.Fprintf(table, "%s\t%s\t%.6f, %.6f\t%.6f, %.6f\t%.2f m\t%.1f m\n", s.Expected.Name, s.Event.Type,
			s.Expected.LatDeg, s.Expected.LonDeg, s.Event.Lat, s.Event.Lon, s.OffMetres, s.Event.CE)
	}
	return table.Flush()
}

// Check returns an error that names each sighting whose distance is over its tolerance.
func Check(sightings []Sighting) error {
	var errs []error
	for _, s := range sightings {
		if !(s.OffMetres <= s.Expected.ToleranceMetres) {
			errs = append(errs, fmt.Errorf("%s is %.2f m off, %.2f m are allowed", s.Expected.Name, s.OffMetres, s.Expected.ToleranceMetres))
		}
	}
	return errors.Join(errs...)
}
