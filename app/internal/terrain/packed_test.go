package terrain

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"math"
	"strings"
	"testing"
)

func zipped(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		file, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPacked(t *testing.T) {
	content := hgt(46, 8, 61, hills)
	for name, file := range map[string][]byte{
		"N46E008.SRTMGL1.hgt.zip": zipped(t, map[string][]byte{"N46E008.hgt": content, "README": []byte("about")}),
		"srtm.zip":                zipped(t, map[string][]byte{"N46E008.hgt": content}),
		"N46E008.hgt.gz":          gzipped(t, content),
	} {
		dir := t.TempDir()
		write(t, dir, name, file)
		m := open(t, Options{Dir: dir})
		if got, ok := msl(m, 46.5, 8.5); !ok || math.Abs(got-math.Round(hills(46.5, 8.5))) > 1e-6 {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}

func TestPackedRefusals(t *testing.T) {
	content := hgt(46, 8, 61, hills)
	packed := gzipped(t, content)
	lying := append(append([]byte(nil), packed[:len(packed)-4]...), 0xff, 0xff, 0xff, 0xff)
	for reason, file := range map[string]struct {
		name    string
		content []byte
	}{
		"holds no .hgt":        {"a.zip", zipped(t, map[string][]byte{"a.txt": content})},
		"holds several":        {"a.zip", zipped(t, map[string][]byte{"N46E008.hgt": content, "N47E008.hgt": content})},
		"not a valid zip":      {"a.zip", []byte("PK")},
		"4294967295 bytes are": {"N46E008.hgt.gz", lying},
		"unexpected EOF":       {"N46E008.hgt.gz", append(packed[:300:300], packed[len(packed)-4:]...)},
		"file: unexpected EOF": {"N46E008.hgt.gz", []byte{0, 0, 0, 0}},
		"negative offset":      {"N46E008.hgt.gz", nil},
	} {
		dir := t.TempDir()
		if _, err := openAndLoad(write(t, dir, file.name, file.content)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
