package speaking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"

	"mcp/control/sip"
	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// TestForeignServers holds the client against MRCP servers that nobody here
// wrote. MCP_INTEROP_MRCP names them, parted by spaces, such as
// "sip:127.0.0.1:8060;transport=tcp rtsp://127.0.0.1:1554" for UniMRCP's server with
// its demo plugins on the loopback.
func TestForeignServers(t *testing.T) {
	servers := strings.Fields(os.Getenv("MCP_INTEROP_MRCP"))
	if len(servers) == 0 {
		t.Skip("MCP_INTEROP_MRCP names no server")
	}
	for _, uri := range servers {
		for name, test := range map[string]func(*foreign){
			"speak": (*foreign).speaks, "recognize": (*foreign).recognizes, "barge in": (*foreign).bargesIn,
			"no input": (*foreign).hearsNothing, "steer": (*foreign).steers, "params": (*foreign).tunes,
			"stop": (*foreign).stops, "resources": (*foreign).alters, "idle": (*foreign).idles, "record": (*foreign).records,
		} {
			t.Run(strings.SplitN(uri, ":", 2)[0]+"/"+name, func(t *testing.T) { test(newForeign(t, uri)) })
		}
	}
}

// foreign is a session's surroundings: the platform's agent and client, and the
// far end of the audio.
type foreign struct {
	t      *testing.T
	ctx    context.Context
	v1     bool
	engine speech.Engine
	socket *net.UDPConn
	media  speech.Media
	saying sync.Mutex
	seq    int
}

func newForeign(t *testing.T, uri string) *foreign {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	agent, _ := serveSIP(t, sip.Config{Listen: []string{"tcp:127.0.0.1:0", "udp:127.0.0.1:0"}}, sip.Nobody{})
	idle := time.Duration(0)
	if strings.Contains(t.Name(), "/idle") {
		idle = 800 * time.Millisecond
	}
	engine := opened(t, agent, MRCP{URI: uri, Session: MRCPSession{Idle: idle}}, log)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	f := &foreign{t: t, ctx: ctx, v1: isRTSP(uri), engine: engine.RTP, socket: socket,
		media: speech.Media{Addr: socket.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: engine.Codecs, Events: 101}}
	t.Cleanup(func() {
		cancel()
		_ = socket.Close()
	})
	return f
}

func (f *foreign) open() speech.Session {
	f.t.Helper()
	s, err := f.engine.Open(f.ctx, f.media)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			f.t.Error(err)
		}
	})
	return s
}

// must takes the value of what must not fail.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (f *foreign) wait(done <-chan struct{}, what string) {
	f.t.Helper()
	select {
	case <-done:
	case <-f.ctx.Done():
		f.t.Fatal("no", what)
	}
}

// heard counts packets until there are n.
func (f *foreign) heard(n int) {
	f.t.Helper()
	buffer := make([]byte, 2048)
	_ = f.socket.SetReadDeadline(time.Now().Add(10 * time.Second))
	for i := range n {
		if _, _, err := f.socket.ReadFromUDPAddrPort(buffer); err != nil {
			f.t.Fatalf("after %d packets: %v", i, err)
		}
	}
}

// say sends a second of tone and two of silence at their pace.
func (f *foreign) say(to netip.AddrPort, codec speech.Codec) {
	f.saying.Lock()
	defer f.saying.Unlock()
	encode := g711.EncodeUlawFrame
	if codec.Name == "PCMA" {
		encode = g711.EncodeAlawFrame
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for n := range 150 {
		f.seq++
		payload := make([]byte, 160)
		for i := range payload {
			sample := int16(0)
			if n < 50 {
				sample = int16(9000 * math.Sin(float64(n*160+i)*0.35))
			}
			payload[i] = encode(sample)
		}
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: codec.PayloadType, SSRC: 7, SequenceNumber: uint16(f.seq), Timestamp: uint32(f.seq * 160)}, Payload: payload}
		raw, err := p.Marshal()
		if err != nil {
			f.t.Error(err)
		}
		if _, err := f.socket.WriteToUDPAddrPort(raw, to); err != nil {
			return
		}
		<-ticker.C
	}
}

const said = `<?xml version="1.0"?><speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">one two three</speak>`

func digits() speech.Recognition {
	return speech.Recognition{StartTimers: true, NoInput: 5 * time.Second, MaxSpeech: 10 * time.Second, Confidence: 0.5, NBest: 2,
		Grammars: []speech.Grammar{{ID: "digit", MediaType: "application/srgs+xml", Content: []byte(`<?xml version="1.0"?>
<grammar xmlns="http://www.w3.org/2001/06/grammar" xml:lang="en-US" version="1.0" mode="voice" root="digit"><rule id="digit"><one-of><item>one</item><item>two</item></one-of></rule></grammar>`)}}}
}

func (f *foreign) speaks() {
	s := f.open()
	for range 2 {
		sp := must(s.Speak(f.ctx, speech.Utterance{SSML: said, Language: "en-US"}))(f.t)
		f.heard(10)
		f.wait(sp.Done(), "end of speech")
		if err := sp.Err(); err != nil {
			f.t.Error(err)
		}
	}
}

func (f *foreign) recognizes() {
	s := f.open()
	for range 2 { // the second uses the grammar as it is defined
		rec := must(s.Recognize(f.ctx, digits()))(f.t)
		go f.say(s.Media().Addr, s.Media().Codecs[0])
		f.wait(rec.Started(), "start of input")
		f.wait(rec.Done(), "result")
		result, err := rec.Result()
		if err != nil || result.Outcome != speech.Match || result.Alternatives[0].Utterance == "" || result.Alternatives[0].Confidence < 0.5 {
			f.t.Errorf("%+v, %v", result, err)
		}
		f.t.Logf("%+v", result)
	}
}

func (f *foreign) bargesIn() {
	s := f.open()
	rec := must(s.Recognize(f.ctx, digits()))(f.t)
	sp := must(s.Speak(f.ctx, speech.Utterance{SSML: said}))(f.t)
	f.heard(5)
	go f.say(s.Media().Addr, s.Media().Codecs[0])
	f.wait(rec.Started(), "start of input")
	f.wait(sp.Done(), "end of speech")
	f.wait(rec.Done(), "result")
	if err := sp.Err(); err != nil {
		f.t.Error(err)
	}
}

func (f *foreign) hearsNothing() {
	r := digits()
	r.NoInput, r.StartTimers = time.Second, false
	s := f.open()
	rec := must(s.Recognize(f.ctx, r))(f.t)
	if err := rec.StartTimers(f.ctx); err != nil {
		f.t.Error(err)
	}
	f.wait(rec.Done(), "result")
	if result, err := rec.Result(); err != nil || result.Outcome != speech.NoInput {
		f.t.Errorf("%+v, %v", result, err)
	}
}

func (f *foreign) steers() {
	s := f.open()
	sp := must(s.Speak(f.ctx, speech.Utterance{SSML: said}))(f.t)
	steering := sp.(speech.Steerable)
	if err := errors.Join(steering.Pause(f.ctx), steering.Resume(f.ctx), steering.Control(f.ctx, speech.Control{Jump: "-1 Second"})); err != nil {
		f.t.Error(err)
	}
	f.wait(sp.Done(), "end of speech")
}

func (f *foreign) tunes() {
	s := f.open().(speech.Tuner)
	if err := s.SetParams(f.ctx, wire.Recognizer, map[string]string{"Confidence-Threshold": "0.4", "N-Best-List-Length": "3"}); err != nil {
		f.t.Fatal(err)
	}
	params := must(s.Params(f.ctx, wire.Recognizer, "Confidence-Threshold", "N-Best-List-Length"))(f.t)
	if !strings.HasPrefix(params["Confidence-Threshold"], "0.4") || params["N-Best-List-Length"] != "3" {
		f.t.Errorf("%v", params)
	}
}

func (f *foreign) stops() {
	s := f.open()
	rec := must(s.Recognize(f.ctx, digits()))(f.t)
	sp := must(s.Speak(f.ctx, speech.Utterance{SSML: said}))(f.t)
	if err := errors.Join(sp.Stop(f.ctx), rec.Stop(f.ctx)); err != nil {
		f.t.Error(err)
	}
	again := must(s.Speak(f.ctx, speech.Utterance{SSML: said}))(f.t)
	f.wait(again.Done(), "end of speech")
	if err := again.Err(); err != nil {
		f.t.Error(err)
	}
}

// alters has many sessions at a time, each going another way.
func (f *foreign) alters() {
	errs := make(chan error, 20)
	for i := range 20 {
		go func() {
			s, err := f.engine.Open(f.ctx, f.media)
			if err != nil {
				errs <- fmt.Errorf("%d: %w", i, err)
				return
			}
			if i%2 == 0 {
				_, err = s.Recognize(f.ctx, digits())
			}
			errs <- errors.Join(err, s.Close(f.ctx))
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			f.t.Error(err)
		}
	}
}

// idles speaks for longer than the recognizer is kept for, and recognizes again.
func (f *foreign) idles() {
	s := f.open()
	sp := must(s.Speak(f.ctx, speech.Utterance{SSML: said}))(f.t)
	f.wait(sp.Done(), "end of speech")
	rec, err := s.Recognize(f.ctx, digits())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := rec.Stop(f.ctx); err != nil {
		f.t.Error(err)
	}
	f.wait(s.Done(), "end of the session that nobody uses")
}

func (f *foreign) records() {
	if f.v1 {
		f.t.Skip("MRCPv1 has no recorder")
	}
	s := f.open().(speech.Recorder)
	rec := must(s.Record(f.ctx, speech.RecordRequest{FinalSilence: 500 * time.Millisecond, MaxTime: 5 * time.Second, StartTimers: true}))(f.t)
	go f.say(s.(speech.Session).Media().Addr, s.(speech.Session).Media().Codecs[0])
	f.wait(rec.Done(), "end of recording")
	recorded, err := rec.Recorded()
	if err != nil || recorded.URI == "" {
		f.t.Errorf("%+v, %v", recorded, err)
	}
	f.t.Logf("%+v", recorded)
}
