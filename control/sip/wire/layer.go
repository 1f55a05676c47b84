// Package wire carries SIP messages: sockets, framing on streams, and the
// transactions of RFC 3261 section 17 as RFC 6026 corrects them.
//
// Requests that come are read here, into little more than their text. Responses,
// requests of ours and their headers are sipgo's. Its transport and transaction
// layers are not used, for reasons found in version 1.7.2: their timers are
// package variables, shared by every agent of a process; each message is
// handled on a goroutine of its own, so that a CANCEL may overtake its INVITE
// and a BYE its ACK; a response given after a CANCEL replaces the 487 that is
// being retransmitted; the ACK to a repeated failure waits four seconds under
// the transaction's lock; a UDP response above 1300 bytes is refused; and the
// address of every UDP peer ever heard of is kept.
//
// It keeps the sockets and every transaction, and knows of no dialogs.
package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"mcp/control/sip/delay"
)

// Core is what sits above the transactions. Its methods are called in the order
// in which messages arrived on a connection, by the goroutine that reads it,
// and must not block.
type Core interface {
	// Refuse says how an INVITE that would begin a call is to be refused before
	// anything is spent on it; nil: not at all. Again says that this very request
	// has been refused before, and must be once more.
	Refuse(again bool) *Refusal
	// Request takes a new request; retransmissions do not come here.
	Request(*ServerTx)
	// Ack takes the ACK to a 2xx.
	Ack(req *Request, from Link)
	// Stray takes a response that belongs to no transaction.
	Stray(*sip.Response)
}

// Config is how a Layer works.
type Config struct {
	T1 time.Duration
	// Advertise is the host of Via and Contact when a listener is bound to the
	// unspecified address; zero: our address as the peer sees it.
	Advertise netip.Addr
	// MaxMessage bounds what is read of one message on a stream.
	MaxMessage int
	// MaxStreams bounds the open connections; a newcomer then takes the place of
	// one that has never said anything.
	MaxStreams int
	// Idle is how long a connection may say nothing that no call uses. One that
	// has never delivered a message is given stallLimit.
	Idle time.Duration
	// Security is needed for TLS; nil: none.
	Security Security
	Core     Core
	Log      *slog.Logger
}

// Security is how connections over TLS are secured.
type Security interface {
	// Server is for those that are accepted.
	Server() *tls.Config
	// Client is for one to a peer of a name, which its certificate must have.
	Client(name string) *tls.Config
}

// Layer is every socket and every transaction of one agent.
type Layer struct {
	cfg       Config
	timing    timing
	log       *slog.Logger
	library   *sip.Parser // of responses
	keys      keys
	core      Core
	packets   []*packet
	listeners []listener
	refused   refusals
	queues
	reading

	mu     sync.Mutex
	closed bool
	tables
}

// reading is what the readers of all sockets share.
type reading struct {
	stopped chan struct{}
	readers sync.WaitGroup
	garbage atomic.Uint64 // messages that could not be read, since watch last looked
}

// queues is what waits.
type queues struct {
	trying    *delay.Line[*transaction] // INVITEs that are told 100 unless something else is
	lingering *delay.Line[*transaction] // those that absorb stragglers
	retired   *delay.Line[txKey]        // those of which no more is left than an answer
}

// tables is what a Layer keeps under its lock.
type tables struct {
	servers map[txKey]*transaction
	answers // of those that are no longer among the servers
	clients map[txKey]*ClientTx
	streams map[Target]*stream
	dials   map[Target]*dial
}

// Listen binds specifications such as "udp:host:port", with tcp and tls as well.
// Until Start only connections that were dialled are read.
func Listen(cfg Config, specs []string) (*Layer, error) {
	if cfg.MaxStreams <= 0 {
		cfg.MaxStreams = 8192
	}
	if cfg.Idle <= 0 {
		cfg.Idle = 10 * time.Minute
	}
	l := &Layer{
		cfg:     cfg,
		timing:  newTiming(cfg.T1),
		log:     cfg.Log,
		core:    cfg.Core,
		library: sip.NewParser(),
		keys:    keys{maphash.MakeSeed()},
		refused: refusals{tags: maphash.MakeSeed()},
		reading: reading{stopped: make(chan struct{})},
		tables: tables{
			servers: map[txKey]*transaction{},
			answers: answers{given: map[txKey][]byte{}},
			clients: map[txKey]*ClientTx{},
			streams: map[Target]*stream{},
			dials:   map[Target]*dial{},
		},
	}
	l.queues = queues{
		trying:    delay.New(cfg.T1/5, (*transaction).slow),
		lingering: delay.New(64*cfg.T1, (*transaction).lingered),
		retired:   delay.New(64*cfg.T1, l.expire),
	}
	for _, spec := range specs {
		if err := l.bind(spec); err != nil {
			l.closeSockets()
			return nil, err
		}
	}
	return l, nil
}

// Start begins to read the listening sockets.
func (l *Layer) Start() {
	for _, p := range l.packets {
		l.readers.Go(p.read)
	}
	l.readers.Go(l.watch)
	for _, ln := range l.listeners {
		l.readers.Go(func() { l.accept(ln) })
	}
}

// Close fails what transactions remain, closes every socket and waits for their
// readers. It is idempotent.
func (l *Layer) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.readers.Wait()
		return
	}
	l.closed = true
	servers, clients := l.servers, l.clients
	l.servers, l.clients = map[txKey]*transaction{}, map[txKey]*ClientTx{}
	l.answers = answers{given: map[txKey][]byte{}}
	l.mu.Unlock()
	close(l.stopped)
	for _, tx := range clients {
		tx.fail(ErrClosed)
		tx.end()
	}
	for _, tx := range servers {
		tx.end()
	}
	l.trying.Stop()
	l.lingering.Stop()
	l.retired.Stop()
	l.closeSockets()
	l.readers.Wait()
}

// Transactions counts what is not terminated yet.
func (l *Layer) Transactions() (servers, clients int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.servers) + len(l.given), len(l.clients)
}

// Streams counts the open connections.
func (l *Layer) Streams() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams)
}

// pause waits, or says false when the layer closes.
func (l *Layer) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.stopped:
		return false
	}
}

// beside runs something that may wait for a connection; false: the layer is closed.
func (l *Layer) beside(f func(context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.readers.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stallLimit)
		defer cancel()
		f(ctx)
	})
	return true
}

// SentBy is the host and port at which the peer of a link reaches us.
func (l *Layer) SentBy(link Link) (netip.Addr, uint16) {
	port := link.carrier.contactPort()
	if l.cfg.Advertise.IsValid() && l.unspecified(link.Network(), port) {
		return l.cfg.Advertise, port
	}
	return link.Host(), port
}

// Stamp gives a request its Via, unless it has one already as a CANCEL does.
func (l *Layer) Stamp(req *sip.Request, link Link) {
	if req.Via() != nil {
		return
	}
	host, port := l.SentBy(link)
	via := &sip.ViaHeader{
		ProtocolName:    "SIP",
		ProtocolVersion: "2.0",
		Transport:       sip.NetworkToUpper(link.Network()),
		Host:            host.String(),
		Port:            int(port),
	}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	req.PrependHeader(via)
}

// Target is whom to connect to.
type Target struct {
	Network string // "udp", "tcp" or "tls"
	Addr    netip.AddrPort
	// Name is what the peer's certificate must be for, over TLS; empty: its address.
	Name string
}

// Connect finds or makes a link: a connection that is open already, a new one,
// or a UDP socket of the peer's family.
func (l *Layer) Connect(ctx context.Context, to Target) (Link, error) {
	switch to.Network {
	case "udp":
		return l.packetTo(to.Addr)
	case "tcp", "tls":
		s, err := l.streamTo(ctx, to)
		if err != nil {
			return Link{}, err
		}
		return s.link(), nil
	default:
		return Link{}, fmt.Errorf("transport %q is not supported", to.Network)
	}
}
