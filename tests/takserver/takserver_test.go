package takserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/detection-api/detection-api/tests/takserver"
)

const (
	deadline = 10 * time.Second
	tick     = 5 * time.Millisecond

	point = `<point lat="33.83545871" lon="-84.53849211" hae="288.25" ce="12.345" le="9999999.0"/>`
	times = `time="2026-03-04T05:06:09.250Z" start="2026-03-04T05:06:06.250Z" stale="2026-03-04T05:11:09.250Z"`
	ping  = `<event version="2.0" uid="me-ping" type="t-x-c-t" how="m-g" ` + times + `>` + point + `<detail/></event>`
	hello = `<event version="2.0" uid="me" type="a-f-G-E-S" how="h-g-i-g-o" ` + times + `>` + point + `<detail/></event>`
)

func event(uid string) string {
	return `<event version="2.0" uid="` + uid + `" type="a-u-G-E-V" how="m-i" ` + times + `>` + point +
		`<detail><contact callsign="vehicle &#60;1&#62;"/><remarks>seen</remarks></detail></event>`
}

func start(t *testing.T, opts takserver.Options) *takserver.Server {
	t.Helper()
	server, err := takserver.Start(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

func connect(t *testing.T, server *takserver.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.CoTAddr())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// send writes the text followed by a ping and waits for the pong: then the server has read all of it.
func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(deadline)))
	_, err := io.WriteString(conn, text+ping)
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	var reply string
	for !strings.HasSuffix(reply, "</event>") {
		part, err := reader.ReadString('>')
		require.NoError(t, err)
		reply += part
	}
	require.Contains(t, reply, `type="t-x-c-t-r"`)
}

func TestKeepsEvents(t *testing.T) {
	server := start(t, takserver.Options{})
	send(t, connect(t, server), hello+event("a")+event("b")+event("a"))
	send(t, connect(t, server), hello+event("b"))
	events := server.Events(0)
	require.Len(t, events, 4)
	first := events[0]
	require.Equal(t, 33.83545871, first.Lat)
	require.Equal(t, -84.53849211, first.Lon)
	require.Equal(t, [3]float64{288.25, 12.345, 9999999}, [3]float64{first.HAE, first.CE, first.LE})
	require.Equal(t, [4]string{"a", "a-u-G-E-V", "m-i", "vehicle <1>"}, [4]string{first.UID, first.Type, first.How, first.Callsign})
	require.Equal(t, time.Date(2026, 3, 4, 5, 6, 6, 250_000_000, time.UTC), first.Start)
	require.Equal(t, event("a"), first.Raw)
	require.Empty(t, first.Problems)
	require.NotZero(t, first.ReceivedAt)
	var order []string
	for _, e := range events {
		order = append(order, fmt.Sprintf("%d %s %t %d %d", e.Seq, e.UID, e.First, e.Count, e.Connection))
	}
	require.Equal(t, []string{"1 a true 1 1", "2 b true 1 1", "3 a false 2 1", "4 b false 2 2"}, order)
	require.Equal(t, map[string]int{"a": 2, "b": 2}, server.UIDs())
	counts := server.Counts()
	require.Equal(t, takserver.Counts{Unique: 2, Total: 4, Pings: 2, Hellos: 2, Connections: 2, Accepted: 2}, counts)
	require.Len(t, server.Events(3), 1)
	server.Reset()
	require.Empty(t, server.Events(0))
	require.Zero(t, server.Counts().Total)
}

func TestMalformedEventsCostOnlyThemselves(t *testing.T) {
	for name, bad := range map[string]string{
		"not XML":      `<event uid=></event>`,
		"no uid":       strings.Replace(event("x"), `uid="x"`, ``, 1),
		"no how":       strings.Replace(event("x"), `how="m-i"`, ``, 1),
		"no point":     strings.Replace(event("x"), point, ``, 1),
		"ce inf":       strings.Replace(event("x"), `ce="12.345"`, `ce="inf"`, 1),
		"exponent":     strings.Replace(event("x"), `ce="12.345"`, `ce="1e-5"`, 1),
		"latitude":     strings.Replace(event("x"), `lat="33.83545871"`, `lat="90.1"`, 1),
		"python time":  strings.Replace(event("x"), `05:06:09.250Z`, `05:06:09+00:00Z`, 1),
		"control char": strings.Replace(event("x"), `seen`, "\x01", 1),
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, takserver.Options{})
			send(t, connect(t, server), event("a")+bad+event("b"))
			counts := server.Counts()
			require.Equal(t, [3]int{2, 2, 1}, [3]int{counts.Unique, counts.Total, counts.Malformed})
		})
	}
}

func TestNamesProblems(t *testing.T) {
	for want, text := range map[string]string{
		"something stands before the event":           `<?xml version="1.0"?>` + event("x"),
		"a line end in the event":                     strings.Replace(event("x"), "seen", "s\nn", 1),
		"not ASCII":                                   strings.Replace(event("x"), "seen", "gesehen \u00e4", 1),
		"more than 2048 bytes":                        strings.Replace(event("x"), "seen", strings.Repeat("x", 2048), 1),
		"a time that is not YYYY-MM-DDTHH:MM:SS.mmmZ": strings.Replace(event("x"), `start="2026-03-04T05:06:06.250Z"`, `start="2026-03-04T05:06:06Z"`, 1),
		"stale is not after start":                    strings.Replace(event("x"), `stale="2026-03-04T05:11`, `stale="2026-03-04T05:01`, 1),
		"no detail":                                   event("x")[:strings.Index(event("x"), "<detail>")] + "</event>",
	} {
		server := start(t, takserver.Options{})
		send(t, connect(t, server), text)
		require.Equal(t, []string{want}, server.Events(0)[0].Problems)
		require.Equal(t, 1, server.Counts().Problems)
	}
}

func TestSplitEventsAndAFinalPart(t *testing.T) {
	server := start(t, takserver.Options{})
	conn := connect(t, server)
	text := event("a") + event("b")
	for i := range text {
		_, err := io.WriteString(conn, text[i:i+1])
		require.NoError(t, err)
	}
	_, err := io.WriteString(conn, event("c")[:100])
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return server.Counts().Truncated == 1 }, deadline, tick)
	require.Equal(t, 2, server.Counts().Total)
	require.Zero(t, server.Counts().Malformed)
}

func TestMute(t *testing.T) {
	server := start(t, takserver.Options{Mute: true})
	conn := connect(t, server)
	_, err := io.WriteString(conn, ping+ping)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return server.Counts().Pings == 2 }, deadline, tick)
	server.SetMute(false)
	send(t, conn, "") // one answer and not three
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestPauseAndResume(t *testing.T) {
	server := start(t, takserver.Options{})
	conn := connect(t, server)
	send(t, conn, event("a"))
	request(t, http.MethodPost, server.ControlURL+"/pause")
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(deadline)))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	_, err = net.Dial("tcp", server.CoTAddr())
	require.Error(t, err)
	require.JSONEq(t, `{"status":"ok","paused":true}`, request(t, http.MethodGet, server.ControlURL+"/health"))
	request(t, http.MethodPost, server.ControlURL+"/resume")
	send(t, connect(t, server), event("b"))
	require.Len(t, server.Events(0), 2)
}

func TestControlAPI(t *testing.T) {
	server := start(t, takserver.Options{})
	send(t, connect(t, server), event("a")+event("b")+event("a"))
	lines := strings.Split(strings.TrimSpace(request(t, http.MethodGet, server.ControlURL+"/events?since=1")), "\n")
	require.Len(t, lines, 2)
	var got takserver.Event
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &got))
	require.Equal(t, server.Events(1)[0], got)
	require.Len(t, strings.Split(strings.TrimSpace(request(t, http.MethodGet, server.ControlURL+"/events?uid=a")), "\n"), 2)
	require.Equal(t, `{"count":2,"uid":"a"}`+"\n"+`{"count":1,"uid":"b"}`+"\n", request(t, http.MethodGet, server.ControlURL+"/uids"))
	var counts takserver.Counts
	require.NoError(t, json.Unmarshal([]byte(request(t, http.MethodGet, server.ControlURL+"/count")), &counts))
	require.Equal(t, [3]int{2, 3, 0}, [3]int{counts.Unique, counts.Total, counts.Malformed})
	request(t, http.MethodPost, server.ControlURL+"/reset")
	require.Empty(t, request(t, http.MethodGet, server.ControlURL+"/events"))
	request(t, http.MethodPost, server.ControlURL+"/mute?on=true")
	for _, bad := range []string{"/events?since=x", "/pause", "/nothing"} {
		response, err := http.Get(server.ControlURL + bad)
		require.NoError(t, err)
		response.Body.Close()
		require.GreaterOrEqual(t, response.StatusCode, 400, bad)
	}
}

func request(t *testing.T, method, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	return string(body)
}

func TestKeepsTheLastEvents(t *testing.T) {
	server := start(t, takserver.Options{MaxEvents: 10})
	conn := connect(t, server)
	for round := range 2 {
		var text strings.Builder
		for i := range 25 {
			text.WriteString(event(fmt.Sprint("e", i)))
		}
		send(t, conn, text.String())
		events := server.Events(0)
		require.Len(t, events, 10)
		require.Equal(t, "e15", events[0].UID)
		require.Equal(t, "e24", events[9].UID)
		require.Equal(t, 25*(round+1), events[9].Seq)
		require.Equal(t, [3]int{25, 25, 15}, [3]int{server.Counts().Unique, server.Counts().Total, server.Counts().Dropped})
		server.Reset()
	}
}
