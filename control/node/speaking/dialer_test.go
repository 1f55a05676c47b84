package speaking

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/call/voice"
	"mcp/control/sip"
	"mcp/control/sip/certs"
	"mcp/control/sip/certs/certstest"
	"mcp/control/sip/header"
	"mcp/control/sip/siptest"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
)

// speechFarEnd is a speech server reached over real SIP.
type speechFarEnd struct {
	mrcp    *mrcptest.Server
	invites atomic.Int32
	parts   chan []header.Part // of the last INVITE
	stop    func()
}

// newSpeechFarEnd serves at an address such as tcp:127.0.0.1:0, and returns it.
func newSpeechFarEnd(t *testing.T, at string) (*speechFarEnd, string) {
	t.Helper()
	return newSpeechFarEndOf(t, sip.Config{Listen: []string{at}}, mrcptest.Config{})
}

func newSpeechFarEndOf(t *testing.T, signalled sip.Config, served mrcptest.Config) (*speechFarEnd, string) {
	t.Helper()
	server, err := mrcptest.NewServer(served, mrcptest.NewCanned(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f := &speechFarEnd{mrcp: server, parts: make(chan []header.Part, 1000)}
	agent, stop := serveSIP(t, signalled, f)
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
	f.parts <- d.Parts()
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
	return mrcpClientOf(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0", "udp:127.0.0.1:0"}}, cfg)
}

func mrcpClientOf(t *testing.T, signalled sip.Config, cfg MRCP) *mrcp.Client {
	t.Helper()
	agent, _ := serveSIP(t, signalled, sip.Nobody{})
	return opened(t, agent, cfg, slog.New(slog.DiscardHandler)).RTP.(*mrcp.Client)
}

// opened is the engine that a configuration makes.
func opened(t *testing.T, agent *sip.Agent, cfg MRCP, log *slog.Logger) voice.Engine {
	t.Helper()
	all := Defaults()
	all.Engines = map[string]Engine{"test": {MRCP: cfg}}
	engines, err := Open(all, Parts{Agent: agent, Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engines.Close(); err != nil {
			t.Error(err)
		}
	})
	return engines.Voices().ByName["test"]
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
	sip.Nobody
	status int
}

func (full) Admit() *sip.Refusal { return nil }

func (f full) Capacity() (map[string]string, *sip.Refusal) {
	return nil, &sip.Refusal{Status: f.status}
}

// TestProbe proves which answers to OPTIONS come of a server that is there.
func TestProbe(t *testing.T) {
	agent, _ := serveSIP(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, sip.Nobody{})
	dialer := Dialer(agent, slog.New(slog.DiscardHandler))
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

// TestSessionsAreDescribed proves that an INVITE carries session.xml beside the
// offer: the one configured, or that of the call.
func TestSessionsAreDescribed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.xml")
	if err := os.WriteFile(file, []byte("<SessionConfig/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		client MRCPClient
		own    string
		want   []string // the types and texts of what follows the offer
	}{
		"none":       {MRCPClient{}, "", nil},
		"configured": {MRCPClient{SendSessionXML: file}, "", []string{"application/xml", "<SessionConfig/>"}},
		"of a type":  {MRCPClient{SendSessionXML: file, SessionXMLType: "application/x-vnd"}, "", []string{"application/x-vnd", "<SessionConfig/>"}},
		"the call's": {MRCPClient{SendSessionXML: file}, "<Own/>", []string{"application/xml", "<Own/>"}},
	} {
		t.Run(name, func(t *testing.T) {
			far, at := newSpeechFarEnd(t, "tcp:127.0.0.1:0")
			client := mrcpClient(t, MRCP{URI: "sip:x@" + at + ";transport=tcp", Client: row.client})
			s, err := client.OpenFor(t.Context(), offered("PCMU"), speech.Particulars{Description: []byte(row.own)})
			if err != nil {
				t.Fatal(err)
			}
			parts := <-far.parts
			if parts[0].Type != "application/sdp" || !strings.Contains(string(parts[0].Body), "TCP/MRCPv2") {
				t.Errorf("%+v", parts[0])
			}
			var got []string
			for _, p := range parts[1:] {
				got = append(got, p.Type, strings.TrimSpace(string(p.Body)))
				if p.Disposition != "session;handling=optional" {
					t.Errorf("disposition %q", p.Disposition)
				}
			}
			if strings.Join(got, " ") != strings.Join(row.want, " ") {
				t.Errorf("%q, want %q", got, row.want)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	empty := filepath.Join(t.TempDir(), "empty.xml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{empty, empty + ".missing"} {
		cfg := Config{MRCP: MRCP{URI: "sip:x@127.0.0.1", Client: MRCPClient{SendSessionXML: bad}}}
		if _, err := Open(cfg, Parts{Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestSpeechServersThatSendElsewhere proves that a redirect server's answer is
// followed with an INVITE of its own, and not for ever.
func TestSpeechServersThatSendElsewhere(t *testing.T) {
	far, at := newSpeechFarEnd(t, "tcp:127.0.0.1:0")
	redirector, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer redirector.Close()
	contacts := make(chan string, 100)
	invites := make(chan siptest.Message, 100)
	go func() {
		conn, err := redirector.Accept()
		if err != nil {
			return
		}
		p := siptest.Adopt(t, conn)
		for contact := range contacts {
			invite := p.Expect("INVITE", "ACK")
			invites <- invite
			p.Send(siptest.Reply(invite, 300, "Multiple Choices").With("To", invite.Get("To")+";tag=r").Add("Contact", contact))
		}
	}()
	self := "sip:mresources@" + redirector.Addr().String() + ";transport=tcp"
	client := mrcpClient(t, MRCP{URI: self, Timeout: 5 * time.Second})
	contacts <- "<sip:mresources@" + at + ";transport=tcp>;q=1"
	s, err := client.Open(t.Context(), offered("PCMU"))
	if err != nil {
		t.Fatal(err)
	}
	if far.invites.Load() != 1 {
		t.Errorf("%d sessions where it was sent", far.invites.Load())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	first := <-invites
	for range maxRedirects + 1 { // in a circle
		contacts <- "<" + self + ">"
	}
	close(contacts)
	if _, err := client.Open(t.Context(), offered("PCMU")); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("sent in a circle: %v", err)
	}
	if n := len(invites); n != maxRedirects+1 {
		t.Errorf("followed %d times", n)
	}
	if again := <-invites; again.Get("Call-ID") == first.Get("Call-ID") {
		t.Error("two sessions of one Call-ID")
	}
}

// TestSpeechOverTLS proves SIPS with TCP/TLS/MRCPv2 beneath it, and that neither is
// to be had without trust.
func TestSpeechOverTLS(t *testing.T) {
	authority := certstest.New(t, "speech")
	dir := t.TempDir()
	files := certs.Files{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Authorities: filepath.Join(dir, "ca.pem")}
	authority.Issue(files.Certificate, files.Key)
	authority.Write(files.Authorities)
	secured := func(listen string, f certs.Files) sip.Config {
		store, err := certs.Open(f, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return sip.Config{Listen: []string{listen}, Security: store}
	}
	far, at := newSpeechFarEndOf(t, secured("tls:127.0.0.1:0", files), mrcptest.Config{TLS: &tls.Config{Certificates: []tls.Certificate{authority.Pair()}}})
	cfg := MRCP{URI: "sips:mresources@" + at, Timeout: 5 * time.Second,
		TLS: TLSClient{Enable: true, Authorities: files.Authorities, Certificate: files.Certificate, Key: files.Key}}
	client := mrcpClientOf(t, secured("tcp:127.0.0.1:0", files), cfg)
	s, err := client.Open(t.Context(), offered("PCMU"))
	if err != nil {
		t.Fatal(err)
	}
	if offer := (<-far.parts)[0]; !strings.Contains(string(offer.Body), "TCP/TLS/MRCPv2") || !strings.Contains(string(offer.Body), "a=fingerprint:sha-256 ") {
		t.Errorf("offered\n%s", offer.Body)
	}
	// A request that is answered has gone over both.
	if _, err := s.(speech.Tuner).Params(t.Context(), "speechrecog", "N-Best-List-Length"); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	stranger := certstest.New(t, "stranger")
	files.Authorities = filepath.Join(dir, "stranger.pem")
	stranger.Write(files.Authorities)
	if _, err := mrcpClientOf(t, secured("tcp:127.0.0.1:0", files), cfg).Open(t.Context(), offered("PCMU")); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

// TestSpeechOverUDP proves a whole session whose SIP dialog goes over UDP; its MRCP
// goes over TCP all the same.
func TestSpeechOverUDP(t *testing.T) {
	far, at := newSpeechFarEndOf(t, sip.Config{Listen: []string{"udp:127.0.0.1:0"}}, mrcptest.Config{Instant: true})
	client := mrcpClientOf(t, sip.Config{Listen: []string{"udp:127.0.0.1:0"}}, MRCP{URI: "sip:mresources@" + at, Timeout: 5 * time.Second})
	s, err := client.Open(t.Context(), offered("PCMU"))
	if err != nil {
		t.Fatal(err)
	}
	speaking, err := s.Speak(t.Context(), speech.Utterance{SSML: `<speak version="1.0" xml:lang="en-US">Hello</speak>`})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-speaking.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the speech does not end")
	}
	if err := errors.Join(speaking.Err(), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
	waitUntil(t, "the server's session to end", func() bool { return far.mrcp.Sessions() == 0 })
	if stats := client.Stats(); stats.Sessions+stats.Connections != 0 || stats.Opened != 1 || stats.Lost != 0 {
		t.Errorf("%+v", stats)
	}
}
