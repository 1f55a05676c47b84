// Package outbound makes calls that somebody asks for over HTTP. The interface is
// the platform's own:
//
//	POST /v1/calls          {"to": "sip:…", …} makes a call; 202 with its state
//	GET /v1/calls/{id}      the state of a call
//	DELETE /v1/calls/{id}   hangs up, or gives up; 204
//
// A call's state is calling, up or over; one that is over can be asked for a
// while. With a token configured, requests need Authorization: Bearer TOKEN.
//
// A call with an analysis is listened to (call progress analysis). It is given up
// when the network's tones say that nobody will answer. Once somebody has, the
// service begins when it is known who, or after a machine's greeting or beep; the
// state then has a progress, and VoiceXML pages have the same in
// session.connection.progress.
package outbound

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/route"
	"mcp/control/sip"
)

// Server makes calls; *call.Server is one.
type Server interface {
	Place(ctx context.Context, p call.Placement) (*call.Placed, error)
}

// Config is what an operator can set about calls over HTTP.
type Config struct {
	// Token is what requests must bear; empty: none need one.
	Token string
	// Patience bounds the time until the answer, where a request does not say. 60 s.
	Patience time.Duration
}

// kept is how long a call that is over can be asked for.
const kept = 5 * time.Minute

// Service makes calls over HTTP. It implements http.Handler.
type Service struct {
	config Config
	server Server
	routes route.Table
	log    *slog.Logger
	mux    *http.ServeMux
	ctx    context.Context // calls run under it
	cancel context.CancelFunc

	mu    sync.Mutex // guards what follows
	calls map[string]*call.Placed
	live  sync.WaitGroup
}

// New makes the service. Close must follow.
func New(c Config, server Server, log *slog.Logger) *Service {
	if c.Patience <= 0 {
		c.Patience = time.Minute
	}
	s := &Service{config: c, server: server, log: log, mux: http.NewServeMux(), calls: map[string]*call.Placed{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mux.HandleFunc("POST /v1/calls", s.create)
	s.mux.HandleFunc("GET /v1/calls/{id}", s.show)
	s.mux.HandleFunc("DELETE /v1/calls/{id}", s.hangUp)
	return s
}

// Close ends the calls and waits for them.
func (s *Service) Close() error {
	s.cancel()
	s.live.Wait()
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.config.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.config.Token)) != 1 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mcp"`)
		fail(w, http.StatusUnauthorized, "a token is needed")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Order is the body of a POST.
type Order struct {
	To   string `json:"to"`             // SIP URI
	From string `json:"from,omitempty"` // SIP URI; the platform by default
	// Service is what the party is served, as a number of the configuration is given
	// its meaning: an application's URL, annc;play=URL, conf=NAME, msml. Empty: the
	// default application.
	Service string            `json:"service,omitempty"`
	Params  map[string]string `json:"params,omitempty"`  // of the service, such as aai
	Headers map[string]string `json:"headers,omitempty"` // of the INVITE
	AAI     string            `json:"aai,omitempty"`     // told to the party's application: User-to-User (RFC 7433), at most 128 octets
	Timeout string            `json:"timeout,omitempty"` // until the answer, such as 30s
	// Analysis has the call listened to. Absent: it is not.
	Analysis *Analysis `json:"analysis,omitempty"`
}

// Analysis says how a call is listened to.
type Analysis struct {
	Profile progress.Profile `json:"profile,omitempty"` // normal, voice or machine; the configuration's by default
	// Until is when the service begins if a machine answers: greeting or beep, after
	// that. Empty: once it is known that it is a machine.
	Until progress.Until `json:"until,omitempty"`
}

// State is what is told of a call.
type State struct {
	ID     string `json:"id"`
	State  string `json:"state"`            // calling, up, over
	Status int    `json:"status,omitempty"` // of the refusal, if the party refused
	Error  string `json:"error,omitempty"`  // why nobody answered
	// Progress is what the analysis found. Absent: nothing so far, or there is none.
	Progress *Progress `json:"progress,omitempty"`
}

// Progress is what was heard of a call.
type Progress struct {
	Outcome  string `json:"outcome"`  // human, machine, fax, silence, undetermined, busy, fast_busy, ringback, sit_…
	Answered bool   `json:"answered"` // heard after the answer
	Beep     bool   `json:"beep"`     // a machine's, if it is waited for
	After    int64  `json:"after_ms"` // from the answer, or from the call where there was none
}

// placement reads an order.
func (o Order) placement(patience time.Duration) (call.Placement, error) {
	p := call.Placement{Destination: call.Destination{To: o.To, From: o.From, Headers: o.Headers, Patience: patience}, AAI: o.AAI}
	if o.To == "" {
		return p, errors.New("to is missing")
	}
	if o.Timeout != "" {
		var err error
		if p.Patience, err = time.ParseDuration(o.Timeout); err != nil || p.Patience <= 0 {
			return p, fmt.Errorf("timeout %q is no duration", o.Timeout)
		}
	}
	if o.Analysis != nil {
		p.Analysis = &progress.Options{Profile: o.Analysis.Profile, Until: o.Analysis.Until}
	}
	const number = "ordered"
	table := route.Table{Numbers: map[string]string{number: o.Service}}
	var err error
	p.Request, err = table.Select(route.URI{User: number, Params: o.Params})
	return p, err
}

func (s *Service) create(w http.ResponseWriter, r *http.Request) {
	var order Order
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&order); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	p, err := order.placement(s.config.Patience)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	placed, err := s.place(p)
	var refused *call.Refusal
	switch {
	case errors.As(err, &refused):
		fail(w, refused.Status, err.Error())
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	default:
		w.Header().Set("Location", "/v1/calls/"+placed.ID())
		answer(w, http.StatusAccepted, stateOf(placed))
	}
}

// place makes a call and remembers it for a while after its end.
func (s *Service) place(p call.Placement) (*call.Placed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, errors.New("the platform is stopping")
	}
	placed, err := s.server.Place(s.ctx, p)
	if err != nil {
		return nil, err
	}
	s.calls[placed.ID()] = placed
	s.live.Go(func() {
		<-placed.Done()
		s.log.Info("placed call over", "call", placed.ID(), "error", placed.Err())
		time.AfterFunc(kept, func() { s.forget(placed.ID()) })
	})
	return placed, nil
}

func (s *Service) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, id)
}

func (s *Service) find(w http.ResponseWriter, r *http.Request) *call.Placed {
	s.mu.Lock()
	defer s.mu.Unlock()
	placed := s.calls[r.PathValue("id")]
	if placed == nil {
		fail(w, http.StatusNotFound, "there is no such call")
	}
	return placed
}

func (s *Service) show(w http.ResponseWriter, r *http.Request) {
	if placed := s.find(w, r); placed != nil {
		answer(w, http.StatusOK, stateOf(placed))
	}
}

func (s *Service) hangUp(w http.ResponseWriter, r *http.Request) {
	if placed := s.find(w, r); placed != nil {
		placed.HangUp()
		w.WriteHeader(http.StatusNoContent)
	}
}

func stateOf(p *call.Placed) State {
	state := State{ID: p.ID(), State: "calling"}
	if p.Answered() {
		state.State = "up"
	}
	select {
	case <-p.Done():
		state.State = "over"
	default:
	}
	if r, known := p.Progress(); known {
		state.Progress = &Progress{string(r.Outcome), r.Answered, r.Beep, r.After.Milliseconds()}
	}
	if err := p.Err(); err != nil {
		var refused *sip.RejectedError
		if errors.As(err, &refused) {
			state.Status = refused.Status
		}
		state.Error = err.Error()
	}
	return state
}

func fail(w http.ResponseWriter, status int, what string) {
	answer(w, status, map[string]string{"error": what})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that does not read has gone.
	_ = json.NewEncoder(w).Encode(body)
}
