package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadUsage(t *testing.T) {
	key := strings.Repeat("0123456789abcdef", 3)
	tests := []struct {
		name string
		env  map[string]string
		args []string
		code int
		want string // in the one line on standard error
	}{
		{"no command", nil, nil, 2, ""},
		{"unknown command", nil, []string{"fly"}, 2, `"fly"`},
		{"unknown flag", nil, []string{"serve", "--nope"}, 2, "--nope"},
		{"no key", nil, []string{"serve"}, 2, "jwt-secret-key"},
		{"short key", nil, []string{"serve", "--jwt-secret-key", "short"}, 2, "jwt-secret-key"},
		{"sample key", nil, []string{"serve", "--jwt-secret-key", "your-secret-key-change-in-production"}, 2, "jwt-secret-key"},
		{"bad duration", nil, []string{"serve", "--lease-duration", "soon"}, 2, `lease-duration: want a duration such as 30s or 5m, got "soon"`},
		{"bad duration in the environment", map[string]string{"LEASE_DURATION": "later"}, []string{"serve"}, 2, "later"},
		{"negative duration", nil, []string{"serve", "--jwt-secret-key", key, "--lease-duration", "-1s"}, 2, "-1s"},
		{"bad store URL", nil, []string{"serve", "--jwt-secret-key", key, "--store-url", "nonsense"}, 2, `"nonsense"`},
		{"store URL without a token", nil, []string{"serve", "--jwt-secret-key", key, "--store-url", "http://s:1"}, 2, "store-token"},
		{"bad TAK address", nil, []string{"serve", "--jwt-secret-key", key, "--tak-addr", "tak.example.net"}, 2, `"tak.example.net"`},
		{"TAK port out of range", nil, []string{"serve", "--jwt-secret-key", key, "--tak-addr", "tak:99999"}, 2, `"tak:99999"`},
		{"TAK address without a host", nil, []string{"serve", "--jwt-secret-key", key, "--tak-addr", ":8087"}, 2, `":8087"`},
		{"thresholds the wrong way round", nil, []string{"serve", "--jwt-secret-key", key, "--flag-green-ce90-m", "50"}, 2, "flag-green-ce90-m"},
		{"number with a unit", map[string]string{"QUEUE_MAX_BYTES": "1GiB"}, []string{"serve"}, 2, `QUEUE_MAX_BYTES: want a whole number, got "1GiB"`},
		{"flag without its value", nil, []string{"serve", "--listen-addr"}, 2, "--listen-addr"},
		{"no data directory", nil, []string{"serve", "--jwt-secret-key", key, "--data-dir", ""}, 2, "data-dir"},
		{"bad log level", nil, []string{"serve", "--jwt-secret-key", key, "--log-level", "loud"}, 2, `"loud"`},
		{"bad log format", nil, []string{"serve", "--jwt-secret-key", key, "--log-format", "xml"}, 2, `"xml"`},
		{"argument that is no flag", nil, []string{"serve", "--jwt-secret-key", key, "now"}, 2, `"now"`},
		{"port in nobody's range", nil, []string{"serve", "--jwt-secret-key", key, "--listen-addr", "127.0.0.1:99999", "--data-dir", t.TempDir()}, 1, "99999"},
		{"key and key file", nil, []string{"serve", "--jwt-secret-key", key, "--jwt-secret-key-file", "f"}, 2, "not both"},
		{"key file that is not there", nil, []string{"token", "--jwt-secret-key-file", "/none/such"}, 1, "/none/such"},
		{"a key by name without names", nil, []string{"token", "--jwt-secret-key", key, "--kid", "a"}, 2, "kid: only"},
		{"token for another role", nil, []string{"token", "--jwt-secret-key", key, "--roles", "red"}, 2, `not "red"`},
		{"cameras all the time", nil, []string{"serve", "--jwt-secret-key", key, "--cot-cameras", "1ms"}, 2, "cot-cameras: want 0"},
		{"store without a token", nil, []string{"store"}, 2, "store-token"},
		{"token for nobody", nil, []string{"token", "--jwt-secret-key", key, "--subject", ""}, 2, "subject"},
		{"backup without a command", nil, []string{"backup"}, 2, "run, verify, list or prune"},
		{"backup with another command", nil, []string{"backup", "burn"}, 2, `"burn"`},
		{"backup to nowhere", nil, []string{"backup", "run", "--data-dir", "d"}, 2, "backup-dir"},
		{"backup from nowhere", nil, []string{"backup", "run", "--backup-dir", "b"}, 2, "store-url or data-dir"},
		{"backup with a bad URL", nil, []string{"backup", "run", "--backup-dir", "b", "--store-url", "nonsense"}, 2, `"nonsense"`},
		{"backup without a token", nil, []string{"backup", "run", "--backup-dir", "b", "--store-url", "http://s:1"}, 2, "store-token"},
		{"backup of an empty directory", nil, []string{"backup", "run", "--backup-dir", t.TempDir(), "--data-dir", t.TempDir()}, 1, "no app.db"},
		{"verify nothing", nil, []string{"backup", "verify", "--backup-dir", t.TempDir()}, 1, "no copy"},
		{"verify one and all", nil, []string{"backup", "verify", "--backup-dir", "b", "--all", "x"}, 2, "FILE or --all"},
		{"list nowhere", nil, []string{"backup", "list"}, 2, "backup-dir"},
		{"prune all", nil, []string{"backup", "prune", "--backup-dir", "b", "--retention-days", "0"}, 2, "retention-days"},
		{"restore from nothing", nil, []string{"restore", "--backup-dir", t.TempDir(), "--data-dir", t.TempDir()}, 1, "no verified copy"},
		{"restore to nowhere", nil, []string{"restore", "--backup-dir", "b"}, 2, "data-dir"},
		{"dead letters without a command", nil, []string{"deadletters"}, 2, "list, redrive or purge"},
		{"dead letters of nothing", nil, []string{"deadletters", "list"}, 2, "store-url or data-dir"},
		{"dead letters of an empty directory", nil, []string{"deadletters", "list", "--data-dir", t.TempDir()}, 1, "no app.db"},
		{"dead letters without a token", nil, []string{"deadletters", "list", "--store-url", "http://s:1"}, 2, "store-token"},
		{"redrive by nobody", nil, []string{"deadletters", "redrive", "--data-dir", "d", "--reason", "r", "--all"}, 2, "operator"},
		{"purge without a reason", nil, []string{"deadletters", "purge", "--data-dir", "d", "--operator", "o", "x"}, 2, "reason"},
		{"purge nothing", nil, []string{"deadletters", "purge", "--data-dir", "d", "--operator", "o", "--reason", "r"}, 2, "ids or --all"},
		{"purge some and all", nil, []string{"deadletters", "purge", "--data-dir", "d", "--operator", "o", "--reason", "r", "--all", "x"}, 2, "ids or --all"},
		{"audit of another kind", nil, []string{"audit", "burn"}, 2, `"burn"`},
		{"verify the audit of nothing", nil, []string{"audit", "verify"}, 2, "store-url or data-dir"},
		{"list the audit backwards", nil, []string{"audit", "list", "--after", "-1", "--data-dir", "d"}, 2, "after"},
		{"retention of the past", nil, []string{"store", "--store-token", key, "--retention-days", "-1"}, 2, "retention-days"},
		{"audit trail for a month", nil, []string{"store", "--store-token", key, "--audit-retention-days", "30"}, 2, "want 0, or 90 to"},
		{"retention of another's store", nil, []string{"serve", "--jwt-secret-key", key, "--store-url", "http://s:1", "--store-token", key, "--retention-days", "9"}, 2, "to the store role"},
		{"a negative wait", nil, []string{"serve", "--jwt-secret-key", key, "--target-wait", "-1s"}, 2, "target-wait: want a duration of at least 0, got -1s"},
		{"a negative rate", nil, []string{"serve", "--jwt-secret-key", key, "--subject-rate", "-1"}, 2, "subject-rate: want a number of at least 0, got -1"},
		{"a rate of no number", nil, []string{"serve", "--jwt-secret-key", key, "--subject-rate", "NaN"}, 2, "subject-rate"},
		{"a wait from the environment", map[string]string{"TARGET_WAIT": "long"}, []string{"serve", "--jwt-secret-key", key}, 2, `TARGET_WAIT: want a duration such as 30s or 5m, got "long"`},
		{"check nothing", nil, []string{"check"}, 2, "URL"},
		{"check nonsense", nil, []string{"check", "localhost"}, 2, `"localhost"`},
		{"geolocate a file that is not there", nil, []string{"geolocate", "/none/such.ndjson"}, 1, "/none/such.ndjson"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), streams{in: strings.NewReader(""), out: &out, err: &errs}, tt.args)
			if code != tt.code || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("code %d, want %d; error %q, want it to contain %q", code, tt.code, errs.String(), tt.want)
			}
			if tt.args != nil && strings.Count(errs.String(), "\n") != 1 {
				t.Errorf("want one line, got %q", errs.String())
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{"--help"},
		{"serve", "--help"},
		{"store", "-h"},
		{"geolocate", "--help"},
		{"token", "--help"},
		{"backup", "--help"},
		{"backup", "run", "--help"},
		{"backup", "prune", "-h"},
		{"restore", "--help"},
		{"check", "--help"},
		{"deadletters", "--help"},
		{"deadletters", "list", "--help"},
		{"deadletters", "redrive", "-h"},
		{"deadletters", "purge", "--help"},
		{"audit", "--help"},
		{"audit", "verify", "--help"},
		{"audit", "list", "-h"},
		{"client", "--help"},
		{"version", "--help"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), streams{out: &out, err: &errs}, args); code != 0 || out.Len() == 0 || errs.Len() > 0 {
			t.Errorf("%v: code %d, %d bytes out, error %q", args, code, out.Len(), errs.String())
		}
	}
}

const goodLine = `{"pixel_x":2000,"pixel_y":1500,"altitude_datum":"HAE","ground_elevation":245.25839721158042,"sensor_metadata":{"location_lat":33.8371893,"location_lon":-84.5387701,"location_elevation":386.32685776177146,"heading":172.4,"pitch":-36,"roll":0,"focal_length":2800,"image_width":4000,"image_height":3000}}`

// TestGeolocate holds that each line gets its answer in order, and that a bad one does not stop the rest.
func TestGeolocate(t *testing.T) {
	sky := strings.Replace(goodLine, `"pitch":-36`, `"pitch":36`, 1)
	agl := strings.Replace(goodLine, `"altitude_datum":"HAE",`, "", 1)
	input := strings.Join([]string{goodLine, "{broken", "", sky, agl, strings.Replace(goodLine, `"pixel_x":2000`, `"pixel_x":null`, 1)}, "\n")
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{in: strings.NewReader(input), out: &out, err: &errs}, []string{"geolocate"}); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	var got []map[string]any
	dec := json.NewDecoder(&out)
	for dec.More() {
		var line map[string]any
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if len(got) != 5 {
		t.Fatalf("%d answers to 5 lines: %v", len(got), got)
	}
	// OpenAthena's published answer for this shot (OpenAthenaIOS, TestCalculations.swift).
	if lat := got[0]["lat"].(float64); lat < 33.83544 || lat > 33.83547 {
		t.Errorf("lat %v, want 33.83545871 within a metre", lat)
	}
	// The error is part of the answer: the 90 % ellipse, and with it CE90, lies between its half axes.
	ellipse, _ := got[0]["ellipse"].(map[string]any)
	major, _ := ellipse["major_m"].(float64)
	minor, _ := ellipse["minor_m"].(float64)
	if ce90 := got[0]["ce90_m"].(float64); !(minor > 0 && minor/2 < ce90 && ce90 < major/2) || ellipse["bearing_deg"] == nil || got[0]["error_method"] != "linear" {
		t.Errorf("error %v, want an ellipse around a CE90 of %v and its method", got[0], ce90)
	}
	for i, want := range map[int]string{1: "malformed_json", 2: "no_ground_intersection", 4: "invalid_field"} {
		if got[i]["error_code"] != want || got[i]["error_message"] == "" {
			t.Errorf("line %d: %v, want %s", i, got[i], want)
		}
	}
	if hae, told := got[3]["hae_m"]; !told || hae != nil {
		t.Errorf("hae_m under AGL is %v, want null: the height of the ground is not known", hae)
	}
}

func TestGeolocateFiles(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(goodLine), 0o600); err != nil { // no line end at the end
			t.Fatal(err)
		}
		files = append(files, path)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{out: &out, err: &errs}, append([]string{"geolocate"}, files...)); code != 0 || strings.Count(out.String(), `"lat"`) != 2 {
		t.Errorf("code %d, output %s, error %s", code, out.String(), errs.String())
	}
}
