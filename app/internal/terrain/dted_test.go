package terrain

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// dted writes a tile with so many posts along each side; heights that are NaN are voids.
func dted(south, west, posts int, f field) []byte {
	b := []byte(strings.Repeat(" ", dtedHeader))
	interval := 36000 / (posts - 1)
	hemisphere := func(deg int, plus, minus string) string {
		if deg < 0 {
			return fmt.Sprintf("%03d0000%s", -deg, minus)
		}
		return fmt.Sprintf("%03d0000%s", deg, plus)
	}
	copy(b, fmt.Sprintf("UHL1%s%s%04d%04d0010U  %12s%04d%04d0", hemisphere(west, "E", "W"), hemisphere(south, "N", "S"), interval, interval, "", posts, posts))
	copy(b[dtedUHL:], "DSIU")
	copy(b[dtedUHL+141:], "MSLWGS84")
	copy(b[dtedUHL+dtedDSI:], "ACC")
	for column := range posts {
		start := len(b)
		b = append(b, 0xaa, 0, byte(column>>8), byte(column), byte(column>>8), byte(column), 0, 0)
		for row := range posts {
			h := f(float64(south)+float64(row)/float64(posts-1), float64(west)+float64(column)/float64(posts-1))
			raw := uint16(math.Abs(math.Round(h)))
			if math.IsNaN(h) {
				raw = 0xffff // minus 32767
			} else if h < 0 {
				raw |= 0x8000
			}
			b = binary.BigEndian.AppendUint16(b, raw)
		}
		sum := uint32(0)
		for _, c := range b[start:] {
			sum += uint32(c)
		}
		b = binary.BigEndian.AppendUint32(b, sum)
	}
	return b
}

func TestDTED(t *testing.T) {
	dir := t.TempDir()
	f := func(lat, lon float64) float64 { return math.Round(800 * math.Sin(lat*7) * math.Cos(lon*5)) }
	write(t, dir, "dted/w071/s34.DT1", dted(-34, -71, 121, f))
	m := open(t, Options{Dir: dir})
	below := 0
	for row := range 121 {
		for column := range 121 {
			lat, lon := -34+float64(row)/120, -71+float64(column)/120
			got, ok := msl(m, lat, lon)
			if !ok || math.Abs(got-f(lat, lon)) > 0.01 {
				t.Fatalf("%v, %v: %v, %v; want %v", lat, lon, got, ok, f(lat, lon))
			}
			if got < -1 {
				below++
			}
		}
	}
	if below < 100 {
		t.Errorf("only %d posts below the sea", below)
	}
	if p := m.Patch(-33.5, -70.5, math.Inf(-1)); math.Abs(p.SigmaMetres-10/1.6448536) > 1e-6 || p.Model != "DTED1" {
		t.Errorf("an accuracy of 10 m at 90 %% of DTED1 is a sigma of %v m of %q", p.SigmaMetres, p.Model)
	}
}

// TestDTEDRefusals changes a good file in one place at a time.
func TestDTEDRefusals(t *testing.T) {
	good := dted(46, 8, 31, hills)
	dir := t.TempDir()
	path := write(t, dir, "good.dt0", good)
	if _, err := openAndLoad(path); err != nil {
		t.Fatal(err)
	}
	record := dtedRecord + 2*31
	for name, change := range map[string]func(b []byte) []byte{
		"horizontal datum":   func(b []byte) []byte { copy(b[dtedUHL+144:], "WGS72"); return b },
		"UHL1":               func(b []byte) []byte { b[0] = 'X'; return b },
		"it has no hemi":     func(b []byte) []byte { b[11] = 'Q'; return b },
		"does not lie on":    func(b []byte) []byte { copy(b[12:], "0900000N"); return b },
		"lines of":           func(b []byte) []byte { copy(b[47:], "9999"); return b },
		"0 lines of":         func(b []byte) []byte { copy(b[47:], "0000"); return b },
		"invalid syntax":     func(b []byte) []byte { copy(b[51:], "abcd"); return b },
		"checksum":           func(b []byte) []byte { b[dtedHeader+20] ^= 1; return b },
		"begins with":        func(b []byte) []byte { b[dtedHeader+3*record] = 0; return b },
		"is of line 4":       func(b []byte) []byte { copy(b[dtedHeader+3*record:], b[dtedHeader+4*record:][:record]); return b },
		"bytes, 31 lines":    func(b []byte) []byte { return b[:len(b)-1] },
		"header":             func(b []byte) []byte { return b[:300] },
		"header: EOF, empty": func([]byte) []byte { return nil },
	} {
		path := write(t, dir, "bad.dt0", change(append([]byte(nil), good...)))
		_, err := openAndLoad(path)
		part, _, _ := strings.Cut(name, ", empty")
		part = strings.Replace(part, "it has no hemi", "names no hemisphere", 1)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// openAndLoad reads all of a file.
func openAndLoad(path string) (posts int, err error) {
	opts := Options{CacheBytes: 16 << 20}
	if err := opts.complete(); err != nil {
		return 0, err
	}
	tiles, err := tilesOf(path, &opts)
	if err != nil {
		return 0, err
	}
	for _, tl := range tiles {
		g, err := tl.load()
		if err != nil {
			return posts, err
		}
		posts += len(g.narrow) + len(g.wide)
	}
	return posts, nil
}

// TestTwosComplement: what some producers wrote instead of sign and magnitude.
func TestTwosComplement(t *testing.T) {
	for raw, want := range map[uint16]int{0: 0, 5: 5, 0x8005: -5, 0x8000: 0, 0xfffb: -5, 0xffff: dtedNull, 0x7fff: 32767} {
		if got := dtedPost(raw); got != want {
			t.Errorf("%#x: %d, want %d", raw, got, want)
		}
	}
}

// TestDTEDReplaced: the file is another good one when its posts are read.
func TestDTEDReplaced(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.dt0", dted(46, 8, 31, hills))
	m := open(t, Options{Dir: dir})
	if err := os.WriteFile(path, dted(46, 8, 61, hills), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := msl(m, 46.5, 8.5); ok {
		t.Error("ground from another tile")
	}
}
