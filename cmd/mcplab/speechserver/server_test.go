package speechserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"mcp/cmd/mcplab/engine"
	"mcp/control/sip"
	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/v2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var codec = speech.Codec{PayloadType: 0, Name: "PCMU", ClockRate: 8000}

// start runs a server until the test ends and returns its SIP URI.
func start(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("sip:mresources@%s;transport=tcp", startWith(t, Config{}).Addrs()[0])
}

func startWith(t *testing.T, config Config) *Server {
	t.Helper()
	config.Listen = []string{"tcp:127.0.0.1:0"}
	server, err := New(config, slog.New(slog.DiscardHandler))
	if errors.Is(err, engine.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, server.Serve)
	return server
}

// run runs something that ends with its context.
func run(t *testing.T, serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// dialer opens the client's sessions.
type dialer struct{ agent *sip.Agent }

type dialog struct {
	*sip.Dialog
	done chan struct{}
}

func (d dialer) Probe(context.Context, string) error { return nil }

func (d dialer) Dial(ctx context.Context, i v2.Invitation) (v2.Dialog, error) {
	d1, err := d.agent.Invite(ctx, sip.Outgoing{To: i.Target, Offer: i.Offer})
	if err != nil {
		return nil, err
	}
	open := &dialog{d1, make(chan struct{})}
	go func() {
		defer close(open.done)
		for range d1.Events() {
		}
	}()
	return open, nil
}

func (d *dialog) Answer() []byte                { return d.RemoteSDP() }
func (d *dialog) Bye(ctx context.Context) error { return d.Dialog.Bye(ctx, nil) }
func (d *dialog) Reoffer(ctx context.Context, offer []byte) ([]byte, error) {
	return d.Reinvite(ctx, sip.Change{Offer: offer})
}
func (d *dialog) Done() <-chan struct{} { return d.done }

type noCalls struct{}

func (noCalls) Invite(context.Context, *sip.Dialog) {}

// parrot is the platform's end of a session's audio: it keeps what the server
// says, and can say it back.
type parrot struct {
	session speech.Session
	socket  *net.UDPConn

	mu    sync.Mutex
	heard []*rtp.Packet
}

func newParrot(t *testing.T, uri string) *parrot {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return agent.Serve(ctx, noCalls{}) })
	var carriage mrcp.Carriage = v2.New(v2.Config{}, dialer{agent}, log)
	if strings.HasPrefix(uri, "rtsp") {
		carriage = v1.New(v1.Config{}, log)
	}
	client := mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: uri}}}, carriage, log)
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	local := socket.LocalAddr().(*net.UDPAddr).AddrPort()
	session, err := client.Open(t.Context(), speech.Media{Addr: local, Codecs: []speech.Codec{codec}, Events: -1})
	if err != nil {
		t.Fatal(err)
	}
	p := &parrot{session: session, socket: socket}
	var listening sync.WaitGroup
	listening.Go(p.listen)
	t.Cleanup(func() {
		if err := errors.Join(session.Close(context.Background()), client.Close(), socket.Close()); err != nil {
			t.Error(err)
		}
		listening.Wait()
	})
	return p
}

func (p *parrot) listen() {
	for {
		buffer := make([]byte, 2048)
		n, _, err := p.socket.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if packet.Unmarshal(buffer[:n]) == nil {
			p.mu.Lock()
			p.heard = append(p.heard, &packet)
			p.mu.Unlock()
		}
	}
}

// hears has the server say something.
func (p *parrot) hears(t *testing.T, ssml string) []*rtp.Packet {
	t.Helper()
	p.mu.Lock()
	p.heard = nil
	p.mu.Unlock()
	speaking, err := p.session.Speak(t.Context(), speech.Utterance{SSML: ssml})
	if err != nil {
		t.Fatal(err)
	}
	<-speaking.Done()
	if err := speaking.Err(); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

// says sends packets at their pace, then silence until told to stop.
func (p *parrot) says(packets []*rtp.Packet, stop <-chan struct{}) error {
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	silence := bytes.Repeat([]byte{0xff}, line.FrameSamples)
	for n := 0; ; n++ {
		packet := rtp.Packet{Header: rtp.Header{
			Version: 2, SSRC: 9, SequenceNumber: uint16(n), Timestamp: uint32(n * line.FrameSamples),
		}, Payload: silence}
		if n < len(packets) {
			packet.Payload = packets[n].Payload
		}
		raw, err := packet.Marshal()
		if err != nil {
			return err
		}
		if _, err := p.socket.WriteToUDPAddrPort(raw, p.session.Media().Addr); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-stop:
			return nil
		}
	}
}

func (p *parrot) understood(t *testing.T, r speech.Recognition, packets []*rtp.Packet) (speech.Result, error) {
	t.Helper()
	r.StartTimers = true
	recognizing, err := p.session.Recognize(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	stop, said := make(chan struct{}), make(chan error)
	go func() { said <- p.says(packets, stop) }()
	<-recognizing.Done()
	close(stop)
	if err := <-said; err != nil {
		t.Error(err)
	}
	return recognizing.Result()
}

const departments = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" mode="voice" root="d" tag-format="semantics/1.0">
<rule id="d"><one-of><item>sales <tag>out.to = "S"</tag></item><item>billing <tag>out.to = "B"</tag></item></one-of></rule></grammar>`

func recognition(content string) speech.Recognition {
	return speech.Recognition{Confidence: 0.5, NoInput: 500 * time.Millisecond, Grammars: []speech.Grammar{
		{ID: "departments", MediaType: "application/srgs+xml", Content: []byte(content)},
	}}
}

func TestServerUnderstandsItself(t *testing.T) {
	p := newParrot(t, start(t))
	spoken := p.hears(t, `<speak version="1.0" xml:lang="en-US">billing</speak>`)
	if len(spoken) < 20 {
		t.Fatalf("%d packets of speech", len(spoken))
	}
	result, err := p.understood(t, recognition(departments), spoken)
	if err != nil || result.Outcome != speech.Match || len(result.Alternatives) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if best := result.Alternatives[0]; best.Utterance != "billing" || best.Instance != "<to>B</to>" || best.Confidence < 0.5 {
		t.Errorf("%+v", best)
	}
}

func TestForeignSpeechIsNoMatchAndSilenceNoInput(t *testing.T) {
	p := newParrot(t, start(t))
	spoken := p.hears(t, `<speak version="1.0" xml:lang="en-US">what is the weather tomorrow</speak>`)
	if result, err := p.understood(t, recognition(departments), spoken); err != nil || result.Outcome != speech.NoMatch {
		t.Errorf("foreign speech: %+v, %v", result, err)
	}
	if result, err := p.understood(t, recognition(departments), nil); err != nil || result.Outcome != speech.NoInput {
		t.Errorf("silence: %+v, %v", result, err)
	}
}

func TestGrammarThatCannotBeUsedIsRefused(t *testing.T) {
	p := newParrot(t, start(t))
	for _, content := range []string{`<grammar`, strings.Replace(departments, "billing", "qwrtzp", 1)} {
		recognizing, err := p.session.Recognize(t.Context(), recognition(content))
		if err == nil {
			<-recognizing.Done()
			_, err = recognizing.Result()
		}
		if err == nil {
			t.Errorf("taken: %s", content)
		}
	}
}

func TestOfferWithoutUseIsRejected(t *testing.T) {
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	uri := start(t)
	run(t, func(ctx context.Context) error { return agent.Serve(ctx, noCalls{}) })
	var rejected *sip.RejectedError
	_, err = agent.Invite(t.Context(), sip.Outgoing{To: uri, Offer: []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")})
	if !errors.As(err, &rejected) || rejected.Status != 488 {
		t.Error(err)
	}
}

// The server speaks MRCPv1 too, tells marks, and gives a list of what it may have
// heard.
func TestMarksAndNBestOverMRCPv1(t *testing.T) {
	p := newParrot(t, startWith(t, Config{}).URI())
	var marks []string
	speaking, err := p.session.Speak(t.Context(), speech.Utterance{SSML: `<speak version="1.0" xml:lang="en-US"><mark name="m"/>billing</speak>`,
		Marked: func(mark string) { marks = append(marks, mark) }})
	if err != nil {
		t.Fatal(err)
	}
	<-speaking.Done()
	if speaking.Err() != nil || len(marks) != 1 || marks[0] != "m" {
		t.Errorf("%v, %v", marks, speaking.Err())
	}
	p.mu.Lock()
	spoken := p.heard
	p.mu.Unlock()
	r := recognition(departments)
	r.NBest, r.Confidence = 2, 0.1
	result, err := p.understood(t, r, spoken)
	if err != nil || len(result.Alternatives) != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if best, next := result.Alternatives[0], result.Alternatives[1]; best.Utterance != "billing" || next.Utterance != "sales" || next.Confidence > best.Confidence {
		t.Errorf("%+v", result.Alternatives)
	}
}

// A recorder joins by re-INVITE; enrolment is refused, and the session goes on.
func TestRecordAndInterpret(t *testing.T) {
	folder := t.TempDir()
	p := newParrot(t, fmt.Sprintf("sip:mresources@%s;transport=tcp", startWith(t, Config{Recordings: folder}).Addrs()[0]))
	meaning, err := p.session.(speech.Interpreter).Interpret(t.Context(), "sales", recognition(departments))
	if err != nil || meaning.Outcome != speech.Match || meaning.Alternatives[0].Instance != "<to>S</to>" {
		t.Errorf("%+v, %v", meaning, err)
	}
	if none, err := p.session.(speech.Interpreter).Interpret(t.Context(), "weather", recognition(departments)); err != nil || none.Outcome != speech.NoMatch {
		t.Errorf("%+v, %v", none, err)
	}
	recording, err := p.session.(speech.Recorder).Record(t.Context(), speech.RecordRequest{MaxTime: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	stop, said := make(chan struct{}), make(chan error)
	go func() { said <- p.says(nil, stop) }()
	<-recording.Done()
	close(stop)
	if err := <-said; err != nil {
		t.Error(err)
	}
	if recorded, err := recording.Recorded(); err != nil || !strings.HasPrefix(recorded.URI, "file://"+folder) || !recorded.MaxTime {
		t.Errorf("%+v, %v", recorded, err)
	}
}

// Faults are asked for over HTTP, and taken back.
func TestFaultsOnRequest(t *testing.T) {
	server := startWith(t, Config{Control: "127.0.0.1:0", Faults: []string{"SPEAK=cause:5"}})
	p := newParrot(t, server.URI())
	say := func() error {
		speaking, err := p.session.Speak(t.Context(), speech.Utterance{SSML: `<speak version="1.0">hi</speak>`})
		if err != nil {
			return err
		}
		<-speaking.Done()
		return speaking.Err()
	}
	ask := func(method, query string) int {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+server.Control()+"/faults"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		return response.StatusCode
	}
	if err := say(); !errors.Is(err, speech.ErrLanguage) {
		t.Errorf("from the beginning: %v", err)
	}
	if status := ask("PUT", "?fault=SPEAK=status:402"); status != 204 {
		t.Errorf("PUT: %d", status)
	}
	var failure *mrcp.Failure
	if err := say(); !errors.As(err, &failure) || failure.Status != 402 {
		t.Errorf("on request: %v", err)
	}
	if status := ask("PUT", "?fault=refuse"); status != 204 {
		t.Errorf("PUT: %d", status)
	}
	if _, refused := server.Capacity(); refused == nil || refused.Status != 503 {
		t.Error("OPTIONS is told that there is room")
	}
	if status := ask("PUT", "?fault=SPEAK=loudly"); status != 400 {
		t.Errorf("nonsense: %d", status)
	}
	if status := ask("DELETE", ""); status != 204 {
		t.Errorf("DELETE: %d", status)
	}
	if _, refused := server.Capacity(); refused != nil {
		t.Errorf("OPTIONS is told %+v", refused)
	}
	if err := say(); err != nil {
		t.Errorf("taken back: %v", err)
	}
}
