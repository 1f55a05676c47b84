// Package orstest is an orchestration server for tests and demonstrations: the URLs of
// the real one's REST interface, with a list of treatments in the place of an SCXML
// application.
package orstest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Treatment is one of a session's; a zero one ends it.
type Treatment struct{ Name, Src string }

// Event is what a session was told.
type Event struct {
	Session, Name string
	With          url.Values
}

// Server is an http.Handler. Its zero value has no treatments: every session ends at once.
type Server struct {
	// Treatments are what each session is to be treated with, in their order.
	Treatments []Treatment
	// Fault, when set, answers in the place of the server and returns true.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// JSON lets answers be JSON instead of XML.
	JSON bool

	mu       sync.Mutex
	sessions map[string]*session
	events   []Event
}

type session struct {
	at   int // the next treatment's number
	with url.Values
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /scxml/session/start", s.start)
	mux.HandleFunc("GET /scxml/session/{id}/request/{name}", s.request)
	mux.HandleFunc("POST /scxml/session/{id}/event/{name}", s.event)
	mux.HandleFunc("POST /scxml/session/{id}/terminate", s.terminate)
	mux.ServeHTTP(w, r)
}

func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("src") == "" {
		http.Error(w, "src is missing", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("00ORS%06d", len(s.sessions)+1)
	if s.sessions == nil {
		s.sessions = map[string]*session{}
	}
	s.sessions[id] = &session{with: r.PostForm}
	fmt.Fprintln(w, id)
}

// Join makes a session of a name, as if something else had started it.
func (s *Server) Join(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions = map[string]*session{}
	}
	s.sessions[id] = &session{}
}

func (s *Server) request(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	known := s.sessions[r.PathValue("id")]
	var t Treatment
	if known != nil && known.at < len(s.Treatments) {
		t = s.Treatments[known.at]
		known.at++
	}
	s.mu.Unlock()
	switch {
	case known == nil:
		http.Error(w, "no such session", http.StatusNotFound)
	case s.JSON && t.Src == "":
		fmt.Fprint(w, `{"end": true}`)
	case s.JSON:
		fmt.Fprintf(w, `{"treatment": %q, "src": %q}`, t.Name, t.Src)
	case t.Src == "":
		fmt.Fprint(w, `<treatment end="true"/>`)
	default:
		fmt.Fprintf(w, `<treatment name="%s" src="%s"/>`, escaped(t.Name), escaped(t.Src))
	}
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	return b.String()
}

func (s *Server) event(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[r.PathValue("id")] == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	s.events = append(s.events, Event{r.PathValue("id"), r.PathValue("name"), r.PostForm})
}

func (s *Server) terminate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[r.PathValue("id")] == nil {
		http.Error(w, "no such session", http.StatusNotFound)
		return
	}
	delete(s.sessions, r.PathValue("id"))
}

// Events are what the sessions were told, in the order of hearing.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event{}, s.events...)
}

// Started is what a session was started with; nil: there is none.
func (s *Server) Started(id string) url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.sessions[id]; known != nil {
		return known.with
	}
	return nil
}
