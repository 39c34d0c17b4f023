package row

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/bench/measure"
	"github.com/detection-api/detection-api/app/bench/report"
	"github.com/detection-api/detection-api/app/bench/subject"
	"github.com/detection-api/detection-api/app/internal/detection"
)

const pictureBytes = 150_000 // 200 KB in base64

func decodeRows() []Row {
	return []Row{{
		"T18", "a report with a picture of 200 KB in base64, read, checked and hashed, against encoding/json into a struct, the base64 decoded and hashed",
		report.Target{AtLeast: 1.5},
		decodePicture,
	}}
}

func decodePicture(ctx context.Context, env *Env, r *report.Result) ([]report.Chart, error) {
	body := pictureBody()
	ours := func(context.Context) error {
		_, err := detection.ParseInput(body)
		return err
	}
	plain := func(context.Context) error { return decodePlainly(body) }
	var err error
	plan := measure.Plan{Pairs: env.Plan.Pairs, Length: time.Second / 2}
	r.Ratio, err = measure.Compare(ctx, plan, oneCaller(ours), oneCaller(plain))
	if err != nil {
		return nil, err
	}
	allocated := float64(allocatedBy(func() { _ = ours(ctx) })) / float64(len(body))
	r.Figures = fmt.Sprintf("%.0f/s, %.0f/s; allocates %.2fx the body, %.2fx", r.Ratio.A, r.Ratio.B,
		allocated, float64(allocatedBy(func() { _ = plain(ctx) }))/float64(len(body)))
	r.Also = condition(allocated <= 3, "at most 3x wanted")
	return nil, nil
}

func oneCaller(call func(context.Context) error) measure.Window {
	return func(ctx context.Context, length time.Duration) (float64, error) {
		return measure.Closed(ctx, 1, length, call)
	}
}

func pictureBody() []byte {
	picture := make([]byte, pictureBytes)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(picture) // it never fails
	return []byte(strings.Replace(subject.Body, "{", `{"image_base64":"`+base64.StdEncoding.EncodeToString(picture)+`",`, 1))
}

// decodePlainly is what one writes first.
func decodePlainly(body []byte) error {
	var in struct {
		Image string `json:"image_base64"`
		wire
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&in); err != nil {
		return err
	}
	picture, err := base64.StdEncoding.DecodeString(in.Image)
	if err != nil {
		return err
	}
	_ = sha256.Sum256(picture)
	return nil
}

// wire are the other fields of a report.
type wire struct {
	PixelX          float64          `json:"pixel_x"`
	PixelY          float64          `json:"pixel_y"`
	ObjectClass     string           `json:"object_class"`
	AIConfidence    float64          `json:"ai_confidence"`
	Source          string           `json:"source"`
	CameraID        string           `json:"camera_id"`
	Timestamp       time.Time        `json:"timestamp"`
	Datum           string           `json:"altitude_datum"`
	GroundElevation float64          `json:"ground_elevation"`
	Sensor          detection.Sensor `json:"sensor_metadata"`
}

// allocatedBy returns the bytes that a call allocates.
func allocatedBy(call func()) uint64 {
	call() // what is kept for the next time
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / 10
}
