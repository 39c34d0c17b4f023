package takserver

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// routes is the control API:
//
//	GET  /events?since=N&uid=U  the events kept, one JSON object a line, those after number N, those of one uid
//	GET  /uids                  {"uid":U,"count":N} a line, in the order of the uids
//	GET  /count                 the Counts
//	POST /reset                 forget events and counts
//	POST /pause, /resume        close the CoT port and its connections; open it again
//	POST /mute?on=true|false    leave pings unanswered
//	GET  /health                {"status":"ok","paused":false}, also while paused
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /events", s.getEvents)
	mux.HandleFunc("GET /uids", s.getUIDs)
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { s.reply(w, s.Counts()) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		s.reply(w, map[string]any{"status": "ok", "paused": s.Paused()})
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		s.reply(w, s.Counts())
	})
	mux.HandleFunc("POST /pause", func(w http.ResponseWriter, _ *http.Request) {
		s.Pause()
		s.log.Info("paused")
		s.reply(w, map[string]bool{"paused": true})
	})
	mux.HandleFunc("POST /resume", s.postResume)
	mux.HandleFunc("POST /mute", s.postMute)
	return mux
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.Atoi(r.FormValue("since"))
	if err != nil && r.FormValue("since") != "" {
		http.Error(w, "since must be a number", http.StatusBadRequest)
		return
	}
	uid := r.FormValue("uid")
	s.lines(w, func(line func(any) error) error {
		for _, event := range s.Events(since) {
			if uid != "" && event.UID != uid {
				continue
			}
			if err := line(event); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) getUIDs(w http.ResponseWriter, _ *http.Request) {
	counts := s.UIDs()
	s.lines(w, func(line func(any) error) error {
		for _, uid := range slices.Sorted(maps.Keys(counts)) {
			if err := line(map[string]any{"uid": uid, "count": counts[uid]}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) postResume(w http.ResponseWriter, _ *http.Request) {
	if err := s.Resume(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.log.Info("resumed")
	s.reply(w, map[string]bool{"paused": false})
}

func (s *Server) postMute(w http.ResponseWriter, r *http.Request) {
	on, err := strconv.ParseBool(r.FormValue("on"))
	if err != nil {
		http.Error(w, "on must be true or false", http.StatusBadRequest)
		return
	}
	s.SetMute(on)
	s.reply(w, map[string]bool{"mute": on})
}

// lines answers with JSON lines.
func (s *Server) lines(w http.ResponseWriter, write func(line func(any) error) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false) // events are full of '<'
	err := write(encoder.Encode)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		s.log.Warn("write lines", "error", err)
	}
}

func (s *Server) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Warn("write reply", "error", err)
	}
}
