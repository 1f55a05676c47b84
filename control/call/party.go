package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcp/control/call/lifecycle"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/sdp"
	"mcp/control/sip"
)

// Dialler places calls; *sip.Agent is one.
type Dialler interface {
	Invite(ctx context.Context, out sip.Outgoing) (*sip.Dialog, error)
}

// Destination is whom a call is to call besides its caller, and how.
type Destination struct {
	// To and From are SIP URIs; an empty From is the platform.
	To, From string
	Headers  map[string]string
	// Patience bounds the time until the answer. Zero: SIP's own bounds.
	Patience time.Duration
	// Log takes the log's lines about the party. Nil: the call's own does.
	Log *slog.Logger
	// Conceal returns a text without what is private in it, before the text becomes a
	// step of the call's record. Nil: nothing is private.
	Conceal func(string) string
}

// ErrNoAnswer says that nobody answered within the Destination's Patience.
var ErrNoAnswer = errors.New("no answer in time")

// errNoDialler says that the platform was built without a way out.
var errNoDialler = errors.New("calls cannot be placed")

// Party is somebody whom a call has called besides its caller, for a transfer, say: it
// has a leg and a dialog of its own. Its methods may be called from any goroutine.
type Party struct {
	call   *Call
	to     Destination
	side   side
	cancel context.CancelFunc // gives the INVITE up

	early, answered, gone chan struct{} // closed, each once
	lost                  atomic.Bool   // the network took the party away

	mu     sync.Mutex // guards what follows
	dialog *sip.Dialog
	since  time.Time // of the answer
	err    error     // why it never answered

	state lifecycle.PartyState // touched by the call's owner only
}

// Dial calls somebody and returns at once. Only a program that runs may call it.
func (c *Call) Dial(to Destination) (*Party, error) {
	if c.server.dialler == nil {
		return nil, errNoDialler
	}
	if to.Log == nil {
		to.Log = c.log
	}
	if to.Conceal == nil {
		to.Conceal = func(text string) string { return text }
	}
	p := &Party{
		call: c, to: to,
		early: make(chan struct{}), answered: make(chan struct{}), gone: make(chan struct{}),
	}
	name := fmt.Sprintf("party-%d", c.dialled.Add(1))
	if err := p.side.open(c, name, preferring(c.Codec(), c.server.config.Codecs)); err != nil {
		return nil, fmt.Errorf("call %s: %w", to.To, err)
	}
	p.side.secure.Confidential = securely(to.To)
	if err := p.side.propose(); err != nil {
		return nil, errors.Join(fmt.Errorf("call %s: %w", to.To, err), p.side.leg.Close())
	}
	c.tell(message{party: p, dial: true})
	return p, nil
}

// securely tells whether a URI demands that signalling is encrypted.
func securely(uri string) bool {
	uri = strings.ToLower(uri)
	return strings.HasPrefix(uri, "sips:") || strings.Contains(uri, ";transport=tls")
}

// preferring puts a codec first, in the format that it has, so that the plane can relay
// between two legs.
func preferring(first codec.Codec, all []sdp.Codec) []sdp.Codec {
	alike := func(c sdp.Codec) bool { return c.Name == first.Name && c.ClockRate == first.ClockRate }
	at := slices.IndexFunc(all, func(c sdp.Codec) bool { return alike(c) && c.Format == first.Format })
	if at < 0 {
		at = slices.IndexFunc(all, alike)
	}
	if at < 0 {
		return all
	}
	preferred := all[at]
	preferred.Format = first.Format
	return slices.Concat([]sdp.Codec{preferred}, all[:at], all[at+1:])
}

// URI is whom was called.
func (p *Party) URI() string { return p.to.To }

// Leg is the leg towards the party.
func (p *Party) Leg() *media.Leg { return p.side.leg }

// Early is closed when the leg carries audio before the answer.
func (p *Party) Early() <-chan struct{} { return p.early }

// Answered is closed when the party has answered.
func (p *Party) Answered() <-chan struct{} { return p.answered }

// Gone is closed when the party is no more: it did not answer, hung up, or was
// hung up.
func (p *Party) Gone() <-chan struct{} { return p.gone }

// HangUp ends the call to the party, answered or not. Gone follows.
func (p *Party) HangUp() { p.tell(lifecycle.Dismissed, message{}) }

// Err is, after Gone, why the party never answered: a *sip.RejectedError,
// ErrNoAnswer, what else went wrong; nil if it did.
func (p *Party) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Lost tells, after Gone, whether the party was lost to a failure of its network,
// without anybody's having hung up.
func (p *Party) Lost() bool { return p.lost.Load() }

// Since is when the party answered; zero: it has not.
func (p *Party) Since() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since
}

func (p *Party) tell(t lifecycle.PartyTrigger, m message) {
	m.party, m.happened = p, t
	p.call.tell(m)
}

// handleParty moves a party's state machine by one message. The first of a party
// is the wish to call it.
func (c *Call) handleParty(m message) {
	p := m.party
	if m.dial {
		if c.life.parties == nil {
			c.life.parties = map[*Party]struct{}{}
		}
		c.life.parties[p] = struct{}{}
		c.invite(p)
		return
	}
	was := p.state
	state, effects := lifecycle.NextParty(was, m.happened)
	p.state = state
	c.log.Debug("party", "leg", p.side.leg.Name(), "state", was, "trigger", m.happened, "next", state)
	for _, e := range effects {
		c.performParty(e, m)
	}
}

func (c *Call) performParty(e lifecycle.PartyEffect, m message) {
	p := m.party
	switch e {
	case lifecycle.HearEarly:
		p.hearEarly(m.early)
	case lifecycle.CancelInvite:
		p.cancel()
	case lifecycle.TellAnswered:
		p.to.Log.Info("party answered", "to", p.to.To, "leg", p.side.leg.Name(), "codec", p.side.agreed().Name)
		p.side.leg.Watch(media.Watch{Insecure: func(error) { p.HangUp() }})
		close(p.answered)
		c.attend(p, true)
	case lifecycle.HangUpParty:
		d := p.signalling()
		c.beside(func() { c.warn("hang the party up", d.Bye(context.Background(), nil)) })
	case lifecycle.AnswerParty:
		c.answerParty(p, m.offer)
	case lifecycle.RefuseParty:
		c.beside(func() { c.warn("refuse re-INVITE", m.offer.Reject(context.Background(), 491, "Request Pending")) })
	case lifecycle.Forget:
		c.forgetParty(p)
	}
}

// invite calls the party and follows its dialog to the end.
func (c *Call) invite(p *Party) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	if p.to.Patience > 0 {
		var expire context.CancelFunc
		ctx, expire = context.WithTimeoutCause(ctx, p.to.Patience, ErrNoAnswer)
		p.cancel = func() { cancel(); expire() }
	}
	p.to.Log.Info("calling", "to", p.to.To, "leg", p.side.leg.Name())
	c.beside(func() {
		defer p.cancel()
		c.message(false, p.to.Conceal("INVITE "+p.to.To))
		d, err := p.place(ctx)
		if err != nil {
			c.message(true, p.to.Conceal("the party does not answer: "+err.Error()))
			p.fail(ctx, err)
			return
		}
		c.message(true, "200 OK, of the party called")
		p.tell(lifecycle.Accepted, message{})
		for ev := range d.Events() {
			p.signalled(ev)
		}
		p.tell(lifecycle.Left, message{})
	})
}

// place returns the party's dialog once it has answered and media is agreed.
func (p *Party) place(ctx context.Context) (*sip.Dialog, error) {
	d, err := p.call.server.dialler.Invite(ctx, sip.Outgoing{
		To: p.to.To, From: p.to.From, Offer: p.side.answer, Headers: p.to.Headers,
		Progress: func(said sip.Provisional) {
			if len(said.SDP) > 0 {
				p.tell(lifecycle.Rang, message{early: said.SDP})
			}
		},
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.dialog, p.since = d, time.Now()
	p.mu.Unlock()
	if err := p.call.owned(func() error {
		p.side.peer = d.RemoteHost()
		return p.side.complete(d.RemoteSDP())
	}); err != nil {
		p.call.warn("hang the party up", d.Bye(context.Background(), nil))
		return nil, fmt.Errorf("%w: %w", errNegotiation, err)
	}
	return d, nil
}

// fail keeps why there is no party.
func (p *Party) fail(ctx context.Context, err error) {
	if errors.Is(context.Cause(ctx), ErrNoAnswer) {
		err = ErrNoAnswer
	}
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	p.tell(lifecycle.Declined, message{})
}

func (p *Party) signalled(ev sip.Event) {
	switch ev := ev.(type) {
	case *sip.Reinvite:
		p.tell(lifecycle.Changed, message{offer: ev})
		return
	case sip.Lost:
		p.lost.Store(true)
	}
	p.call.warn("refuse a request of the party", sip.Decline(ev))
}

func (p *Party) signalling() *sip.Dialog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialog
}

// hearEarly connects the leg before the answer. What the answer says counts then.
func (p *Party) hearEarly(answer []byte) {
	if err := p.side.complete(answer); err != nil {
		p.call.log.Info("early media is of no use", "leg", p.side.leg.Name(), "error", err)
		return
	}
	select {
	case <-p.early:
	default:
		close(p.early)
	}
}

func (c *Call) answerParty(p *Party, offer *sip.Reinvite) {
	if c.passedOn(p, offer) {
		return
	}
	answer, err := p.side.renegotiate(offer.Offer)
	c.reply(offer, answer, err, func() error { return p.side.settle(p.signalling().RemoteSDP()) })
}

// forgetParty gives up the party's leg.
func (c *Call) forgetParty(p *Party) {
	delete(c.life.parties, p)
	if err := p.side.leg.Close(); err != nil && !errors.Is(err, media.ErrClosed) {
		c.log.Warn("close leg", "leg", p.side.leg.Name(), "error", err)
	}
	args := []any{"to", p.to.To, "leg", p.side.leg.Name()}
	if err := p.Err(); err != nil {
		args = append(args, "reason", err)
	}
	if !p.Since().IsZero() {
		c.attend(p, false)
	}
	p.to.Log.Info("party gone", args...)
	close(p.gone)
}

// dismissAll hangs up on everybody whom the call has called.
func (c *Call) dismissAll() {
	for p := range c.life.parties {
		c.handleParty(message{party: p, happened: lifecycle.Dismissed})
	}
}
