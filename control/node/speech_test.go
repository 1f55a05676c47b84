package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/sip"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
)

// speechFarEnd is a speech server reached over real SIP.
type speechFarEnd struct {
	mrcp    *mrcptest.Server
	invites atomic.Int32
	stop    func()
}

// newSpeechFarEnd serves at an address such as tcp:127.0.0.1:0, and returns it.
func newSpeechFarEnd(t *testing.T, at string) (*speechFarEnd, string) {
	t.Helper()
	server, err := mrcptest.NewServer(mrcptest.Config{}, mrcptest.NewCanned(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f := &speechFarEnd{mrcp: server}
	agent, stop := serveSIP(t, sip.Config{Listen: []string{at}}, f)
	f.stop = sync.OnceFunc(func() {
		stop()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	return f, agent.Addrs()[0].String()
}

// serveSIP runs an agent until the test ends or it is stopped.
func serveSIP(t *testing.T, cfg sip.Config, h sip.Handler) (*sip.Agent, func()) {
	t.Helper()
	agent, err := sip.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serving, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- agent.Serve(serving, h) }()
	stop := sync.OnceFunc(func() {
		end()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return agent, stop
}

// Invite implements sip.Handler.
func (f *speechFarEnd) Invite(ctx context.Context, d *sip.Dialog) {
	f.invites.Add(1)
	answer, session, err := f.mrcp.Answer(d.RemoteSDP(), d.RemoteHost())
	if err != nil {
		refusal := &mrcptest.Refusal{Status: 500}
		errors.As(err, &refusal)
		_ = d.Reject(ctx, refusal.Status, refusal.Reason, nil)
		return
	}
	defer session.Close()
	if d.Answer(ctx, answer) != nil {
		return
	}
	for event := range d.Events() {
		_ = sip.Decline(event)
	}
}

// mrcpClient is the client that a configuration makes.
func mrcpClient(t *testing.T, cfg MRCP) *mrcp.Client {
	t.Helper()
	agent, _ := serveSIP(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0", "udp:127.0.0.1:0"}}, nobody{})
	n := &Node{cfg: Defaults(), log: slog.New(slog.DiscardHandler), metrics: prometheus.NewRegistry(), agent: agent}
	engine, err := n.openMRCP("test", cfg)
	t.Cleanup(n.close)
	if err != nil {
		t.Fatal(err)
	}
	return engine.RTP.(*mrcp.Client)
}

// offered is media for a session whose audio nobody listens to.
func offered(codec string) speech.Media {
	local := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}
	return speech.Media{Addr: local.AddrPort(), Events: -1, Codecs: []speech.Codec{{Name: codec, ClockRate: 8000, PayloadType: map[string]uint8{"PCMU": 0, "G729": 18}[codec]}}}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestSpeechServersAreAskedWhetherTheyAreThere proves that sessions go to servers by
// weight, leave one that OPTIONS does not find, and come back to it when it is back.
func TestSpeechServersAreAskedWhetherTheyAreThere(t *testing.T) {
	light, lightAt := newSpeechFarEnd(t, "tcp:127.0.0.1:0")
	heavy, heavyAt := newSpeechFarEnd(t, "tcp:127.0.0.1:0")
	uri := func(at string) string { return "sip:mresources@" + at + ";transport=tcp" }
	client := mrcpClient(t, MRCP{URI: uri(lightAt), Servers: []MRCPServer{{URI: uri(heavyAt), Weight: 9}},
		Timeout: 5 * time.Second, Session: MRCPSession{Health: 20 * time.Millisecond}})
	share := func(n int) (toLight, toHeavy int32) {
		t.Helper()
		beforeLight, beforeHeavy := light.invites.Load(), heavy.invites.Load()
		for range n {
			s, err := client.Open(t.Context(), offered("PCMU"))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return light.invites.Load() - beforeLight, heavy.invites.Load() - beforeHeavy
	}
	// One in ten thousand million runs would share them otherwise.
	if l, h := share(100); l == 0 || l >= h || l+h != 100 {
		t.Errorf("of weights 1 and 9, %d and %d sessions", l, h)
	}
	heavy.stop()
	waitUntil(t, "the server to be missed", func() bool { return client.Stats().ServersDown == 1 })
	if l, h := share(10); l != 10 || h != 0 {
		t.Errorf("one gone: %d and %d sessions", l, h)
	}
	heavy, _ = newSpeechFarEnd(t, "tcp:"+heavyAt)
	waitUntil(t, "the server to be found", func() bool { return client.Stats().ServersDown == 0 })
	if l, h := share(100); l >= h || l+h != 100 {
		t.Errorf("back again: %d and %d sessions", l, h)
	}
}

// full is a server that answers OPTIONS with a status.
type full struct {
	nobody
	status int
}

func (full) Admit() *sip.Refusal { return nil }

func (f full) Capacity() (map[string]string, *sip.Refusal) {
	return nil, &sip.Refusal{Status: f.status}
}

// TestProbe proves which answers to OPTIONS come of a server that is there.
func TestProbe(t *testing.T) {
	agent, _ := serveSIP(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, nobody{})
	dialer := SpeechDialer(agent, slog.New(slog.DiscardHandler))
	for status, there := range map[int]bool{200: true, 302: true, 404: true, 405: true, 501: true, 408: false, 503: false} {
		far, _ := serveSIP(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, full{status: status})
		err := dialer.Probe(t.Context(), "sip:x@"+far.Addrs()[0].String()+";transport=tcp")
		if (err == nil) != there {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A server that knows no codec of ours is none that is down.
func TestNoCodecInCommon(t *testing.T) {
	_, at := newSpeechFarEnd(t, "tcp:127.0.0.1:0")
	client := mrcpClient(t, MRCP{URI: "sip:x@" + at + ";transport=tcp"})
	if _, err := client.Open(t.Context(), offered("G729")); !errors.Is(err, speech.ErrNoCodec) || strings.Contains(err.Error(), speech.ErrUnavailable.Error()) {
		t.Error(err)
	}
	if client.Stats().ServersDown != 0 {
		t.Error("it is taken for one")
	}
}
