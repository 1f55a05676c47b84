// Package speechserver is a speech server: MRCPv2 over SIP and MRCPv1 over RTSP on
// one side, the engines of package engine on the other. It stands where a
// commercial speech server would, and does wrong what it is told to.
package speechserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"mcp/cmd/mcplab/engine"
	"mcp/control/sip"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/sdp"
)

// Config is where the server listens.
type Config struct {
	// Listen are the SIP sockets; default tcp and udp on Addr, port 5060.
	Listen []string
	// Addr is where MRCP and RTP are; default 127.0.0.1.
	Addr netip.Addr
	// Engine configures the engines.
	Engine engine.Config
	// MaxSessions bounds sessions at a time; 0 is no limit.
	MaxSessions int
	// MRCPPort and RTSPPort are the TCP ports of MRCPv2 and of RTSP; 0 takes a free
	// one.
	MRCPPort, RTSPPort uint16
	// Certificate and Key are PEM files that have both go over TLS.
	Certificate, Key string
	// Faults are what to do wrong from the beginning, as mrcptest.ParseFault reads it,
	// or "refuse".
	Faults []string
	// Control is where faults can be asked for over HTTP; empty is nowhere.
	Control string
	// Recordings is the folder of what is recorded; the system's for temporary files.
	Recordings string
}

// Server is a running speech server.
type Server struct {
	engine *engine.Engine
	mrcp   *mrcptest.Server
	agent  *sip.Agent
	faults *faults
	log    *slog.Logger
}

// New starts the engines and binds the listeners.
func New(c Config, log *slog.Logger) (*Server, error) {
	if !c.Addr.IsValid() {
		c.Addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if len(c.Listen) == 0 {
		at := netip.AddrPortFrom(c.Addr, 5060).String()
		c.Listen = []string{"tcp:" + at, "udp:" + at}
	}
	config, err := c.resources()
	if err != nil {
		return nil, err
	}
	engines, err := engine.New(c.Engine)
	if err != nil {
		return nil, err
	}
	resources, err := mrcptest.NewServer(config, &voice{engines, log}, log)
	if err != nil {
		return nil, errors.Join(err, engines.Close())
	}
	agent, err := sip.New(sip.Config{Listen: c.Listen, UserAgent: "mcplab-speech"}, log)
	if err != nil {
		return nil, errors.Join(err, resources.Close(), engines.Close())
	}
	s := &Server{engine: engines, mrcp: resources, agent: agent, log: log}
	if s.faults, err = newFaults(c, resources, log); err != nil {
		return nil, errors.Join(err, resources.Close(), engines.Close())
	}
	return s, nil
}

// resources configures the MRCP side.
func (c Config) resources() (mrcptest.Config, error) {
	config := mrcptest.Config{Addr: c.Addr, Port: c.MRCPPort, RTSP: true, RTSPPort: c.RTSPPort, MaxSessions: c.MaxSessions, Recordings: c.Recordings}
	if c.Certificate != "" {
		own, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return config, fmt.Errorf("certificate: %w", err)
		}
		config.TLS = &tls.Config{Certificates: []tls.Certificate{own}}
	}
	return config, nil
}

// URI is where MRCPv1 is spoken.
func (s *Server) URI() string { return s.mrcp.URI() }

// Control is where faults can be asked for, or "".
func (s *Server) Control() string { return s.faults.addr() }

// Addrs are the SIP addresses bound.
func (s *Server) Addrs() []net.Addr { return s.agent.Addrs() }

// Serve answers until the context ends, then takes everything down.
func (s *Server) Serve(ctx context.Context) error {
	err := s.agent.Serve(ctx, s)
	return errors.Join(err, s.faults.close(), s.mrcp.Close(), s.engine.Close())
}

// Invite implements sip.Handler: one dialog is one MRCP session.
func (s *Server) Invite(ctx context.Context, d *sip.Dialog) {
	log := s.log.With("call_id", d.CallID())
	answer, session, err := s.mrcp.Answer(d.RemoteSDP(), d.RemoteHost())
	if err != nil {
		s.refuse(ctx, d, err, log)
		return
	}
	defer session.Close()
	if err := d.Answer(ctx, answer); err != nil {
		log.Warn("session was not taken up", "error", err)
		return
	}
	log.Info("session opened", "session", session.ID(), "peer", d.RemoteHost(), "media", session.Media())
	if err := s.attend(ctx, d, session); err != nil {
		log.Warn("end session", "error", err)
	}
	sent, received := session.Packets()
	log.Info("session closed", "session", session.ID(), "rtp_sent", sent, "rtp_received", received)
}

// Admit implements sip.Gate: whether a session is taken is found out from its offer.
func (s *Server) Admit() *sip.Refusal { return nil }

// Capacity implements sip.Gate: OPTIONS is told whether sessions are taken.
func (s *Server) Capacity() (headers map[string]string, refused *sip.Refusal) {
	if s.mrcp.Available() != nil {
		return nil, &sip.Refusal{Status: 503}
	}
	return nil, nil
}

func (s *Server) refuse(ctx context.Context, d *sip.Dialog, err error, log *slog.Logger) {
	refusal := &mrcptest.Refusal{Status: 500, Reason: "Server Internal Error"}
	errors.As(err, &refusal)
	log.Warn("session refused", "status", refusal.Status, "error", err)
	if err := d.Reject(ctx, refusal.Status, refusal.Reason, nil); err != nil {
		log.Warn("refuse session", "error", err)
	}
}

// attend holds the dialog until either side ends it.
func (s *Server) attend(ctx context.Context, d *sip.Dialog, session *mrcptest.Session) error {
	for {
		select {
		case event, open := <-d.Events():
			if !open {
				return nil
			}
			if err := answerEvent(ctx, event, session); err != nil {
				return err
			}
		case <-session.Done():
			return d.Bye(ctx, nil)
		case <-ctx.Done():
			return nil // the agent hangs up what is left when it stops
		}
	}
}

func answerEvent(ctx context.Context, event sip.Event, session *mrcptest.Session) error {
	switch event := event.(type) {
	case *sip.Reinvite:
		return answerChange(ctx, event, session)
	case *sip.Info:
		return event.Respond(200)
	case sip.Lost:
		return fmt.Errorf("client lost: %w", event.Err)
	}
	return nil
}

// answerChange answers a re-INVITE: one that adds resources or gives them back, or
// one that only keeps the session alive.
func answerChange(ctx context.Context, event *sip.Reinvite, session *mrcptest.Session) error {
	if len(event.Offer) == 0 {
		return event.Accept(ctx, session.Description(sdp.ConnectionExisting))
	}
	answer, err := session.Reoffer(event.Offer)
	var refusal *mrcptest.Refusal
	if errors.As(err, &refusal) {
		return event.Reject(ctx, refusal.Status, refusal.Reason)
	}
	if err != nil {
		return err
	}
	return event.Accept(ctx, answer)
}
