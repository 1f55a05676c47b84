package audiohook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// maxFrame bounds what is read at once: audio comes in frames larger than messages.
const maxFrame = 1 << 20

// writeTime bounds how long a far end may leave a message unread.
const writeTime = 5 * time.Second

// session is one WebSocket with its session.
type session struct {
	conversation *conversation
	config       Config
	id           string
	ws           *websocket.Conn
	media        Media         // agreed
	resumed      bool          // it continues one whose connection was lost
	closed       chan struct{} // the server has agreed to the end

	mu        sync.Mutex // guards what follows, and the order of messages
	seq       uint64     // of the latest message to the server
	serverSeq uint64     // of the latest from it
	pause     pause
	flow      flow
	ping      ping
	closing   bool
	fault     error // why this end gave it up
}

// flow is where the session's audio is, in samples of the conversation's.
type flow struct {
	skipTo  int // what is before it the server does not want again
	reached int // what is before it was sent
}

// pause is whether the server wants audio.
type pause struct {
	on    bool
	gap   int // samples left out since it was paused
	start int
}

// ping is what is known of how far the server is.
type ping struct {
	seq       uint64 // of the ping that is not answered yet; 0: none
	at        time.Time
	roundTrip time.Duration
}

// offers are the formats offered.
func (s *session) offers() []Media {
	channels := []string{External}
	if s.conversation.opening.Listens {
		channels = append(channels, Internal)
	}
	var all []Media
	for _, format := range []string{"PCMU", "L16"} {
		if format == "L16" || !s.config.L16 {
			all = append(all, Media{Type: "audio", Format: format, Channels: channels, Rate: 8000})
		}
	}
	return all
}

// open sends the first message and awaits that the server accepts.
func (s *session) open(ctx context.Context, before *session) error {
	o := s.conversation.opening
	open := Open{
		OrganizationID: s.config.Organization, ConversationID: s.conversation.id, Media: s.offers(), Language: o.Language,
		Participant: Participant{
			ID:  uuid.NewSHA1(uuid.NameSpaceURL, []byte(s.conversation.id+o.Party.From)).String(),
			ANI: o.Party.From, ANIName: o.Party.FromName, DNIS: o.Party.To,
		},
		CustomConfig: s.config.Custom, InputVariables: o.Variables,
	}
	if before != nil {
		open.Continued = []Continued{before.progress()}
	}
	if err := s.send(ctx, "open", open); err != nil {
		return err
	}
	for {
		m, _, err := s.receive(ctx)
		if err == nil && m == nil {
			err = &ProtocolError{409, "audio before the session was opened"}
		}
		if err == nil {
			done, refused := s.opened(m)
			if done || refused != nil {
				err = refused
				if err == nil {
					return nil
				}
			}
		}
		if err != nil {
			s.complain(ctx, err)
			return err
		}
	}
}

// opened takes a message before the session is open: done when it is.
func (s *session) opened(m *Message) (done bool, err error) {
	switch m.Type {
	case "opened":
		var o Opened
		if err := m.parameters(&o); err != nil {
			return true, err
		}
		return true, s.accept(o)
	case "disconnect":
		var d Disconnect
		_ = m.parameters(&d) // it is over whatever it says
		return true, fmt.Errorf("refused: %s %s", d.Reason, d.Info)
	case "error", "closed":
		var f Failure
		_ = m.parameters(&f)
		return true, fmt.Errorf("refused: %d %s", f.Code, f.Message)
	}
	return false, &ProtocolError{409, "unexpected " + m.Type + " before opened"}
}

// accept takes the server's choice of format.
func (s *session) accept(o Opened) error {
	if len(o.Media) != 1 {
		return &ProtocolError{400, fmt.Sprintf("%d formats were chosen", len(o.Media))}
	}
	chosen := o.Media[0]
	if !slices.ContainsFunc(s.offers(), func(m Media) bool {
		return m.Type == chosen.Type && m.Format == chosen.Format && m.Rate == chosen.Rate && slices.Equal(m.Channels, chosen.Channels)
	}) {
		return &ProtocolError{400, fmt.Sprintf("the format chosen was not offered: %+v", chosen)}
	}
	s.media, s.pause.on = chosen, o.StartPaused
	if o.DiscardTo != "" {
		to, err := o.DiscardTo.Time()
		if err != nil {
			return &ProtocolError{400, "discardTo: " + err.Error()}
		}
		s.flow.skipTo = int(to.Milliseconds()) * samplesPerMs
	}
	return nil
}

// progress is how far the session came.
func (s *session) progress() Continued {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Continued{ID: s.id, ServerSeq: s.serverSeq, ClientSeq: s.seq}
}

// send sends a message.
func (s *session) send(ctx context.Context, kind string, parameters any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked(ctx, kind, parameters)
}

func (s *session) sendLocked(ctx context.Context, kind string, parameters any) error {
	p, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	s.seq++
	server := s.serverSeq
	text, err := json.Marshal(Message{
		Version: Version, ID: s.id, Type: kind, Seq: s.seq, ServerSeq: &server,
		Position: FormatDuration(s.conversation.position()), Parameters: p,
	})
	if err != nil {
		return err
	}
	return s.write(ctx, websocket.MessageText, text)
}

func (s *session) write(ctx context.Context, kind websocket.MessageType, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	if err := s.ws.Write(ctx, kind, data); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// receive takes the next message, or audio.
func (s *session) receive(ctx context.Context) (*Message, []byte, error) {
	kind, data, err := s.ws.Read(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("receive: %w", err)
	}
	if kind == websocket.MessageBinary {
		return nil, data, nil
	}
	m, err := Read(data)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.ID != s.id:
		return nil, nil, &ProtocolError{400, "message of another session"}
	case m.Seq != s.serverSeq+1:
		return nil, nil, &ProtocolError{400, fmt.Sprintf("seq %d follows %d", m.Seq, s.serverSeq)}
	case m.ClientSeq != nil && *m.ClientSeq > s.seq:
		return nil, nil, &ProtocolError{400, fmt.Sprintf("clientseq %d was not sent yet", *m.ClientSeq)}
	}
	s.serverSeq = m.Seq
	return m, nil, nil
}

// complain tells the server what it did wrong, and closes.
func (s *session) complain(ctx context.Context, err error) {
	var wrong *ProtocolError
	if !errors.As(err, &wrong) {
		return
	}
	_ = s.send(ctx, "error", Failure{Code: wrong.Code, Message: wrong.Text}) // it may be gone
	_ = s.close(ctx, "error")
}

// close asks for the end; the server answers with closed.
func (s *session) close(ctx context.Context, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	s.closing = true
	return s.sendLocked(ctx, "close", Reason{reason})
}

// giveUp ends the connection for a reason that its reader is to tell.
func (s *session) giveUp(ctx context.Context, err error) {
	s.mu.Lock()
	s.fault = err
	s.mu.Unlock()
	s.complain(ctx, err)
	s.hangUp()
}

func (s *session) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

func (s *session) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// hangUp ends the connection.
func (s *session) hangUp() { _ = s.ws.CloseNow() }

// ask asks whether the server is there. It fails when it has not answered the last.
func (s *session) ask(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	if s.ping.seq > 0 {
		return &ProtocolError{408, "no pong in time"}
	}
	p := struct {
		RTT Duration `json:"rtt,omitempty"`
	}{}
	if s.ping.roundTrip > 0 {
		p.RTT = FormatDuration(s.ping.roundTrip)
	}
	s.ping.seq, s.ping.at = s.seq+1, time.Now()
	return s.sendLocked(ctx, "ping", p)
}

func (s *session) ponged(m *Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ping.seq == 0:
		return &ProtocolError{409, "pong without a ping"}
	case m.ClientSeq == nil || *m.ClientSeq < s.ping.seq:
		return &ProtocolError{400, "clientseq of pong is not that of ping"}
	}
	s.ping.roundTrip, s.ping.seq = time.Since(s.ping.at), 0
	return nil
}

// setPaused stops the audio, or lets it go on, as the server wants, and says so.
func (s *session) setPaused(ctx context.Context, paused bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause.on == paused || s.closing {
		return nil
	}
	s.pause.on = paused
	if paused {
		s.pause.gap, s.pause.start = 0, s.conversation.samples()
		return s.sendLocked(ctx, "paused", struct{}{})
	}
	return s.sendLocked(ctx, "resumed", Stretch{Start: duration(s.pause.start), Discarded: duration(s.pause.gap)})
}

// audio sends the caller's audio, unless the server does not want it.
func (s *session) audio(ctx context.Context, mulaw []byte, lost time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errClosed
	}
	if lost > 0 {
		start := s.conversation.advance(int(lost.Milliseconds()) * samplesPerMs)
		if s.pause.on {
			s.pause.gap += int(lost.Milliseconds()) * samplesPerMs
		} else if err := s.sendLocked(ctx, "discarded", Stretch{Start: duration(start), Discarded: FormatDuration(lost)}); err != nil {
			return err
		}
	}
	samples := len(mulaw) / len(s.media.Channels)
	start := s.conversation.advance(samples)
	switch {
	case s.pause.on:
		s.pause.gap += samples
		return nil
	case start < s.flow.skipTo:
		return nil
	}
	if s.media.Format == "L16" {
		mulaw = linear(mulaw)
	}
	if err := s.write(ctx, websocket.MessageBinary, mulaw); err != nil {
		return err
	}
	s.flow.reached = start + samples
	return nil
}

// sentTo is how far in the conversation its audio was sent.
func (s *session) sentTo() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flow.reached
}

// missed tells that the audio from a place in the conversation to now is not to come.
func (s *session) missed(ctx context.Context, from int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gap := s.conversation.samples() - max(from, s.flow.skipTo)
	switch {
	case gap <= 0:
		return nil
	case s.pause.on:
		s.pause.gap += gap
		return nil
	}
	return s.sendLocked(ctx, "discarded", Stretch{Start: duration(s.conversation.samples() - gap), Discarded: duration(gap)})
}

// proven tells that the far end has answered a ping.
func (s *session) proven() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ping.roundTrip > 0
}
