// Package caller is a telephone that follows a script: it calls over SIP, talks
// and listens over RTP, presses keys, and afterwards can tell what it heard,
// whether the stream was whole, and play it all back from a recording.
package caller

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// Voice turns a text into 8 kHz speech.
type Voice func(ctx context.Context, text string) ([]int16, error)

// Config is whom a Phone calls, and how it behaves.
type Config struct {
	To, From string
	Headers  map[string]string // of the INVITE
	// Transport is "tcp" or "udp"; where not set, To's.
	Transport string
	// Local is the address of the phone's RTP; where not set, the one that
	// routes to the far end.
	Local netip.Addr
	// Early is what is played before the answer to whoever calls: early media.
	Early []Step
	// Quiet is the silence by which the far end has finished speaking. Default 1 s.
	Quiet time.Duration
	// Voice speaks; a script that says something needs one.
	Voice Voice
	// Tell hears what happens as it happens. It must not block. It may be nil.
	Tell func(what, detail string)
	// Answered hears when the call is up, before the first step. It may be nil.
	Answered func()
	// Up hears of the dialog at the same time. It may be nil.
	Up func(*sip.Dialog)
	// Asked takes what the far end asks for within the call, and answers it; false:
	// the phone does as it would without. It may be nil.
	Asked func(*sip.Dialog, sip.Event) bool
}

// Phone places calls through a SIP agent, which must be serving.
type Phone struct {
	agent  *sip.Agent
	config Config
}

// NewPhone returns a phone. The agent stays the caller's to end.
func NewPhone(agent *sip.Agent, c Config) *Phone {
	if c.Quiet <= 0 {
		c.Quiet = time.Second
	}
	if c.Tell == nil {
		c.Tell = func(string, string) {}
	}
	if c.Answered == nil {
		c.Answered = func() {}
	}
	if c.Up == nil {
		c.Up = func(*sip.Dialog) {}
	}
	if c.Asked == nil {
		c.Asked = func(*sip.Dialog, sip.Event) bool { return false }
	}
	return &Phone{agent: agent, config: c}
}

// Summary is how a call went.
type Summary struct {
	CallID   string        `json:"call_id"`
	To       string        `json:"to"`
	Answered time.Time     `json:"answered"`
	Setup    time.Duration `json:"setup_ns"`
	Duration time.Duration `json:"duration_ns"`
	EndedBy  string        `json:"ended_by"` // "caller" or "platform"
	Said     []Segment     `json:"said"`
	Heard    []Segment     `json:"heard"`
	Sent     int           `json:"rtp_sent"`
	// SentEvents is how many of them were telephone events.
	SentEvents int        `json:"rtp_sent_events"`
	RTCP       int        `json:"rtcp_received"`
	Received   Continuity `json:"rtp_received"`
	Faults     []string   `json:"faults"`

	// Audio is both sides as samples.
	Audio *Recording `json:"-"`
}

// Call places one call and follows the script to its end, or to the call's.
// The summary is nil when the call was never answered. A script that could not
// be followed to its end is an error, with a summary.
func (p *Phone) Call(ctx context.Context, script []Step) (*Summary, error) {
	spoken, err := p.rehearse(ctx, script)
	if err != nil {
		return nil, err
	}
	local, err := p.local()
	if err != nil {
		return nil, err
	}
	l, err := openLine(local)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	offer := sdp.Local{
		Addr: l.local(), Codecs: sdp.DefaultCodecs()[:1], Events: eventType,
		SessionID: uint64(began.UnixNano()), Version: 1,
	}
	dialog, agreed, err := p.invite(ctx, offer)
	if err != nil {
		// Nothing was sent or received: there is nothing in closing to report.
		_ = l.stop()
		return nil, err
	}
	p.config.Tell("answered", fmt.Sprintf("%s, %s at %s", dialog.CallID(), agreed.Codec.Name, agreed.Remote))
	s := &session{phone: p, dialog: dialog, line: l, offer: offer, spoken: spoken, over: make(chan struct{})}
	summary, err := s.follow(ctx, script, agreed)
	summary.Setup = summary.Answered.Sub(began)
	return summary, err
}

// rehearse synthesizes what will be said, so that the call need not wait for it.
func (p *Phone) rehearse(ctx context.Context, script []Step) (map[string][]int16, error) {
	spoken := map[string][]int16{}
	for _, step := range script {
		if step.Verb != Say || spoken[step.Text] != nil {
			continue
		}
		if p.config.Voice == nil {
			return nil, fmt.Errorf("script says %q but the phone has no voice", step.Text)
		}
		audio, err := p.config.Voice(ctx, step.Text)
		if err != nil {
			return nil, fmt.Errorf("synthesize %q: %w", step.Text, err)
		}
		spoken[step.Text] = audio
	}
	return spoken, nil
}

// local is where the phone's RTP arrives.
func (p *Phone) local() (netip.Addr, error) {
	if p.config.Local.IsValid() {
		return p.config.Local, nil
	}
	host, err := hostOf(p.config.To)
	if err != nil {
		return netip.Addr{}, err
	}
	// Connecting a UDP socket sends nothing; it asks the routing table.
	route, err := net.Dial("udp", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the way to %s: %w", host, err)
	}
	defer route.Close()
	return route.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

func (p *Phone) invite(ctx context.Context, offer sdp.Local) (*sip.Dialog, sdp.Negotiated, error) {
	dialog, err := p.agent.Invite(ctx, sip.Outgoing{
		To: p.config.To, From: p.config.From, Offer: sdp.Offer(offer), Headers: p.config.Headers, Transport: p.config.Transport,
		Progress: func(r sip.Provisional) {
			p.config.Tell("progress", fmt.Sprintf("%d %s", r.Status, r.Reason))
		},
	})
	if err != nil {
		return nil, sdp.Negotiated{}, err
	}
	agreed, err := negotiate(offer, dialog.RemoteSDP())
	if err != nil {
		// The call is of no use; that it could not even be ended changes nothing.
		_ = dialog.Bye(ctx, nil)
		return nil, sdp.Negotiated{}, fmt.Errorf("answer of the far end: %w", err)
	}
	return dialog, agreed, nil
}

func negotiate(offer sdp.Local, answer []byte) (sdp.Negotiated, error) {
	session, err := sdp.Parse(answer)
	if err != nil {
		return sdp.Negotiated{}, err
	}
	return sdp.Negotiate(offer, session)
}
