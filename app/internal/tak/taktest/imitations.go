package taktest

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Imitations returns the six receivers.
func Imitations() []Imitation {
	return []Imitation{ATAK(), TAKServer(0), Goatak(), FreeTAKServer(), OpenTAKServer(), Taky()}
}

// answer is a pong as most servers send it.
func answer() []byte { return Event("takPong", pongType, "") }

// ATAK reads a time that it does not understand as now, and then the event is stale at birth.
func ATAK() Imitation {
	return Imitation{Name: "ATAK", Answers: true, buffer: 64 << 10, newReceiver: func(s *Server) receiver { return &atak{Server: s} }}
}

type atak struct {
	*Server
	buf string
}

func (r *atak) receive(portion []byte) (reply []byte, err error) {
	r.buf += string(portion)
	for _, text := range cut(&r.buf) {
		e, err := parse(strings.TrimSpace(text))
		if err == nil {
			err = e.complete()
		}
		now := time.Now().UTC()
		switch {
		case err != nil:
			r.fault("drops an event: %v", err)
		case e.isPing():
			reply = append(reply, answer()...)
		case !atakTime(e.Stale, now).After(now):
			r.fault("%s is stale at birth: %s", e.UID, e.Stale)
		default:
			r.take(e)
		}
	}
	return reply, nil
}

// takServerMaxChars is where TAK Server gives up on finding the end of an event.
const takServerMaxChars = 8388608

// TAKServer drops what it cannot parse and what is stale, and answers pings only of a client that has said hello, and, when
// its limiter is on, only one in the interval.
func TAKServer(pingInterval time.Duration) Imitation {
	return Imitation{Name: "TAK Server", Answers: true, buffer: 32 << 10, newReceiver: func(s *Server) receiver {
		return &takServer{Server: s, interval: pingInterval}
	}}
}

type takServer struct {
	*Server
	interval   time.Duration
	buf        string
	subscribed bool
	allowed    time.Time // the last ping that the limiter let pass
}

func (r *takServer) receive(portion []byte) (reply []byte, err error) {
	r.buf += string(portion)
	for _, text := range cut(&r.buf) {
		e, err := parse(text[max(0, strings.Index(text, "<event")):])
		now := time.Now()
		switch {
		case err != nil || strings.Contains(text, "<!DOCTYPE"):
			r.fault("drops what it cannot parse: %v", err)
		case e.isPing():
			if r.subscribed && (r.interval == 0 || now.Sub(r.allowed) >= r.interval) {
				r.allowed = now
				reply = append(reply, answer()...)
			}
		case !r.readable(e, now):
			r.fault("drops %s: time %s, stale %s", e.UID, e.Time, e.Stale)
		default:
			r.subscribed = r.subscribed || e.isHello()
			r.take(e)
		}
	}
	if len(r.buf) > takServerMaxChars {
		r.fault("clears a buffer of %d characters", len(r.buf))
		r.buf = ""
	}
	return reply, nil
}

// readable holds that times have a fraction or end in Z, and that the event is not stale.
func (r *takServer) readable(e event, now time.Time) bool {
	for _, text := range []string{e.Time, e.Start, e.Stale} {
		parts := dateTime.FindStringSubmatch(text)
		if parts == nil || parts[2] == "" && parts[3] != "Z" {
			return false
		}
	}
	stale, err := time.Parse(time.RFC3339, e.Stale)
	return err == nil && stale.After(now)
}

const (
	goatakMaxBytes = 2048 // of one element, from its start tag to its end tag
	goatakQueue    = 128  // events that wait for its router; more are dropped
)

// Goatak hangs up on an element of more than 2048 bytes, on bad XML and on a time that is not RFC 3339. When its queue is
// full it drops events and says nothing. Here the queue is emptied at each ping.
func Goatak() Imitation {
	return Imitation{Name: "goatak", Answers: true, buffer: 4 << 10, newReceiver: func(s *Server) receiver { return &goatak{Server: s} }}
}

type goatak struct {
	*Server
	buf    string
	queued int
}

func (r *goatak) receive(portion []byte) (reply []byte, err error) {
	r.buf += string(portion)
	for {
		element, err := r.element()
		if err != nil || element == "" {
			return reply, err
		}
		e, err := parse(element)
		if err != nil {
			return reply, err
		}
		for _, text := range []string{e.Time, e.Start, e.Stale} {
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				return reply, err
			}
		}
		if e.isPing() {
			r.queued = 0
			reply = append(reply, answer()...)
			continue
		}
		if r.queued++; r.queued > goatakQueue {
			r.fault("its queue is full: %s", e.UID)
			continue
		}
		r.take(e)
	}
}

// element takes the next complete one off the buffer, and returns nothing when there is none yet.
func (r *goatak) element() (string, error) {
	for {
		start := strings.IndexByte(r.buf, '<')
		if start < 0 {
			r.buf = ""
			return "", nil
		}
		r.buf = r.buf[start:]
		end := strings.IndexByte(r.buf, '>') + 1
		switch {
		case end == 0 && len(r.buf) > goatakMaxBytes:
			return "", errors.New("a tag that is too long")
		case end == 0:
			return "", nil
		case strings.HasPrefix(r.buf, "</") || strings.LastIndexByte(r.buf[:end], '<') > 0:
			return "", errors.New("bad XML: " + r.buf[:end])
		case strings.HasPrefix(r.buf, "<?"):
			r.buf = r.buf[end:]
			continue
		}
		name := strings.Trim(strings.SplitN(r.buf[:end], " ", 2)[0], "<>/")
		closing := "</" + name + ">"
		size := strings.Index(r.buf, closing) + len(closing)
		switch {
		case size < len(closing) && len(r.buf) <= goatakMaxBytes:
			return "", nil
		case size < len(closing) || size > goatakMaxBytes:
			return "", errors.New("an element that is too long")
		}
		element := r.buf[:size]
		r.buf = r.buf[size:]
		return element, nil
	}
}

// FreeTAKServer takes the first event of a connection for the client's identity and nothing else, removes everything from
// the first XML declaration to the end of the last one in what it has read, wants a detail, and was not seen to answer pings.
func FreeTAKServer() Imitation {
	return Imitation{Name: "FreeTAKServer", buffer: 64 << 10, newReceiver: func(s *Server) receiver { return &freeTAKServer{Server: s} }}
}

type freeTAKServer struct {
	*Server
	buf   string
	known bool
}

var declarations = regexp.MustCompile(`(?s)<\?xml(.*)\?>`)

func (r *freeTAKServer) receive(portion []byte) ([]byte, error) {
	r.buf += string(portion)
	if !strings.HasSuffix(strings.TrimSpace(r.buf), endTag) {
		return nil, nil // it reads on until an event ends
	}
	joined := declarations.ReplaceAllString(r.buf, "")
	r.buf = ""
	for _, text := range cut(&joined) {
		e, err := parse(strings.TrimSpace(text))
		switch {
		case err != nil || e.Detail == nil:
			r.fault("drops an event: detail %v, %v", e.Detail != nil, err)
		case !r.known:
			r.known = true
		case !e.isPing():
			r.take(e)
		}
	}
	return nil, nil
}

// OpenTAKServer loses an event that begins in one read and ends in the next when another one ended before it, loses what
// follows an XML declaration that is not at the beginning, hangs up on a character that is split, and answers a ping with
// the ping.
func OpenTAKServer() Imitation {
	return Imitation{Name: "OpenTAKServer", Answers: true, buffer: 64 << 10, newReceiver: func(s *Server) receiver { return &openTAKServer{Server: s} }}
}

type openTAKServer struct {
	*Server
	buf string
}

func (r *openTAKServer) receive(portion []byte) (reply []byte, err error) {
	if !utf8.Valid(portion) {
		return nil, errors.New("not UTF-8: a split character")
	}
	r.buf += string(portion)
	if !strings.Contains(r.buf, endTag) {
		return nil, nil
	}
	all := r.buf
	r.buf = "" // with the beginning of an event that may be behind the last complete one
	for _, text := range cut(&all) {
		e, err := parse(text)
		if err != nil {
			r.fault("throws the rest of the buffer away: %v", err)
			return reply, nil
		}
		if e.isPing() {
			reply = append(reply, text...)
			continue
		}
		r.take(e)
	}
	if all != "" {
		r.fault("throws %d bytes of an event away", len(all))
	}
	return reply, nil
}

// Taky leaves out XML declarations, hangs up on bad XML, and drops an event with a date that it cannot read.
func Taky() Imitation {
	return Imitation{Name: "taky", Answers: true, buffer: 4 << 10, newReceiver: func(s *Server) receiver { return &taky{Server: s} }}
}

type taky struct {
	*Server
	buf string
}

var (
	declaration = regexp.MustCompile(`<\?xml[^>]*\?>`)
	takyTime    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`)
)

func (r *taky) receive(portion []byte) (reply []byte, err error) {
	r.buf += string(portion)
	for _, text := range cut(&r.buf) {
		e, err := parse(strings.TrimSpace(declaration.ReplaceAllString(text, "")))
		switch {
		case err != nil:
			return reply, err
		case e.isPing():
			reply = append(reply, answer()...)
		case !takyTime.MatchString(e.Time) || !takyTime.MatchString(e.Start) || !takyTime.MatchString(e.Stale):
			r.fault("drops %s: time %s", e.UID, e.Time)
		default:
			r.take(e)
		}
	}
	return reply, nil
}
