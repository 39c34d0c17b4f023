package pictures_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/pictures"
)

var now = time.Date(2026, 2, 15, 12, 0, 0, 0, time.UTC)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func open(t *testing.T, path string, opts pictures.Options) *pictures.Directory {
	t.Helper()
	d, err := pictures.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// keep writes a picture and returns its name.
func keep(t *testing.T, d *pictures.Directory, text string) string {
	t.Helper()
	w, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	if err := w.Commit(detection.Image{SHA256: name, Bytes: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	return name
}

func names(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

func TestPicturesAreKeptUnderTheirDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pictures")
	d := open(t, path, pictures.Options{MaxBytes: 1000})
	name := keep(t, d, "a picture")
	if keep(t, d, "a picture") != name || d.Bytes() != int64(len("a picture")) {
		t.Errorf("the same picture counts twice: %d bytes", d.Bytes())
	}
	if text, err := os.ReadFile(filepath.Join(path, name)); err != nil || string(text) != "a picture" || names(t, path) != name {
		t.Errorf("got %q, %v, in a directory with %s", text, err, names(t, path))
	}
	w, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if w.Discard(); names(t, path) != name {
		t.Errorf("what was discarded is there: %s", names(t, path))
	}
}

func TestOldPicturesGoFirst(t *testing.T) {
	path, c := t.TempDir(), &clock{now}
	d := open(t, path, pictures.Options{MaxBytes: 25, MaxAge: time.Hour, Now: c.now})
	first := keep(t, d, "0123456789")
	c.at = c.at.Add(time.Minute)
	second := keep(t, d, "1123456789")
	c.at = c.at.Add(time.Minute)
	third := keep(t, d, "2123456789")
	if got := names(t, path); strings.Contains(got, first) || !strings.Contains(got, second) || !strings.Contains(got, third) || d.Bytes() != 20 {
		t.Errorf("got %s, %d bytes", got, d.Bytes())
	}
	c.at = c.at.Add(time.Hour - time.Second)
	if d.Prune(); names(t, path) != third {
		t.Errorf("after an hour: got %s, want %s", names(t, path), third)
	}
}

func TestAPictureThatIsLargerThanAllMayBe(t *testing.T) {
	var failed []error
	path := t.TempDir()
	d := open(t, path, pictures.Options{MaxBytes: 10, Failed: func(err error) { failed = append(failed, err) }})
	w, err := d.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 11)); err == nil {
		t.Error("it was written")
	}
	if w.Discard(); names(t, path) != "" || len(failed) != 1 {
		t.Errorf("got %q, told %v", names(t, path), failed)
	}
}

func TestOpenTakesUpWhatIsThere(t *testing.T) {
	path := t.TempDir()
	fresh := strings.Repeat("0a", sha256.Size)
	for name, age := range map[string]time.Duration{
		strings.Repeat("f0", sha256.Size): 2 * time.Hour, fresh: time.Minute, "incoming-12": time.Minute,
		"app.db": 48 * time.Hour, "incoming-orders": 48 * time.Hour, strings.Repeat("F0", sha256.Size): 48 * time.Hour, // of somebody else
	} {
		file := filepath.Join(path, name)
		if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, path, pictures.Options{MaxBytes: 100, MaxAge: time.Hour, Now: (&clock{now}).now})
	if want := fresh + " " + strings.Repeat("F0", sha256.Size) + " app.db incoming-orders"; names(t, path) != want || d.Bytes() != 5 {
		t.Errorf("got %s, %d bytes", names(t, path), d.Bytes())
	}
	if _, err := pictures.Open(path, pictures.Options{}); err == nil {
		t.Error("a directory without a bound was opened")
	}
}

// TestPruneEvery: pictures go when they are old, also when no others come.
func TestPruneEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		d := open(t, path, pictures.Options{MaxBytes: 100, MaxAge: time.Hour})
		name := keep(t, d, "a picture")
		stop := d.PruneEvery(time.Minute)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if names(t, path) != name {
			t.Errorf("after 59 minutes: %q", names(t, path))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if names(t, path) != "" || d.Bytes() != 0 {
			t.Errorf("after 61 minutes: %q", names(t, path))
		}
		for range 2 {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestReportsKeepTheirPictures reads reports at one time.
func TestReportsKeepTheirPictures(t *testing.T) {
	path := t.TempDir()
	d := open(t, path, pictures.Options{MaxBytes: 1 << 20})
	const body = `{"image_base64":"PICTURE","pixel_x":1,"pixel_y":1,"object_class":"a","ai_confidence":1,"source":"s","camera_id":"c","timestamp":"2026-02-15T12:00:00Z",
		"sensor_metadata":{"location_lat":1,"location_lon":1,"location_elevation":9,"heading":1,"pitch":-45,"focal_length":1000,"image_width":100,"image_height":100}}`
	picture := strings.Repeat("pixels ", 9000)
	report := strings.Replace(body, "PICTURE", base64.StdEncoding.EncodeToString([]byte(picture)), 1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			in, err := detection.ReadInput(strings.NewReader(report), detection.ReadOptions{Pictures: d.Writer})
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(filepath.Join(path, in.Image.SHA256)); err != nil || string(text) != picture {
				t.Errorf("%d bytes were kept, %v", len(text), err)
			}
		})
	}
	all.Wait()
	if strings.Contains(names(t, path), " ") || d.Bytes() != int64(len(picture)) {
		t.Errorf("got %s, %d bytes", names(t, path), d.Bytes())
	}
}
