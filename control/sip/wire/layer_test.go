package wire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"mcp/control/sip/siptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// recorder is a core that keeps what it gets.
type recorder struct {
	requests chan *ServerTx
	acks     chan *Request
	strays   chan *sip.Response
}

func (r recorder) Refuse(bool) *Refusal { return nil }

func (r recorder) Request(tx *ServerTx)     { r.requests <- tx }
func (r recorder) Ack(req *Request, _ Link) { r.acks <- req }
func (r recorder) Stray(res *sip.Response)  { r.strays <- res }

func startLayer(t *testing.T) (*Layer, recorder) {
	t.Helper()
	return startLayerWith(t, 10*time.Millisecond)
}

func startLayerWith(t *testing.T, t1 time.Duration) (*Layer, recorder) {
	t.Helper()
	core := recorder{make(chan *ServerTx, 100), make(chan *Request, 100), make(chan *sip.Response, 100)}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	l, err := Listen(Config{T1: t1, MaxMessage: 1 << 16, Core: core, Log: log},
		[]string{"udp:127.0.0.1:0", "tcp:127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	t.Cleanup(func() { l.Close(); l.Close() })
	return l, core
}

func peerOf(t *testing.T, l *Layer, network string) (*siptest.Peer, *siptest.Call) {
	t.Helper()
	for _, addr := range l.Addrs() {
		if addr.Network() == network {
			p := siptest.Dial(t, network, addr.String())
			return p, siptest.NewCall(p, "sip:x@"+addr.String())
		}
	}
	t.Fatal("no listener for " + network)
	return nil, nil
}

func TestFinalResponseIsGivenOnce(t *testing.T) {
	l, core := startLayer(t)
	p, c := peerOf(t, l, "udp")
	p.Send(c.Request("OPTIONS"))
	tx := <-core.requests
	if err := tx.Respond(Reply(tx.Request, 180, "Ringing", "t")); err != nil {
		t.Error(err)
	}
	if err := tx.Respond(Reply(tx.Request, 200, "OK", "t")); err != nil {
		t.Error(err)
	}
	if err := tx.Respond(Reply(tx.Request, 486, "Busy", "t")); !errors.Is(err, ErrAnswered) {
		t.Errorf("second final response: %v", err)
	}
	p.Expect("SIP/2.0 180")
	p.Expect("SIP/2.0 200")
}

func TestRetransmittedRequestGetsTheLastResponse(t *testing.T) {
	l, core := startLayer(t)
	p, c := peerOf(t, l, "udp")
	req := c.Request("OPTIONS")
	p.Send(req)
	tx := <-core.requests
	p.Send(req) // nothing to repeat yet
	if err := tx.Respond(Reply(tx.Request, 200, "OK", "t")); err != nil {
		t.Fatal(err)
	}
	first := p.Expect("SIP/2.0 200")
	p.Send(req)
	if again := p.Expect("SIP/2.0 200"); again.String() != first.String() {
		t.Errorf("%s\n%s", first, again)
	}
	if len(core.requests) != 0 {
		t.Error("the core saw it twice")
	}
}

// What is left of an INVITE that was accepted over UDP: that it has been.
func TestAcceptedInviteIsNotForgottenAtOnce(t *testing.T) {
	l, core := startLayerWith(t, time.Hour)
	p, c := peerOf(t, l, "udp")
	invite := c.Request("INVITE")
	p.Send(invite)
	tx := <-core.requests
	if err := tx.Respond(Reply(tx.Request, 200, "OK", "t")); err != nil {
		t.Fatal(err)
	}
	ok := p.Expect("SIP/2.0 200")
	p.Send(invite)
	p.Send(c.Request("CANCEL"))
	cancel := <-core.requests // and not the INVITE once more
	if cancel.Request.Method != sip.CANCEL || cancel.Cancels != nil || !cancel.Late {
		t.Errorf("%s is about %v, late: %v", cancel.Request.Method, cancel.Cancels, cancel.Late)
	}
	p.Send(c.Ack(ok))
	if ack := <-core.acks; ack.Method != sip.ACK {
		t.Error(ack.Method)
	}
	if err := tx.Respond(Reply(tx.Request, 200, "OK", "t")); err != nil {
		t.Errorf("the 2xx once more: %v", err)
	}
	if again := p.Next(); again.String() != ok.String() {
		t.Errorf("%s\n%s", ok, again)
	}
}

// RFC 3261 section 17.2.1: 100 is for who would otherwise wait over 200 ms.
func TestTryingIsSaidToWhomNothingElseIsSaid(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		l, core := startLayer(t)
		p, c := peerOf(t, l, "udp")
		p.Send(c.Request("INVITE"))
		(<-core.requests).Trying()
		if m := p.Next(); m.Status() != 100 || siptest.Param(m.Get("To"), "tag") != "" {
			t.Errorf("want 100 without a tag, got\n%s", m)
		}
	})
	t.Run("to who asks again", func(t *testing.T) {
		l, core := startLayerWith(t, time.Hour)
		p, c := peerOf(t, l, "udp")
		invite := c.Request("INVITE")
		p.Send(invite)
		(<-core.requests).Trying()
		p.Send(invite)
		if m := p.Next(); m.Status() != 100 {
			t.Errorf("want 100, got\n%s", m)
		}
	})
	t.Run("not beside an answer", func(t *testing.T) {
		l, core := startLayerWith(t, time.Hour)
		p, c := peerOf(t, l, "udp")
		p.Send(c.Request("INVITE"))
		tx := <-core.requests
		tx.Trying()
		if err := tx.Respond(Reply(tx.Request, 180, "Ringing", "t")); err != nil {
			t.Fatal(err)
		}
		tx.Trying()
		if m := p.Next(); m.Status() != 180 {
			t.Errorf("want 180 alone, got\n%s", m)
		}
		tx.mu.Lock()
		defer tx.mu.Unlock()
		if tx.retry != nil {
			t.Error("a timer is still armed to say 100")
		}
	})
}

func TestInviteWithoutMagicCookieIsMatchedToo(t *testing.T) {
	l, core := startLayer(t)
	p, c := peerOf(t, l, "udp")
	old := func(m siptest.Message) siptest.Message {
		return m.With("Via", "SIP/2.0/UDP "+p.Addr()+";branch=1")
	}
	invite := old(c.Request("INVITE"))
	p.Send(invite)
	tx := <-core.requests
	p.Send(invite)
	p.Send(old(c.Request("CANCEL")))
	if cancel := <-core.requests; cancel.Cancels != tx {
		t.Error("the CANCEL was not matched")
	} else if err := cancel.Respond(Reply(cancel.Request, 200, "OK", "t")); err != nil {
		t.Error(err)
	}
	if err := tx.Respond(Reply(tx.Request, 487, "Request Terminated", "t")); err != nil {
		t.Fatal(err)
	}
	res := p.Expect("SIP/2.0 487", "SIP/2.0 200")
	p.Send(old(c.Ack(res)))
	p.Send(c.Request("OPTIONS"))
	next := <-core.requests
	if next.Request.Method != sip.OPTIONS || len(core.acks) != 0 {
		t.Error("the ACK or the INVITE came through")
	}
	_ = next.Respond(Reply(next.Request, 200, "OK", "t"))
}

func TestRefusalIsResentForUpTo64T1(t *testing.T) {
	l, core := startLayer(t)
	p, c := peerOf(t, l, "udp")
	p.Send(c.Request("INVITE"))
	tx := <-core.requests
	start := time.Now()
	if err := tx.Respond(Reply(tx.Request, 486, "Busy", "t")); err != nil {
		t.Fatal(err)
	}
	copies := 0
	for time.Since(start) < 64*10*time.Millisecond {
		if _, ok := p.Within(100 * time.Millisecond); ok {
			copies++
		}
	}
	// 0, 10, 30, 70, 150 ms and then every 80 ms: 11 in 640 ms.
	if copies < 8 || copies > 12 {
		t.Errorf("%d copies", copies)
	}
	deadline := time.Now().Add(20 * time.Second)
	for servers, _ := l.Transactions(); servers != 0; servers, _ = l.Transactions() {
		if time.Now().After(deadline) {
			t.Fatal("the transaction stays")
		}
		time.Sleep(time.Millisecond)
	}
}

// answerTaker is a Receiver that passes on.
type answerTaker struct {
	responses chan *sip.Response
	failed    chan error
}

func (a answerTaker) Response(res *sip.Response, _ Link) { a.responses <- res }
func (a answerTaker) Failed(err error)                   { a.failed <- err }

func newRequest(method sip.RequestMethod) *sip.Request {
	req := sip.NewRequest(method, sip.Uri{Scheme: "sip", Host: "127.0.0.1"})
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", Host: "a"}}
	from.Params.Add("tag", "1")
	id := sip.CallIDHeader("id-" + sip.GenerateTagN(8))
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: sip.Uri{Scheme: "sip", Host: "b"}})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	req.SetBody(nil)
	return req
}

func TestRequestIsResentMoreSlowlyOnceItIsHeard(t *testing.T) {
	l, _ := startLayer(t)
	p := siptest.Listen(t)
	link, err := l.Connect(context.Background(), Target{Network: "udp", Addr: addrPort(p.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	taker := answerTaker{make(chan *sip.Response, 10), make(chan error, 1)}
	if _, err := l.Request(newRequest(sip.OPTIONS), link, taker); err != nil {
		t.Fatal(err)
	}
	first := p.Next()
	p.Next()
	p.Send(siptest.Reply(first, 100, "Trying"))
	<-taker.responses
	p.Next() // still resent, as RFC 3261 section 17.1.2.2 asks
	p.Send(siptest.Reply(first, 200, "OK"))
	if res := <-taker.responses; res.StatusCode != 200 {
		t.Error(res.StatusCode)
	}
	p.Send(siptest.Reply(first, 200, "OK"))
	p.Raw("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKother\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: z\r\nCSeq: 1 OPTIONS\r\n\r\n")
	if len(taker.responses) != 0 {
		t.Error("the second 200 came through")
	}
}

func TestCloseFailsWhatWaits(t *testing.T) {
	l, core := startLayer(t)
	p := siptest.Listen(t)
	link, err := l.Connect(context.Background(), Target{Network: "udp", Addr: addrPort(p.Addr())})
	if err != nil {
		t.Fatal(err)
	}
	taker := answerTaker{make(chan *sip.Response, 10), make(chan error, 1)}
	if _, err := l.Request(newRequest(sip.INVITE), link, taker); err != nil {
		t.Fatal(err)
	}
	q, c := peerOf(t, l, "tcp")
	q.Send(c.Request("INVITE"))
	<-core.requests
	l.Close()
	if err := <-taker.failed; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if servers, clients := l.Transactions(); servers+clients+l.Streams() != 0 {
		t.Error("something is left")
	}
	if _, err := l.Request(newRequest(sip.OPTIONS), link, taker); !errors.Is(err, ErrClosed) {
		t.Errorf("request after Close: %v", err)
	}
	if _, err := l.Connect(context.Background(), Target{Network: "tcp", Addr: addrPort("127.0.0.1:9")}); err == nil {
		t.Error("connection after Close")
	}
}

func TestListenSpecifications(t *testing.T) {
	for _, bad := range []string{"", "tcp", "sctp:127.0.0.1:0", "udp:127.0.0.1:notaport", "tcp:192.0.2.200:0"} {
		if l, err := Listen(Config{T1: time.Second}, []string{"udp:127.0.0.1:0", bad}); err == nil {
			l.Close()
			t.Errorf("listened on %q", bad)
		}
	}
}

func TestPeerThatTricklesIsNotWaitedForForEver(t *testing.T) {
	s := &stream{conn: deadlineConn{}, partial: true}
	if err := s.expectMore(true); err != nil {
		t.Errorf("the limit was set anew in the middle of a message: %v", err)
	}
	s.partial = false
	if err := s.expectMore(true); !strings.Contains(err.Error(), "deadline") {
		t.Error("no limit when a message begins")
	}
}

// deadlineConn refuses to have its deadline set.
type deadlineConn struct{ net.Conn }

func (deadlineConn) SetReadDeadline(time.Time) error { return errors.New("deadline") }
