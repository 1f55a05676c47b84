package mrcptest

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/wire"
)

// Session is one client's session. Its requests are worked off in order by one
// goroutine; mu guards what the resources hold.
type Session struct {
	server *Server
	id     string
	log    *slog.Logger
	port   *line.Port
	inbox  chan request
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	done   chan struct{}
	wg     sync.WaitGroup
	hung   bool // it does nothing any more; that of work

	mu          sync.Mutex
	description sdp.Description
	resources   []string
	control     carrier
	units
}

// units are a session's resources, granted or not.
type units struct {
	synth  *synthesizer
	recog  *recognizer
	record *recorder
}

// carrier takes a session's messages to its client.
type carrier interface {
	send(m *wire.Message)
	unbind(s *Session)
}

// request is a request with the resource it is for.
type request struct {
	*wire.Message
	resource string
}

// newSession makes a session that sends its audio to the offerer's.
func newSession(server *Server, audio *sdp.Audio, codec speech.Codec) (*Session, error) {
	id := newID()
	s := &Session{server: server, id: id, log: server.log.With("session", id),
		inbox: make(chan request, 16), done: make(chan struct{})}
	s.units = units{newSynthesizer(s), newRecognizer(s), newRecorder(s)}
	port, err := line.Open(server.cfg.Addr, audio.Addr, codec, s.hear)
	if err != nil {
		return nil, err
	}
	s.port = port
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.work)
	return s, nil
}

// hear gives what came over RTP to whoever listens.
func (s *Session) hear(pcm []int16) {
	s.recog.ear.hear(pcm)
	s.record.ear.hear(pcm)
}

// describe makes the session's answer to an offer. Control lines of resources
// that do not exist here are refused.
func (s *Session) describe(offer *sdp.Description, connection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addr := s.server.Addr()
	s.description = sdp.Description{User: "mrcptest", ID: offer.ID + 1, Version: 1, Addr: addr.Addr()}
	var granted []string
	for _, offered := range offer.Lines {
		l := offered
		switch {
		case offered.Control != nil && s.server.supported(offered.Control) && !slices.Contains(granted, offered.Control.Resource):
			granted = append(granted, offered.Control.Resource)
			l.Control = &sdp.Control{Addr: addr, Protocol: offered.Control.Protocol, Setup: sdp.SetupPassive, Connection: connection,
				Channel: s.id + "@" + offered.Control.Resource, CMID: offered.Control.CMID, Fingerprint: s.server.fingerprint()}
		case offered.Control != nil:
			l.Control = &sdp.Control{Protocol: offered.Control.Protocol}
		case offered.Audio == offer.Audio() && offered.Audio != nil:
			l.Audio = s.describeAudio(offered.Audio)
		case offered.Audio != nil:
			l.Audio = &sdp.Audio{Events: -1}
		}
		s.description.Lines = append(s.description.Lines, l)
	}
	s.resources = granted
}

func (s *Session) describeAudio(offered *sdp.Audio) *sdp.Audio {
	reverse := map[string]string{"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
	direction, turned := reverse[offered.Direction]
	if !turned {
		direction = "sendrecv"
	}
	audio := *offered
	audio.Addr, audio.Direction, audio.Ptime = s.port.Local(), direction, line.Frame
	audio.Codecs = []speech.Codec{s.port.Codec()}
	return &audio
}

// has tells whether the session was granted a resource.
func (s *Session) has(resource string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.resources, resource)
}

// Reoffer answers a re-INVITE: it grants what is new in the offer, and takes back
// what is gone from it. The audio stays where it is.
func (s *Session) Reoffer(offer []byte) ([]byte, error) {
	description, err := sdp.Parse(offer)
	if err != nil {
		return nil, &Refusal{400, err.Error()}
	}
	if audio := description.Audio(); audio == nil || len(audio.Codecs) == 0 || audio.Codecs[0] != s.port.Codec() {
		return nil, &Refusal{488, "the audio cannot be changed"}
	}
	s.describe(description, sdp.ConnectionExisting)
	return s.Description(sdp.ConnectionExisting), nil
}

// Description is the session's SDP: its answer, or with connection "existing"
// what it offers or answers in a re-INVITE that refreshes the dialog.
func (s *Session) Description(connection string) []byte {
	s.mu.Lock()
	d := s.description
	s.mu.Unlock()
	d.Lines = slices.Clone(d.Lines)
	for i, l := range d.Lines {
		if l.Control != nil && l.Control.Addr.Port() != 0 {
			c := *l.Control
			c.Connection = connection
			d.Lines[i].Control = &c
		}
	}
	return d.Marshal()
}

// ID is the common part of the session's channel identifiers.
func (s *Session) ID() string { return s.id }

// Media is where the session's RTP is.
func (s *Session) Media() netip.AddrPort { return s.port.Local() }

// Packets are the numbers of RTP packets sent and received.
func (s *Session) Packets() (sent, received uint64) { return s.port.Packets() }

// Done is closed when the session has ended: the dialog should be ended then.
func (s *Session) Done() <-chan struct{} { return s.done }

// Close ends the session, as the client's BYE does, and waits.
func (s *Session) Close() {
	s.end()
	s.wg.Wait()
	s.port.Close()
}

// end ends the session without waiting.
func (s *Session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	s.cancel()
	s.port.Stop()
	close(s.done)
	if s.control != nil {
		s.control.unbind(s)
	}
	// Whoever the dialog belongs to is told by Done, and may never call Close.
	// The server must know of this before it can have forgotten the session.
	s.server.wg.Go(s.Close)
	s.server.forget(s)
}

// orphan silences a session whose connection is lost, and ends it unless its
// client does so first.
func (s *Session) orphan() {
	s.mu.Lock()
	s.port.Stop()
	s.synth.queue = nil
	for _, l := range s.recog.queue {
		l.cancel()
	}
	s.recog.queue = nil
	s.record.cancelLocked()
	s.mu.Unlock()
	s.server.wg.Go(func() {
		timer := time.NewTimer(s.server.cfg.LossTimeout)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			s.end()
		}
	})
}

// submit queues a request for the session's goroutine.
func (s *Session) submit(r request) {
	select {
	case s.inbox <- r:
	case <-s.done:
	}
}

func (s *Session) work() {
	var last uint32
	for {
		select {
		case <-s.done:
			return
		case r := <-s.inbox:
			if r.ID <= last {
				s.reply(r.Message, wire.StatusOutOfOrder, wire.Complete)
				continue
			}
			last = r.ID
			s.handle(r)
		}
	}
}

func (s *Session) handle(r request) {
	s.log.Debug("request", "resource", r.resource, "request", r.String())
	if s.fail(r) {
		return
	}
	switch {
	case r.Name == wire.MethodSetParams || r.Name == wire.MethodGetParams:
		s.handleParams(r)
	case r.resource == wire.Synthesizer:
		s.synth.handle(r.Message)
	case r.resource == wire.Recorder:
		s.record.handle(r.Message)
	default:
		s.recog.handle(r.Message)
	}
}

// reply answers a request with more header fields, given as pairs.
func (s *Session) reply(to *wire.Message, status int, state wire.State, fields ...string) {
	m := wire.NewResponse(to, status, state)
	for i := 0; i+1 < len(fields); i += 2 {
		m.Header.Add(fields[i], fields[i+1])
	}
	s.send(m)
}

func (s *Session) send(m *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendLocked(m)
}

// sendLocked sends unless the session is over. Sending under the lock keeps
// responses and events in the order of what they tell of.
func (s *Session) sendLocked(m *wire.Message) {
	if s.control != nil && s.ctx.Err() == nil {
		s.control.send(m)
	}
}
