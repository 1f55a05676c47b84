// Package mrcptest is an MRCPv2 server (RFC 6787) for tests and demonstrations:
// a synthesizer and a recognizer over any Engine, with its own RTP ports and an
// honest ear for when the caller begins and ends to speak. SIP is left to whoever
// uses it: Server.Answer turns an INVITE's offer into an answer.
package mrcptest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

// Config configures a Server. The zero value listens on the loopback.
type Config struct {
	// Addr is what the server listens on and tells its clients; 127.0.0.1.
	Addr netip.Addr
	// Port is the TCP port of MRCP; 0 takes a free one.
	Port uint16
	// RTSP has the server speak MRCPv1 too (RFC 4463), on RTSPPort or a free port.
	RTSP     bool
	RTSPPort uint16
	// Codecs are what the server speaks, PCMU and PCMA; the client's order decides.
	Codecs []speech.Codec
	// Timeouts hold where a RECOGNIZE names none: 5 s without input, 800 ms and
	// 1.5 s of silence for a complete and an incomplete match, 10 s of speech.
	Timeouts line.Timeouts
	// MaxSessions is how many sessions there may be at a time; 0 is no limit.
	MaxSessions int
	// LossTimeout is how long after the loss of its TCP connection a session ends,
	// so that a client that closes first has the time to send its BYE; 3 s.
	LossTimeout time.Duration
	// MaxMessage bounds requests, in octets; 1 MiB.
	MaxMessage int
	// HTTP fetches grammars; nil is a client with a timeout of 5 s.
	HTTP *http.Client
	// TLS has MRCP go over TLS: clients must offer TCP/TLS/MRCPv2 then. Its first
	// certificate's fingerprint goes into the answer.
	TLS *tls.Config
	// Instant has recognitions ask the engine at once, whatever is said, and end with
	// what it hears: for load, not for ears.
	Instant bool
	// Recordings is the folder that the recorder puts its files in; empty is the
	// system's for temporary files.
	Recordings string
}

func (c Config) withDefaults() Config {
	if !c.Addr.IsValid() {
		c.Addr = netip.MustParseAddr("127.0.0.1")
	}
	if len(c.Codecs) == 0 {
		c.Codecs = []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: line.Rate}, {PayloadType: 8, Name: "PCMA", ClockRate: line.Rate}}
	}
	for _, t := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&c.Timeouts.NoInput, 5 * time.Second},
		{&c.Timeouts.Complete, 800 * time.Millisecond},
		{&c.Timeouts.Incomplete, 1500 * time.Millisecond},
		{&c.Timeouts.MaxSpeech, 10 * time.Second},
		{&c.LossTimeout, 3 * time.Second},
	} {
		if *t.value <= 0 {
			*t.value = t.usual
		}
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 5 * time.Second}
	}
	return c
}

// Refusal is an INVITE that is turned down; Status is the SIP status for it.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Reason) }

// Server is a speech server.
type Server struct {
	cfg      Config
	engine   Engine
	log      *slog.Logger
	listener net.Listener
	rtsp     net.Listener // nil: none

	mu       sync.Mutex
	closed   bool
	faults   Faults
	sessions map[string]*Session // by the channel identifiers' common part
	controls map[*control]struct{}
	tellers  map[*teller]struct{}
	wg       sync.WaitGroup
}

// NewServer begins to listen. Close must be called.
func NewServer(cfg Config, engine Engine, log *slog.Logger) (*Server, error) {
	cfg = cfg.withDefaults()
	for _, codec := range cfg.Codecs {
		if !line.Supports(codec) {
			return nil, fmt.Errorf("codec %s/%d is not supported", codec.Name, codec.ClockRate)
		}
	}
	s := &Server{cfg: cfg, engine: engine, log: log,
		sessions: make(map[string]*Session), controls: make(map[*control]struct{}), tellers: make(map[*teller]struct{})}
	var err error
	if s.listener, err = s.listen(cfg.Port); err != nil {
		return nil, fmt.Errorf("listen for mrcp: %w", err)
	}
	if cfg.RTSP {
		if s.rtsp, err = s.listen(cfg.RTSPPort); err != nil {
			return nil, errors.Join(fmt.Errorf("listen for rtsp: %w", err), s.listener.Close())
		}
		s.wg.Go(func() { s.accept(s.rtsp, s.serveRTSP) })
	}
	s.wg.Go(func() { s.accept(s.listener, s.serve) })
	return s, nil
}

func (s *Server) listen(port uint16) (net.Listener, error) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(s.cfg.Addr, port).String())
	if err == nil && s.cfg.TLS != nil {
		listener = tls.NewListener(listener, s.cfg.TLS)
	}
	return listener, err
}

// URI is where the server speaks MRCPv1: rtsp://host:port, or "" when it does not.
func (s *Server) URI() string {
	switch {
	case s.rtsp == nil:
		return ""
	case s.cfg.TLS != nil:
		return "rtsps://" + s.rtsp.Addr().String()
	}
	return "rtsp://" + s.rtsp.Addr().String()
}

// Addr is where the server listens for MRCP.
func (s *Server) Addr() netip.AddrPort { return s.listener.Addr().(*net.TCPAddr).AddrPort() }

// Sessions is how many sessions there are.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Connections is how many TCP connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.controls) + len(s.tellers)
}

// choose is the first codec of an offer that the server speaks.
func (s *Server) choose(offered []speech.Codec) (speech.Codec, bool) {
	at := slices.IndexFunc(offered, func(c speech.Codec) bool {
		_, ok := sdp.FindCodec(s.cfg.Codecs, c)
		return ok && line.Supports(c)
	})
	if at < 0 {
		return speech.Codec{}, false
	}
	return offered[at], true
}

// Answer answers an INVITE's offer. The peer is the host it came from. The error
// is a *Refusal unless something broke.
func (s *Server) Answer(offer []byte, peer netip.Addr) ([]byte, *Session, error) {
	description, err := sdp.Parse(offer)
	if err != nil {
		return nil, nil, &Refusal{400, err.Error()}
	}
	audio := description.Audio()
	if audio == nil {
		return nil, nil, &Refusal{488, "no audio line"}
	}
	codec, ok := s.choose(audio.Codecs)
	if !ok {
		return nil, nil, &Refusal{488, "no common codec"}
	}
	if !slices.ContainsFunc(description.Controls(), s.supported) {
		return nil, nil, &Refusal{488, "no resource that exists here"}
	}
	session, err := newSession(s, audio, codec)
	if err != nil {
		return nil, nil, err
	}
	connection := sdp.ConnectionNew
	if offersExisting(description) && s.connectedFrom(peer) {
		connection = sdp.ConnectionExisting
	}
	session.describe(description, connection)
	if err := s.admit(session); err != nil {
		session.Close()
		return nil, nil, err
	}
	return session.Description(connection), session, nil
}

// supported tells whether a control line can be granted.
func (s *Server) supported(c *sdp.Control) bool {
	protocol := sdp.ProtocolTCP
	if s.cfg.TLS != nil {
		protocol = sdp.ProtocolTLS
	}
	return c.Protocol == protocol && c.Addr.Port() != 0 && known(c.Resource)
}

func known(resource string) bool {
	return resource == wire.Synthesizer || resource == wire.Recognizer || resource == wire.Recorder
}

// Available is why the server would refuse a session just now, or nil.
func (s *Server) Available() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusalLocked()
}

func (s *Server) refusalLocked() error {
	switch {
	case s.closed:
		return &Refusal{503, "shutting down"}
	case s.faults.Refuse:
		return &Refusal{503, "told to refuse"}
	case s.cfg.MaxSessions > 0 && len(s.sessions) >= s.cfg.MaxSessions:
		return &Refusal{503, "too many sessions"}
	}
	return nil
}

func offersExisting(d *sdp.Description) bool {
	return slices.ContainsFunc(d.Controls(), func(c *sdp.Control) bool { return strings.EqualFold(c.Connection, sdp.ConnectionExisting) })
}

func (s *Server) connectedFrom(peer netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.controls {
		if c.peer == peer.Unmap() {
			return true
		}
	}
	return false
}

// admit makes the session known, unless there is a reason to refuse it.
func (s *Server) admit(session *Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusalLocked(); err != nil {
		return err
	}
	s.sessions[session.id] = session
	return nil
}

// fingerprint is that of the server's certificate (RFC 8122 section 5), or "".
func (s *Server) fingerprint() string {
	if s.cfg.TLS == nil || len(s.cfg.TLS.Certificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(s.cfg.TLS.Certificates[0].Certificate[0])
	return "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// find is the session and the resource of a channel identifier.
func (s *Server) find(channel string) (*Session, string) {
	id, resource, _ := strings.Cut(channel, "@")
	resource = strings.ToLower(resource)
	s.mu.Lock()
	session := s.sessions[strings.ToLower(id)]
	s.mu.Unlock()
	// A session's lock is taken before the server's, never after.
	if session == nil || !session.has(resource) {
		return nil, ""
	}
	return session, resource
}

func (s *Server) forget(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, session.id)
}

func (s *Server) accept(listener net.Listener, serve func(net.Conn)) {
	for {
		nc, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("accept failed", "err", err)
			time.Sleep(10 * time.Millisecond) // out of descriptors: let some be freed
			continue
		}
		serve(nc)
	}
}

func (s *Server) serve(nc net.Conn) {
	c := newControl(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close() // nobody has used it yet
		return
	}
	s.controls[c] = struct{}{}
	s.wg.Go(func() {
		c.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.controls, c)
	})
}

// Close ends every session and connection and waits.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	s.mu.Unlock()
	for _, session := range sessions {
		session.Close()
	}
	err := closed(s.listener.Close())
	if s.rtsp != nil {
		err = errors.Join(err, closed(s.rtsp.Close()))
	}
	s.DropConnections()
	s.wg.Wait()
	return err
}

// closed bears that something was closed before.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
