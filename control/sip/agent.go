// Package sip is the platform's SIP user agent: it answers calls, places them
// and hands each one over as a Dialog.
//
// It keeps the dialogs; package wire beneath it keeps sockets and transactions. It
// knows neither what session descriptions say nor what calls are for. No type of
// the SIP library appears in its API.
//
// Every dialog ends: by BYE from either side, by CANCEL, by a 2xx that nobody
// acknowledges, or when the connection of the far end is gone and none can be
// made to it again.
package sip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/crew"
	"mcp/control/sip/delay"
	"mcp/control/sip/digest"
	"mcp/control/sip/header"
	"mcp/control/sip/hop"
	"mcp/control/sip/wire"
)

// The errors by which callers of this package tell failures apart.
var (
	ErrCancelled = errors.New("the caller cancelled the call")
	ErrNoAck     = errors.New("the answer was never acknowledged")
	ErrEnded     = errors.New("the dialog is over")
	ErrLost      = errors.New("the far end cannot be reached")
)

const (
	defaultT1  = 500 * time.Millisecond
	maxMessage = 64 << 10
	allowed    = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
	supported  = "timer, 100rel, replaces, uui"
	acceptable = "application/sdp, multipart/mixed, application/msml+xml, application/vnd.radisys.msml+xml, application/x-www-form-urlencoded, application/rs-metadata, application/rs-metadata+xml"
)

// about is what we say of ourselves, with the same headers in all messages.
type about struct {
	allow, supported sip.Header
	userAgent        sip.Header // of a request; nil: we do not tell
	server           sip.Header // of a response; nil: we do not tell
	accepts          []string   // media types
}

func newAbout(userAgent string) about {
	us := about{
		allow: sip.NewHeader("Allow", allowed), supported: sip.NewHeader("Supported", supported),
		accepts: header.Split(acceptable, ','),
	}
	if userAgent != "" {
		us.userAgent, us.server = sip.NewHeader("User-Agent", userAgent), sip.NewHeader("Server", userAgent)
	}
	return us
}

// Config is how an Agent listens and presents itself.
type Config struct {
	// Listen names sockets as "udp:host:port", "tcp:host:port" and
	// "tls:host:port"; default the first two on 0.0.0.0:5070.
	Listen    []string
	UserAgent string
	// Advertise is the host in Contact and Via when listening on the
	// unspecified address; zero: the local address of the route to the peer.
	Advertise netip.Addr
	// T1 is RFC 3261's round-trip estimate, default 500 ms. The other timers
	// keep their proportion to it.
	T1 time.Duration
	// Security is needed to listen or connect over TLS.
	Security wire.Security
	// Connections is how many may be open over TCP and TLS, default 8192.
	Connections int
	// Idle is how long a connection that no call uses may say nothing, default 10
	// minutes.
	Idle time.Duration
	// Session is how long a call may go without a sign of life (RFC 4028), default
	// 1800 s, and MinSession the least that far ends may ask for, default 90 s.
	Session, MinSession time.Duration
	// Routes are the next hops of calls that we place, SIP URIs in the order of
	// preference; none: calls go directly to whom they are for.
	Routes []string
	// FailOver is how long the next hop may stay silent before the one after it is
	// tried, default 8*T1.
	FailOver time.Duration
	// Credentials prove who we are to those that we call.
	Credentials digest.Credentials
	// Extensions are option tags that the agent's user understands, beside those that
	// are the agent's own business.
	Extensions []string
	// Callers asks those who call us to prove who they are; nil: nobody is asked.
	Callers *digest.Server
}

// Handler takes calls that come in.
type Handler interface {
	// Invite has one call for itself, on a goroutine of its own; 100 Trying is
	// sent when nothing else is for a fifth of T1. The context ends when the agent
	// stops. When Invite returns the dialog is over: what is not ended is rejected
	// with 500, or hung up.
	Invite(ctx context.Context, d *Dialog)
}

// Agent is one SIP user agent.
type Agent struct {
	cfg    Config
	about  about
	log    *slog.Logger
	wire   *wire.Layer
	routes *hop.List
	// unacked are answers that are resent, for the first time, unless they have been
	// acknowledged: hardly any.
	unacked *delay.Line[*acceptance]
	calls   crew.Crew
	ctx     context.Context // what calls run under
	stop    context.CancelFunc

	mu       sync.Mutex
	handler  Handler // nil before Serve
	stopping bool
	dialogs  map[dialogID]*Dialog
	offers   map[offerID]*Dialog
}

// dialogID names a dialog (RFC 3261 section 12).
type dialogID struct{ call, local, remote string }

// offerID names an INVITE whatever way it came, to tell the same one coming
// twice from two (RFC 3261 section 8.2.2.2).
type offerID struct {
	call, remote string
	seq          uint32
}

// New binds the listeners. Nothing is read from them before Serve.
func New(cfg Config, log *slog.Logger) (*Agent, error) {
	if len(cfg.Listen) == 0 {
		cfg.Listen = []string{"udp:0.0.0.0:5070", "tcp:0.0.0.0:5070"}
	}
	if cfg.T1 <= 0 {
		cfg.T1 = defaultT1
	}
	if cfg.MinSession <= 0 {
		cfg.MinSession = defaultMinSession
	}
	if cfg.Session <= 0 {
		cfg.Session = defaultSession
	}
	cfg.Session = max(cfg.Session, cfg.MinSession)
	if cfg.FailOver <= 0 {
		cfg.FailOver = 8 * cfg.T1
	}
	a := &Agent{
		cfg: cfg, about: newAbout(cfg.UserAgent), log: log, routes: hop.New(cfg.Routes), unacked: delay.New(cfg.T1, (*acceptance).resend),
		dialogs: map[dialogID]*Dialog{}, offers: map[offerID]*Dialog{},
	}
	layer, err := wire.Listen(wire.Config{
		T1: cfg.T1, Advertise: cfg.Advertise, MaxMessage: maxMessage, MaxStreams: cfg.Connections, Idle: cfg.Idle,
		Security: cfg.Security, Core: (*core)(a), Log: log,
	}, cfg.Listen)
	if err != nil {
		return nil, err
	}
	a.wire = layer
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a, nil
}

// Addrs are the addresses really bound, UDP first.
func (a *Agent) Addrs() []net.Addr { return a.wire.Addrs() }

// Lost counts the datagrams that were dropped because those before them were not read
// yet.
func (a *Agent) Lost() uint64 { return a.wire.Lost() }

// Nobody is the Handler of an agent that only places calls: those that come in are
// refused with 480.
type Nobody struct{}

// Invite implements Handler.
func (Nobody) Invite(ctx context.Context, d *Dialog) {
	// An error says that the caller has given up in the meantime.
	_ = d.Reject(ctx, 480, "", nil)
}

// Serve takes calls until the context ends. Then new ones are refused with 503,
// handlers see their context end and have their calls hung up, and the sockets
// are closed. It must run for Invite to work, too.
func (a *Agent) Serve(ctx context.Context, h Handler) error {
	a.mu.Lock()
	a.handler = h
	a.mu.Unlock()
	a.wire.Start()
	<-ctx.Done()
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.stop()
	a.drain()
	a.wire.Close()
	a.calls.Wait()
	a.unacked.Stop()
	return nil
}

// drain gives running calls a few retransmissions' time to say goodbye. Closing
// the sockets then fails what still waits.
func (a *Agent) drain() {
	gone := make(chan struct{})
	go func() {
		a.calls.Wait()
		close(gone)
	}()
	timer := time.NewTimer(8 * a.cfg.T1)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
	}
	for _, d := range a.all() {
		d.end(mvLost, Lost{Err: wire.ErrClosed})
	}
}

func (a *Agent) all() []*Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	var ds []*Dialog
	for _, d := range a.dialogs {
		ds = append(ds, d)
	}
	return ds
}

// enter makes a dialog findable. False when the agent takes none.
func (a *Agent) enter(d *Dialog) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping || d.tx != nil && a.handler == nil {
		return false
	}
	a.dialogs[d.id] = d
	if d.tx != nil {
		a.offers[d.offerID()] = d
	}
	return true
}

func (a *Agent) leave(d *Dialog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.dialogs, d.id)
	if d.tx != nil {
		delete(a.offers, d.offerID())
	}
}

// find returns the dialog that a request from the far end belongs to.
func (a *Agent) find(req *wire.Request) *Dialog {
	id := dialogID{req.CallID, req.To.Tag, req.From.Tag}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dialogs[id]
}

// merged says whether a request is an INVITE that already came another way.
func (a *Agent) merged(req *wire.Request) bool {
	id := offerID{req.CallID, req.From.Tag, req.CSeq}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.offers[id] != nil
}

// goCall runs f for a call; Serve waits for it. When the agent is stopping
// nothing is begun any more.
func (a *Agent) goCall(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return false
	}
	a.calls.Go(f)
	return true
}

// Close closes the sockets of an agent that never served; Serve does it for one
// that did. It is idempotent.
func (a *Agent) Close() {
	a.stop()
	a.wire.Close()
	a.unacked.Stop()
}
