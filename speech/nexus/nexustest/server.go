// Package nexustest stands in for a bot or an assistant at the far end of the public
// AudioHook protocol: a WebSocket server that holds its client to the protocol's rules,
// with any engine behind it. It is what tests and demonstrations of package nexus talk
// to.
package nexustest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"mcp/speech/nexus/audiohook"
	"mcp/speech/speechtest"
)

// Config is where and how the server listens.
type Config struct {
	Listen string      // HOST:PORT; 127.0.0.1:0
	TLS    *tls.Config // nil: plain
	// APIKey, if set, is the key that requests must have; Secret, base64, what they
	// must be signed with.
	APIKey, Secret string
	// Pause is how long a silence ends what a caller says; 800 ms.
	Pause time.Duration
	// L16 chooses 16-bit audio where it is offered.
	L16 bool
	// Brain is what the bot thinks; Parrot.
	Brain Brain
}

// Brain is what a bot thinks.
type Brain interface {
	// Greet is what is said first; empty: nothing.
	Greet(o audiohook.Open) string
	// Answer is what is said to what was heard, or to keys; heard is empty for what
	// cannot be understood.
	Answer(heard, keys string) Reply
}

// Reply is a bot's.
type Reply struct {
	Disposition string // match, no_match, no_input
	Text        string // what is reported
	Say         string // what is said; empty: nothing
	End         bool   // the bot is done, and gives Variables back
	Variables   map[string]string
}

// Parrot repeats what it hears, and ends at "good bye" or "stop".
type Parrot struct{}

// Greet implements Brain.
func (Parrot) Greet(audiohook.Open) string { return "How may I help you" }

// Answer implements Brain.
func (Parrot) Answer(heard, keys string) Reply {
	switch {
	case heard+keys == "":
		return Reply{Disposition: "no_match", Say: "I did not understand"}
	case heard == "stop" || strings.ReplaceAll(heard, " ", "") == "goodbye":
		return Reply{Disposition: "match", Text: heard, Say: "Good bye", End: true, Variables: map[string]string{"outcome": "done"}}
	}
	return Reply{Disposition: "match", Text: heard + keys, Say: "You said " + heard + keys}
}

// Server serves WebSockets.
type Server struct {
	config   Config
	secret   []byte
	engine   speechtest.Engine
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	ctx      context.Context
	cancel   context.CancelFunc
	serving  sync.WaitGroup

	mu         sync.Mutex // guards what follows
	faults     Faults
	sessions   []*Session
	open       int
	refused    int
	violations []string
}

// Faults are what goes wrong on purpose.
type Faults struct {
	Status       int  // answers requests with this HTTP status
	Mute         bool // never says opened
	Unauthorized bool // disconnects instead of opened
	Format       bool // chooses a format that was not offered
	Garbage      bool // sends what is no JSON, once open
	Sequence     bool // skips a sequence number, once open
	Huge         bool // sends a message larger than allowed, once open
	Pongless     bool // never says pong
	Cut          bool // ends the connection when the caller begins to speak, and those that continue it with their first audio
	Deaf         bool // stops reading, once open
	Reconnect    bool // asks to reconnect, once
	Early        bool // sends audio before opened
}

// NewServer binds the address and serves. Close must be called.
func NewServer(c Config, engine speechtest.Engine, log *slog.Logger) (*Server, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Pause <= 0 {
		c.Pause = 800 * time.Millisecond
	}
	if c.Brain == nil {
		c.Brain = Parrot{}
	}
	secret, err := base64.StdEncoding.DecodeString(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, secret: secret, engine: engine, log: log, listener: listener}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: s, TLSConfig: c.TLS, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	serve := func() error { return s.http.Serve(listener) }
	if c.TLS != nil {
		serve = func() error { return s.http.ServeTLS(listener, "", "") }
	}
	s.serving.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("serve", "error", err)
		}
	})
	return s, nil
}

// URL is where the bot is.
func (s *Server) URL() string {
	scheme := "ws"
	if s.config.TLS != nil {
		scheme = "wss"
	}
	return scheme + "://" + s.listener.Addr().String() + "/bot?x=1"
}

// Close ends all sessions.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.serving.Wait()
	return err
}

// Fail has things go wrong from now on.
func (s *Server) Fail(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

func (s *Server) failing() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// Sessions are all that there were, in the order of their opening.
func (s *Server) Sessions() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Session(nil), s.sessions...)
}

// Open is how many sessions are open.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Refused is how many requests were answered with the status of Faults.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// playing tells whether the client had begun to play what a session of these said.
func (s *Server) playing(continued []audiohook.Continued) bool {
	for _, of := range s.Sessions() {
		for _, c := range continued {
			if of.id == c.ID && of.isPlaying() {
				return true
			}
		}
	}
	return false
}

// Violations are what clients did against the protocol's rules.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.violations...)
}

func (s *Server) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Warn("protocol violated", "how", text)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, text)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := s.failing().Status; status != 0 {
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		http.Error(w, http.StatusText(status), status)
		return
	}
	if err := s.admit(r); err != nil {
		s.log.Warn("request refused", "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		s.log.Warn("accept", "error", err)
		return
	}
	s.serving.Add(1)
	defer s.serving.Done()
	ws.SetReadLimit(1 << 20)
	session := &Session{server: s, ws: ws, id: r.Header.Get("Audiohook-Session-Id"), organization: r.Header.Get("Audiohook-Organization-Id")}
	s.mu.Lock()
	s.sessions = append(s.sessions, session)
	s.open++
	s.mu.Unlock()
	session.run(s.ctx)
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
}

// admit checks who asks.
func (s *Server) admit(r *http.Request) error {
	for _, name := range []string{"Audiohook-Organization-Id", "Audiohook-Session-Id", "Audiohook-Correlation-Id", "X-Api-Key"} {
		if _, there := r.Header[name]; !there {
			return fmt.Errorf("header %s is missing", name)
		}
	}
	if key := r.Header.Get("X-Api-Key"); s.config.APIKey != "" && key != s.config.APIKey {
		return fmt.Errorf("API key %q is not known", key)
	}
	if len(s.secret) > 0 {
		return audiohook.Verify(r, s.secret, time.Now())
	}
	return nil
}
