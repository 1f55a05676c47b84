package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"

	"mcp/control/call/progress"
	"mcp/control/call/stack"
	"mcp/control/route"
	"mcp/control/sip"
	"mcp/control/sip/header"
)

// Placement is a call for the platform to place, and what to serve whoever answers it.
type Placement struct {
	Destination
	// Request is what the called party is served.
	Request route.Request
	// AAI is application-to-application information for the party, which goes as
	// User-to-User (RFC 7433): at most 128 octets. Empty: none.
	AAI string
	// Analysis asks for call progress analysis: the call is given up when the network's
	// tones say that nobody will answer, and an answer is served once it is known whether
	// a person has given it. Nil: no analysis.
	Analysis *progress.Options
}

// ErrOverload says that no further call can be placed at present.
var ErrOverload = errors.New("too many calls")

// Place makes a call and serves the party that answers, as Serve does with a
// caller. It returns when the call is being made; Done of the Placed follows its
// end. What is wrong with the placement is a *Refusal.
func (s *Server) Place(ctx context.Context, p Placement) (*Placed, error) {
	if s.dialler == nil {
		return nil, errNoDialler
	}
	if s.Admit() != nil {
		return nil, ErrOverload
	}
	d, err := s.newPlaced(p)
	if err != nil {
		return nil, &Refusal{Status: 400, Reason: "Bad Request", Err: err}
	}
	c := s.newCall(d)
	if err := s.admit(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOverload, err)
	}
	d.call = c
	c.log.Info("call placed", "from", d.LocalURI(), "to", d.RemoteURI(), "service", p.Request.Service)
	go func() {
		defer close(d.done)
		defer s.forget()
		stack.Deepen()
		c.offered()
		c.run(ctx)
	}()
	return d, nil
}

// Placed is a call that the platform places. To its Call it is the dialog, although
// there is none before the far end has answered: what Answer does for a call that has come
// in, to establish the dialog, is here to send the INVITE and wait for the answer.
type Placed struct {
	dialler  Dialler
	what     Placement
	local    netip.Addr
	call     *Call
	taker    func(sip.Event)
	done     chan struct{}
	give     context.Context
	up       context.CancelFunc // ends give: the call is not wanted any more
	answered chan struct{}      // closed at the answer
	analysis atomic.Pointer[progress.Analysis]

	mu      sync.Mutex // guards what follows
	dialog  *sip.Dialog
	outcome error // why it was never answered
}

// newPlaced checks what is to be done before anything is.
func (s *Server) newPlaced(p Placement) (*Placed, error) {
	local, err := localFor(p.To)
	if err != nil {
		return nil, err
	}
	if p.Headers, err = p.headers(); err != nil {
		return nil, err
	}
	if p.Analysis != nil {
		if err := s.progress.Check(*p.Analysis); err != nil {
			return nil, err
		}
	}
	placed := &Placed{
		dialler: s.dialler, what: p, local: local,
		done: make(chan struct{}), answered: make(chan struct{}),
	}
	placed.give, placed.up = context.WithCancel(context.Background())
	return placed, nil
}

// headers are those of the INVITE.
func (p Placement) headers() (map[string]string, error) {
	if err := sip.CheckHeaders(p.Headers); err != nil || p.AAI == "" {
		return p.Headers, err
	}
	said := header.TextUUI(p.AAI)
	if said == "" {
		return nil, errors.New("aai is too long")
	}
	headers := map[string]string{header.UUIHeader: said}
	maps.Copy(headers, p.Headers)
	return headers, nil
}

// localFor is the address that a destination is reached from.
func localFor(to string) (netip.Addr, error) {
	uri, err := sip.ParseURI(to)
	if err != nil {
		return netip.Addr{}, err
	}
	host := net.JoinHostPort(uri.Host, strconv.Itoa(cmp.Or(uri.Port, 5060)))
	// Connecting a UDP socket sends nothing; it asks the routing table.
	conn, err := net.Dial("udp", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the way to %s: %w", host, err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// ID is the call's.
func (p *Placed) ID() string { return p.call.id }

// Done is closed when the call is over and its record written.
func (p *Placed) Done() <-chan struct{} { return p.done }

// Answered tells whether somebody has answered. Err is why nobody did: a
// *sip.RejectedError, ErrNoAnswer or another; nil while it may be yet.
func (p *Placed) Answered() bool { return p.current() != nil }

// Err is why nobody answered.
func (p *Placed) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outcome
}

// HangUp ends the call, answered or not.
func (p *Placed) HangUp() {
	p.up()
	p.call.HangUp()
}

// givenUp hangs up on a party that has answered just as its call was given up: while
// a call is being answered, HangUp is heeded only by Answer.
func (c *Call) givenUp() {
	if p, ours := c.dialog.(*Placed); ours && p.give.Err() != nil {
		c.HangUp()
	}
}

func (p *Placed) current() *sip.Dialog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialog
}

// Answer implements Signalling: it calls, and returns when the party has answered.
func (p *Placed) Answer(ctx context.Context, offer []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.give, func() { cancel(nil) })()
	if p.what.Patience > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, p.what.Patience, ErrNoAnswer)
		defer stop()
	}
	out := sip.Outgoing{To: p.what.To, From: p.what.From, Offer: offer, Headers: p.what.Headers}
	settle, err := p.heed(&out, cancel)
	if err != nil {
		return err
	}
	d, err := p.dialler.Invite(ctx, out)
	settle()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		var heard *progress.FailedError
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, ErrNoAnswer):
			err = ErrNoAnswer
		case errors.As(cause, &heard):
			err = heard
		}
		p.outcome = err
		return err
	}
	p.dialog = d
	close(p.answered)
	d.Notify(p.taker)
	return nil
}

// heed has the call listened to, if that is wanted: as provisional responses describe
// early media, and further on. It is given up when the network says that nobody will
// answer. What heed returns ends the time before the answer.
func (p *Placed) heed(out *sip.Outgoing, giveUp context.CancelCauseFunc) (settle func(), err error) {
	if p.what.Analysis == nil {
		return func() {}, nil
	}
	c := p.call
	a, err := c.server.progress.Begin(progress.Subject{
		Leg: c.caller.leg, Clock: c.session.Clock(), Answered: p.answered, Trail: c.trail, Log: c.log,
	}, *p.what.Analysis)
	if err != nil {
		return nil, err
	}
	p.analysis.Store(a)
	early := make(chan []byte, 4)
	out.Progress = func(said sip.Provisional) {
		select {
		case early <- said.SDP:
		default: // described often enough
		}
	}
	over := make(chan struct{})
	var heeding sync.WaitGroup
	heeding.Go(func() { p.hearEarly(a, early, over, giveUp) })
	return func() { close(over); heeding.Wait() }, nil
}

// hearEarly connects the leg before the answer, until the call is over or analysed.
func (p *Placed) hearEarly(a *progress.Analysis, early <-chan []byte, over <-chan struct{}, giveUp context.CancelCauseFunc) {
	for {
		select {
		case answer := <-early:
			if len(answer) == 0 {
				continue
			}
			if err := p.call.caller.complete(answer); err != nil {
				p.call.log.Info("early media is of no use", "leg", p.call.caller.leg.Name(), "error", err)
			}
		case <-a.Found():
			if r, _ := a.Result(); r.Failed() {
				giveUp(&progress.FailedError{Outcome: r.Outcome})
			}
			return
		case <-over:
			return
		}
	}
}

// Progress is what became of the call as far as is known; false: nothing is, or it
// is not analysed.
func (p *Placed) Progress() (progress.Result, bool) { return p.analysis.Load().Result() }

// Reject implements Signalling: a call that could not be prepared is not made.
func (p *Placed) Reject(_ context.Context, status int, reason string, _ map[string]string) error {
	p.mu.Lock()
	p.outcome = fmt.Errorf("the call was not made: %d %s", status, reason)
	p.mu.Unlock()
	p.up()
	return nil
}

// ByeWith implements Signalling.
func (p *Placed) ByeWith(ctx context.Context, last sip.Content) error {
	p.up()
	if d := p.current(); d != nil {
		return d.ByeWith(ctx, last)
	}
	return nil
}

// Notify implements Signalling: there are events once the party has answered.
func (p *Placed) Notify(f func(sip.Event)) { p.taker = f }

// RemoteSDP implements Signalling.
func (p *Placed) RemoteSDP() []byte {
	if d := p.current(); d != nil {
		return d.RemoteSDP()
	}
	return nil
}

// CallID implements Identity; it is empty until the answer.
func (p *Placed) CallID() string {
	if d := p.current(); d != nil {
		return d.CallID()
	}
	return ""
}

// LocalURI implements Identity.
func (p *Placed) LocalURI() string {
	if p.what.From != "" {
		return p.what.From
	}
	return "sip:mcp@" + p.local.String()
}

// RemoteURI implements Identity.
func (p *Placed) RemoteURI() string { return p.what.To }

// RequestURI implements Identity: what the party would have called for its service.
func (p *Placed) RequestURI() sip.URI {
	user := p.what.Request.Service
	if p.what.Request.ID != "" {
		user += "=" + p.what.Request.ID
	}
	return sip.URI{Scheme: "sip", User: user, Host: p.local.String(), Params: p.what.Request.Params}
}

// Headers implements Identity: those of the answer.
func (p *Placed) Headers() header.Fields {
	if d := p.current(); d != nil {
		return d.Headers()
	}
	return nil
}

// Parts implements Hosts: nothing comes with a call that is made.
func (p *Placed) Parts() []header.Part { return nil }

// LocalTag implements Hosts.
func (p *Placed) LocalTag() string {
	if d := p.current(); d != nil {
		return d.LocalTag()
	}
	return p.call.id
}

// LocalHost implements Hosts.
func (p *Placed) LocalHost() netip.Addr { return p.local }

// RemoteHost implements Hosts.
func (p *Placed) RemoteHost() netip.Addr {
	if d := p.current(); d != nil {
		return d.RemoteHost()
	}
	return netip.Addr{}
}

// Info implements Requests.
func (p *Placed) Info(ctx context.Context, c sip.Content) error {
	if d := p.current(); d != nil {
		return d.Info(ctx, c)
	}
	return sip.ErrEnded
}

// Refer implements Requests.
func (p *Placed) Refer(ctx context.Context, r sip.Refer) (*sip.Subscription, error) {
	if d := p.current(); d != nil {
		return d.Refer(ctx, r)
	}
	return nil, sip.ErrEnded
}

// Reinvite implements Requests.
func (p *Placed) Reinvite(ctx context.Context, c sip.Change) ([]byte, error) {
	if d := p.current(); d != nil {
		return d.Reinvite(ctx, c)
	}
	return nil, sip.ErrEnded
}
