package tak

import (
	"slices"
	"strings"
	"testing"
)

// TestFramer feeds every stream whole and split at every byte: the events must be the same.
func TestFramer(t *testing.T) {
	const a, b = `<event uid="a"><point/></event>`, `<event uid="b"></event>`
	tests := []struct {
		name, stream string
		want         []string
	}{
		{"one", a, []string{a}},
		{"joined", a + b + a, []string{a, b, a}},
		{"between junk", "\x00\xff<?xml?>\n" + a + "</x></event>garbage" + b + "\n", []string{a, b}},
		{"unfinished before", `<event uid="lost">` + a, []string{a}},
		{"end alone", "</event></event>" + a, []string{a}},
		{"unfinished", a + `<event uid="b"></even`, []string{a}},
		{"too long", `<event uid="` + strings.Repeat("x", 2*maxFrameBytes) + `"></event>` + b, []string{b}},
		{"nothing", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			step := max(1, len(test.stream)/500)
			for cut := 0; cut <= len(test.stream); cut += step {
				if got := frames(test.stream[:cut], test.stream[cut:]); !slices.Equal(got, test.want) {
					t.Fatalf("cut at %d: got %.100q, want %q", cut, got, test.want)
				}
			}
			if got := frames(strings.Split(test.stream, "")...); !slices.Equal(got, test.want) {
				t.Fatalf("byte by byte: got %.100q, want %q", got, test.want)
			}
		})
	}
}

func frames(parts ...string) []string {
	var f framer
	var got []string
	for _, part := range parts {
		f.feed([]byte(part), func(event []byte) { got = append(got, string(event)) })
	}
	return got
}

func TestFramerIsBounded(t *testing.T) {
	var f framer
	for range 1000 {
		f.feed(make([]byte, 16<<10), func([]byte) { t.Error("an event in zeros") })
	}
	if cap(f.buf) > 4*maxFrameBytes {
		t.Errorf("%d bytes kept", cap(f.buf))
	}
}

// FuzzFramer holds that what is cut out does not depend on how the stream is split, that each piece is one event's text, and
// that what is kept is bounded.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(`<event uid="a"><point/></event>`), 7)
	f.Add([]byte("\x00<?xml?>\n<event></event><event"), 1)
	f.Add([]byte("<event></event></event><event><event></event>"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		whole := frames(string(stream))
		var parts []string
		for part := range slices.Chunk(stream, max(1, size%5000)) {
			parts = append(parts, string(part))
		}
		if got := frames(parts...); !slices.Equal(got, whole) {
			t.Fatalf("in parts of %d: got %.100q, want %.100q", size, got, whole)
		}
		for _, event := range whole {
			inner := strings.TrimSuffix(strings.TrimPrefix(event, "<event"), "</event>")
			if len(inner) != len(event)-len("<event</event>") || strings.Contains(inner, "</event>") || strings.Contains(inner, "<event") || len(event) > maxFrameBytes {
				t.Fatalf("not one event: %.200q", event)
			}
		}
	})
}
