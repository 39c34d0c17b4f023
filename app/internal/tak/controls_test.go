package tak_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/tak/taktest"
)

// bad is a client that does one thing wrong: it makes writes of events.
type bad struct {
	name   string
	noHi   bool
	writes func(events []string) []string
}

func TestConformanceControls(t *testing.T) {
	declared := bad{name: "an XML declaration before each event, in one write", writes: func(events []string) []string {
		return []string{"<?xml version='1.0'?>" + strings.Join(events, "<?xml version='1.0'?>")}
	}}
	lines := bad{name: "a newline and an XML declaration between events", writes: func(events []string) []string {
		return []string{strings.Join(events, "\n<?xml version='1.0'?>")}
	}}
	split := bad{name: "a batch that is cut within an event", writes: func(events []string) []string {
		all := strings.Join(events, "")
		return []string{all[:len(all)/2+100], all[len(all)/2+100:]}
	}}
	large := bad{name: "an event of 2100 bytes", writes: func(events []string) []string {
		return append([]string{string(taktest.Sized("large", 2100))}, events...)
	}}
	many := bad{name: "200 events without waiting", writes: func(events []string) []string {
		for i := range 200 {
			events = append(events, string(taktest.Sized(fmt.Sprintf("m%d", i), 0)))
		}
		return events
	}}
	mute := bad{name: "no hello", noHi: true, writes: func(events []string) []string { return events }}
	doctype := bad{name: "a DOCTYPE", writes: func(events []string) []string {
		return []string{"<!DOCTYPE event>" + strings.Join(events, "<!DOCTYPE event>")}
	}}
	unclosed := bad{name: "an attribute without quotes", writes: func(events []string) []string {
		return append([]string{strings.Replace(events[0], `uid="0"`, `uid=0`, 1)}, events[1:]...)
	}}
	original := retimed("times as the Python original writes them", "2006-01-02T15:04:05.000000+00:00Z", time.UTC)
	western := retimed("times in another zone", "2006-01-02T15:04:05.000-07:00", time.FixedZone("", -5*3600))
	coarse := retimed("whole seconds without Z", "2006-01-02T15:04:05-07:00", time.FixedZone("", 3600))
	for name, clients := range map[string][]bad{
		"ATAK":          {original, western},
		"TAK Server":    {doctype, original, coarse},
		"goatak":        {large, many, original, unclosed},
		"FreeTAKServer": {mute, declared},
		"OpenTAKServer": {lines, split},
		"taky":          {western, original, unclosed},
	} {
		i := slices.IndexFunc(taktest.Imitations(), func(i taktest.Imitation) bool { return i.Name == name })
		imitation := taktest.Imitations()[i]
		t.Run(imitation.Name, func(t *testing.T) {
			good := bad{name: "one write for each event", writes: func(events []string) []string { return events }}
			if missing := misbehave(t, imitation, good); len(missing) > 0 {
				t.Errorf("%s: %v are missing", good.name, missing)
			}
			for _, client := range clients {
				if missing := misbehave(t, imitation, client); len(missing) == 0 {
					t.Errorf("%s: nothing was lost", client.name)
				}
			}
		})
	}
}

// retimed writes the times in another layout and zone.
func retimed(name, layout string, zone *time.Location) bad {
	return bad{name: name, writes: func(events []string) []string {
		var all []string
		for _, event := range events {
			for _, attribute := range []string{"time", "start", "stale"} {
				before, rest, _ := strings.Cut(event, " "+attribute+`="`)
				text, after, _ := strings.Cut(rest, `"`)
				at, _ := time.Parse(taktest.Millis, text) // one of taktest's own
				event = before + " " + attribute + `="` + at.In(zone).Format(layout) + `"` + after
			}
			all = append(all, event)
		}
		return all
	}}
}

// misbehave sends ten events as the client does, each write after the one before was read, and returns which are missing.
func misbehave(t *testing.T, imitation taktest.Imitation, client bad) []string {
	t.Helper()
	server := imitation.Listen(t, taktest.Whole, nil)
	conn, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, conn)
	sent := 0
	send := func(text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			return // it has hung up
		}
		sent += len(text)
		server.Await(t, "its bytes", func() bool {
			read, _ := server.Bytes()
			return read >= sent || strings.Contains(strings.Join(server.Faults(), ""), "hangs up")
		})
	}
	if !client.noHi {
		send(string(taktest.Hello()))
	}
	var events, uids []string
	for i := range 10 {
		events, uids = append(events, string(taktest.Sized(fmt.Sprint(i), 0))), append(uids, fmt.Sprint(i))
	}
	for _, text := range client.writes(events) {
		send(text)
	}
	conn.Close()
	if client.name == "200 events without waiting" {
		for i := range 200 {
			uids = append(uids, fmt.Sprintf("m%d", i))
		}
	}
	return server.Missing(uids)
}
