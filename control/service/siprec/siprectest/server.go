// Package siprectest is a recording server (RFC 7866) in memory: it answers calls,
// and keeps what it is told and sent.
package siprectest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mcp/control/media/codec"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// Options say how a server behaves. The zero value takes every call.
type Options struct {
	// Refuse is the status of its refusals; 0: it takes calls.
	Refuse int
	// Deaf lets it answer no call at all.
	Deaf bool
	// Codec is the only one that it takes; the first that is offered when zero.
	Codec codec.Codec
}

// Server is a recording server that listens on the loopback interface.
type Server struct {
	options  Options
	agent    *sip.Agent
	stop     context.CancelFunc
	served   sync.WaitGroup
	sessions chan *Session
}

// Start begins to listen, over TCP. Close must follow.
func Start(o Options, log *slog.Logger) (*Server, error) {
	agent, err := sip.New(sip.Config{
		Listen: []string{"tcp:127.0.0.1:0"}, T1: 50 * time.Millisecond, Extensions: []string{"siprec"},
	}, log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{options: o, agent: agent, stop: stop, sessions: make(chan *Session, 16)}
	s.served.Go(func() { _ = agent.Serve(ctx, s) }) // ends with the context
	return s, nil
}

// URI is where it can be called.
func (s *Server) URI() string {
	return "sip:recorder@" + s.agent.Addrs()[0].String() + ";transport=tcp"
}

// Sessions delivers recording sessions as they are answered.
func (s *Server) Sessions() <-chan *Session { return s.sessions }

// Close ends its calls and waits for their ends.
func (s *Server) Close() {
	s.stop()
	s.served.Wait()
}

// Invite implements sip.Handler.
func (s *Server) Invite(ctx context.Context, d *sip.Dialog) {
	switch {
	case s.options.Deaf:
		for range d.Events() {
		}
		return
	case s.options.Refuse != 0:
		_ = d.Reject(ctx, s.options.Refuse, "", nil)
		return
	}
	r, err := s.open(d)
	if err != nil {
		_ = d.Reject(ctx, 488, "", map[string]string{"Warning": `399 srs "` + err.Error() + `"`})
		return
	}
	defer r.close()
	if err := d.Answer(ctx, r.answer("recvonly")); err != nil {
		return
	}
	s.sessions <- r
	for ev := range d.Events() {
		r.take(ev)
	}
}

// Session is a call that is recorded.
type Session struct {
	Dialog  *sip.Dialog
	Streams []*Stream // as they were offered
	Ended   chan struct{}

	mu     sync.Mutex // guards what follows
	parts  [][]header.Part
	bye    bool
	listen sync.WaitGroup
}

// open reads the offer and takes a port for each of its streams.
func (s *Server) open(d *sip.Dialog) (*Session, error) {
	r := &Session{Dialog: d, Ended: make(chan struct{}), parts: [][]header.Part{d.Parts()}}
	for _, section := range strings.Split(string(d.RemoteSDP()), "m=")[1:] {
		stream, err := newStream(section, s.options.Codec)
		if err != nil {
			r.close()
			return nil, err
		}
		r.Streams = append(r.Streams, stream)
		r.listen.Go(stream.receive)
	}
	if len(r.Streams) == 0 {
		return nil, errors.New("no streams")
	}
	return r, nil
}

func (r *Session) answer(direction string) []byte {
	var b strings.Builder
	b.WriteString("v=0\r\no=srs 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n")
	for _, s := range r.Streams {
		fmt.Fprintf(&b, "m=audio %d RTP/AVP %d\r\na=rtpmap:%d %s/%d\r\na=label:%s\r\na=%s\r\n",
			s.port(), s.Codec.PayloadType, s.Codec.PayloadType, s.Codec.Name, s.Codec.ClockRate, s.Label, direction)
	}
	return []byte(b.String())
}

// Offer is a description for a re-INVITE of the server's: recvonly, or inactive.
func (r *Session) Offer(direction string) []byte { return r.answer(direction) }

func (r *Session) take(ev sip.Event) {
	switch ev := ev.(type) {
	case *sip.Reinvite:
		r.mu.Lock()
		r.parts = append(r.parts, ev.Parts())
		r.mu.Unlock()
		_ = ev.Accept(context.Background(), r.answer("recvonly"))
	case sip.ByeReceived:
		r.mu.Lock()
		r.bye = true
		r.mu.Unlock()
	default:
		_ = sip.Decline(ev)
	}
}

// Metadata is what was told so far, in order.
func (r *Session) Metadata() (all [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, parts := range r.parts {
		for _, p := range parts {
			if p.Is("application/rs-metadata+xml") && strings.HasPrefix(p.Disposition, "recording-session") {
				all = append(all, p.Body)
			}
		}
	}
	return all
}

// HungUp tells whether the client ended the session with a BYE.
func (r *Session) HungUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bye
}

func (r *Session) close() {
	for _, s := range r.Streams {
		s.conn.Close()
	}
	r.listen.Wait()
	close(r.Ended)
}

// AskForSnapshot asks the client for all metadata (RFC 7866 section 9.2).
func (r *Session) AskForSnapshot(ctx context.Context) error {
	return r.Dialog.Tell(ctx, sip.Content{
		Type:    "application/rs-metadata+xml",
		Headers: map[string]string{"Require": "siprec", "Content-Disposition": "recording-session"},
		Body:    []byte(`<?xml version="1.0" encoding="UTF-8"?><requestsnapshot xmlns='urn:ietf:params:xml:ns:recording:1'/>`),
	})
}

// loopback is a port of it.
func loopback() (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
}
