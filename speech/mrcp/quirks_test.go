package mrcp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/v2"
	"mcp/speech/mrcp/wire"
)

// scripted is a server that says, octet for octet, what a test has it say.
type scripted struct {
	t        *testing.T
	listener net.Listener
	reply    func(m *wire.Message) string // with {id}, {synth}, {recog} and {speak}
	wg       sync.WaitGroup
	hangup   chan struct{}
	records  bool // it grants a recorder too

	mu       sync.Mutex
	conns    []net.Conn
	requests []*wire.Message
	speak    string // id of the last SPEAK
}

// newScripted answers every request with what reply makes of it.
func newScripted(t *testing.T, reply func(m *wire.Message) string) (*scripted, *mrcp.Client) {
	t.Helper()
	return newScriptedWith(t, mrcp.Config{}, reply)
}

func newScriptedWith(t *testing.T, cfg mrcp.Config, reply func(m *wire.Message) string) (*scripted, *mrcp.Client) {
	t.Helper()
	cfg.Servers = []mrcp.Server{{URI: "sip:x@127.0.0.1"}}
	if cfg.ResponseTimeout == 0 {
		cfg.ResponseTimeout = 20 * time.Second
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{t: t, listener: listener, reply: reply, hangup: make(chan struct{})}
	s.wg.Go(s.accept)
	client := mrcp.NewClient(cfg, v2.New(v2.Config{}, s, testLog(t)), testLog(t))
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		_ = listener.Close()
		s.mu.Lock()
		for _, nc := range s.conns {
			_ = nc.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s, client
}

func (s *scripted) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, nc)
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(nc) })
	}
}

func (s *scripted) serve(nc net.Conn) {
	r := wire.NewReader(nc, 0)
	for {
		m, err := r.Read()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, m)
		if m.Name == wire.MethodSpeak {
			s.speak = strconv.FormatUint(uint64(m.ID), 10)
		}
		text := strings.NewReplacer("{id}", strconv.FormatUint(uint64(m.ID), 10), "{speak}", s.speak,
			"{synth}", "a-b.1@speechsynth", "{recog}", "a-b.1@speechrecog").Replace(s.reply(m))
		s.mu.Unlock()
		if _, err := nc.Write([]byte(text)); err != nil {
			return
		}
	}
}

// push sends something unasked.
func (s *scripted) push(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = strings.NewReplacer("{speak}", s.speak, "{synth}", "a-b.1@speechsynth", "{recog}", "a-b.1@speechrecog").Replace(text)
	if _, err := s.conns[0].Write([]byte(text)); err != nil {
		s.t.Error(err)
	}
}

// last is the id of the last request with this method.
func (s *scripted) last(method string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.requests) {
		if m.Name == method {
			return strconv.FormatUint(uint64(m.ID), 10)
		}
	}
	s.t.Errorf("no %s was sent", method)
	return ""
}

func (s *scripted) methods() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, m := range s.requests {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// Dial is part of v2.Dialer.
func (s *scripted) Dial(context.Context, v2.Invitation) (v2.Dialog, error) { return s, nil }

// Probe is part of v2.Dialer.
func (s *scripted) Probe(context.Context, string) error { return nil }

// Reoffer is part of v2.Dialog.
func (s *scripted) Reoffer(context.Context, []byte) ([]byte, error) { return s.Answer(), nil }

// Answer is part of v2.Dialog; it is what go-mrcp and UniMRCP send, mixed.
func (s *scripted) Answer() []byte {
	port, recorder := s.listener.Addr().(*net.TCPAddr).Port, ""
	if s.records {
		recorder = fmt.Sprintf("m=application %d TCP/MRCPv2 1\r\na=channel:a-b.1@recorder\r\n", port)
	}
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=application %d TCP/MRCPv2 1\r\na=cmid:1\r\na=channel:a-b.1@speechsynth\r\na=setup:passive\r\na=connection:new\r\n"+
		"m=application %d TCP/MRCPv2\r\na=channel:a-b.1@speechrecog\r\na=connection:new\r\n"+
		"m=audio 10000 RTP/AVP 0\r\na=mid:1\r\na=rtpmap:0 PCMU/8000\r\n%s", port, port, recorder)
}

// Bye is part of v2.Dialog.
func (s *scripted) Bye(context.Context) error { return nil }

// Done is part of v2.Dialog.
func (s *scripted) Done() <-chan struct{} { return s.hangup }

// Messages as servers in the field send them.
const (
	inProgress   = "MRCP/2.0 83 {id} 200 IN-PROGRESS\r\nChannel-Identifier: {synth}\r\n\r\n"
	recogStarted = "MRCP/2.0 83 {id} 200 IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\n"
	success      = "MRCP/2.0 80 {id} 200 COMPLETE\r\nChannel-Identifier: {synth}\r\n\r\n"
	defined      = "MRCP/2.0 112 {id} 200 COMPLETE\r\nChannel-Identifier: {recog}\r\nCompletion-Cause: 000 success\r\n\r\n"
	spoken       = "MRCP/2.0 122 SPEAK-COMPLETE {speak} COMPLETE\r\nChannel-Identifier: {synth}\r\nCompletion-Cause: 000 normal\r\n\r\n"
)

func result(fields, body string) string {
	return "MRCP/2.0 1 RECOGNITION-COMPLETE {id} COMPLETE\r\nchannel-identifier: {recog}\r\n" + fields +
		"content-length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

type foreignResult struct {
	name  string
	reply string // to RECOGNIZE
	want  speech.Result
	err   error
}

// foreignResults are results as other servers send them.
func foreignResults() []foreignResult {
	const unimrcp = "<?xml version=\"1.0\"?>\n<result> \n  <interpretation grammar=\"session:yesno@form-level.store\" confidence=\"0.97\">\n    <instance>one</instance>\n    <input mode=\"speech\">one</input>\n  </interpretation>\n</result>\n"
	return []foreignResult{
		{"UniMRCP", recogStarted + "MRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\n" +
			result("Completion-Cause: 000 success\r\nContent-Type: application/x-nlsml\r\n", unimrcp),
			speech.Result{Outcome: speech.Match, Alternatives: []speech.Alternative{{GrammarID: "yesno", Utterance: "one", Confidence: 0.97, Instance: "one", Mode: "voice"}}}, nil},
		{"Node, percent and lower case", "MRCP/2.0 83 {id} 200 IN-PROGRESS\r\nchannel-identifier: {recog}\r\n\r\n" +
			"MRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\nchannel-identifier: {recog}\r\ninput-type: speech\r\n\r\n" +
			result("completion-cause: 000 success\r\ncontent-type: application/x-nlsml\r\n", `<result><interpretation grammar="session:yesno" confidence="100"><instance>1234</instance><input mode="speech">1234</input></interpretation></result>`),
			speech.Result{Outcome: speech.Match, Alternatives: []speech.Alternative{{GrammarID: "yesno", Utterance: "1234", Confidence: 1, Instance: "1234", Mode: "voice"}}}, nil},
		{"go-mrcp, no cause", recogStarted + result("Content-Type: application/nlsml+xml\r\n", `<result><interpretation><input mode="speech"><noinput/></input></interpretation></result>`),
			speech.Result{Outcome: speech.NoInput}, nil},
		{"Nuance, draft names and nomatch", recogStarted + "MRCP/2.0 94 START-OF-SPEECH {id} IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\n" +
			result("Completion-Cause: 001 no-match\r\nContent-Type: application/x-nlsml\r\n", `<result><interpretation><input><nomatch/></input><instance/></interpretation></result>`),
			speech.Result{Outcome: speech.NoMatch}, nil},
		{"no-input without a body", recogStarted + "MRCP/2.0 138 RECOGNITION-COMPLETE {id} COMPLETE\r\nChannel-Identifier: {recog}\r\nCompletion-Cause: 002 no-input-timeout\r\n\r\n",
			speech.Result{Outcome: speech.NoInput}, nil},
		{"result before the response", result("Completion-Cause: 002\r\n", "") + recogStarted, speech.Result{Outcome: speech.NoInput}, nil},
		{"start before the response", "MRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\n" + recogStarted + result("Completion-Cause: 001\r\n", ""),
			speech.Result{Outcome: speech.NoMatch}, nil},
		{"queued first", "MRCP/2.0 83 {id} 200 PENDING\r\nChannel-Identifier: {recog}\r\n\r\n" + result("Completion-Cause: 015 no-match-maxtime\r\n", ""),
			speech.Result{Outcome: speech.TooMuchSpeech}, nil},
		{"event with a status inside", recogStarted + "MRCP/2.0 99 RECOGNITION-COMPLETE {id} 200 COMPLETE\r\nChannel-Identifier: {recog}\r\nCompletion-Cause: 001 no-match\r\n\r\n",
			speech.Result{Outcome: speech.NoMatch}, nil},
		{"noise around it", "garbage\r\nMRCP/2.0 zz\r\n\r\nMRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\nChannel-Identifier: stranger@speechrecog\r\n\r\n" +
			"MRCP/2.0 94 START-OF-INPUT 4000000 IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\nMRCP/2.0 80 4000000 200 COMPLETE\r\nChannel-Identifier: {recog}\r\n\r\n" +
			recogStarted + result("Completion-Cause: 001\r\n", ""), speech.Result{Outcome: speech.NoMatch}, nil},
		{"grammar would not compile", recogStarted + result("Completion-Cause: 005 grammar-compilation-failure\r\n", ""), speech.Result{}, speech.ErrGrammar},
		{"no channel named", "MRCP/2.0 83 {id} 200 IN-PROGRESS\r\n\r\nMRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\n\r\n" +
			"MRCP/2.0 99 RECOGNITION-COMPLETE {id} COMPLETE\r\nCompletion-Cause: 001 no-match\r\n\r\n", speech.Result{Outcome: speech.NoMatch}, nil},
		{"success without a result", recogStarted + result("Completion-Cause: 000 success\r\n", ""), speech.Result{}, errAny},
	}
}

func TestServersResults(t *testing.T) {
	for _, row := range foreignResults() {
		t.Run(row.name, func(t *testing.T) {
			ctx := testContext(t)
			_, client := newScripted(t, func(m *wire.Message) string {
				switch m.Name {
				case wire.MethodRecognize:
					return row.reply
				case wire.MethodDefineGrammar:
					return defined
				}
				return success
			})
			s := open(t, ctx, client, newCaller(t))
			rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
			if err != nil {
				t.Fatal(err)
			}
			wait(t, rec.Done(), "result")
			got, err := rec.Result()
			if fmt.Sprint(got) != fmt.Sprint(row.want) || (err != nil) != (row.err != nil) || row.err != nil && row.err != errAny && !errors.Is(err, row.err) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, row.want, row.err)
			}
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

var errAny = errors.New("any error")

type foreignStop struct {
	name        string
	how         func(speech.Speaking, context.Context) error
	stop, barge string // the replies
	methods     string
}

// foreignStops are the ways in which servers answer the end of speech, with what
// the client sends to bring it about.
func foreignStops() []foreignStop {
	listed := "MRCP/2.0 110 {id} 200 COMPLETE\r\nChannel-Identifier: {synth}\r\nActive-Request-Id-List: {speak}\r\n\r\n"
	barged := "MRCP/2.0 122 SPEAK-COMPLETE {speak} COMPLETE\r\nChannel-Identifier: {synth}\r\nCompletion-Cause: 001 barge-in\r\n\r\n"
	stop, bargeIn := speech.Speaking.Stop, speech.Speaking.BargeIn
	return []foreignStop{
		{"stop, listed", stop, listed, "", "SPEAK STOP"},
		{"stop, not listed", stop, success, "", "SPEAK STOP"},
		{"stop raced by its completion", stop, spoken + success, "", "SPEAK STOP"},
		{"stop followed by its completion", stop, listed + spoken, "", "SPEAK STOP"},
		{"stop, status and state swapped", stop, "MRCP/2.0 78 {id} COMPLETE 200\r\nchannel-identifier: {synth}\r\n\r\n", "", "SPEAK STOP"},
		{"stop not valid in this state", stop, "MRCP/2.0 80 {id} 402 COMPLETE\r\nChannel-Identifier: {synth}\r\n\r\n", "", "SPEAK STOP"},
		{"barge-in, listed", bargeIn, "", listed, "SPEAK BARGE-IN-OCCURRED"},
		{"barge-in, not listed", bargeIn, success, success, "SPEAK BARGE-IN-OCCURRED STOP"},
		{"barge-in refused", bargeIn, listed, "MRCP/2.0 80 {id} 401 COMPLETE\r\nChannel-Identifier: {synth}\r\n\r\n", "SPEAK BARGE-IN-OCCURRED STOP"},
		{"barge-in as RFC 6787 section 14.1 has it: another id, and an event", bargeIn, success,
			"MRCP/2.0 110 {id} 200 COMPLETE\r\nChannel-Identifier: {synth}\r\nActive-Request-Id-List: 543258\r\n\r\n" + barged, "SPEAK BARGE-IN-OCCURRED STOP"},
		{"barge-in raced by the completion", bargeIn, success, spoken + success, "SPEAK BARGE-IN-OCCURRED"},
	}
}

func TestServersStops(t *testing.T) {
	for _, row := range foreignStops() {
		t.Run(row.name, func(t *testing.T) {
			ctx := testContext(t)
			server, client := newScripted(t, func(m *wire.Message) string {
				return map[string]string{"SPEAK": inProgress, "STOP": row.stop, "BARGE-IN-OCCURRED": row.barge}[m.Name]
			})
			s := open(t, ctx, client, newCaller(t))
			sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
			if err != nil {
				t.Fatal(err)
			}
			if err := row.how(sp, ctx); err != nil {
				t.Fatal(err)
			}
			wait(t, sp.Done(), "stop")
			if sp.Err() != nil {
				t.Error(sp.Err())
			}
			// A further SPEAK is a barrier: all before it has been answered.
			again, err := s.Speak(ctx, speech.Utterance{SSML: ssml("y")})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(server.methods(), " SPEAK"); got != row.methods {
				t.Errorf("sent %s, want %s", got, row.methods)
			}
			server.push(spoken)
			wait(t, again.Done(), "speech")
		})
	}
}

func TestCompletionOvertakesTheResponse(t *testing.T) {
	ctx := testContext(t)
	_, client := newScripted(t, func(*wire.Message) string { return spoken + inProgress })
	s := open(t, ctx, client, newCaller(t))
	for range 3 {
		sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, sp.Done(), "speech")
		if sp.Err() != nil {
			t.Error(sp.Err())
		}
	}
}

func TestStartOfInputBargesInWithItsSyncID(t *testing.T) {
	ctx := testContext(t)
	server, client := newScripted(t, func(m *wire.Message) string {
		switch m.Name {
		case wire.MethodRecognize:
			return recogStarted
		case wire.MethodSpeak:
			return inProgress
		case wire.MethodBargeIn:
			return "MRCP/2.0 110 {id} 200 COMPLETE\r\nChannel-Identifier: {synth}\r\nActive-Request-Id-List: {speak}\r\n\r\n"
		}
		return success
	})
	s := open(t, ctx, client, newCaller(t))
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{{URI: "builtin:speech/boolean", Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
	if err != nil {
		t.Fatal(err)
	}
	// Both in one segment.
	server.push("MRCP/2.0 94 START-OF-INPUT 1 IN-PROGRESS\r\nChannel-Identifier: {recog}\r\nProxy-Sync-Id: 987654321\r\n\r\n" +
		strings.ReplaceAll(result("Completion-Cause: 001\r\n", ""), "{id}", "1"))
	wait(t, rec.Started(), "start")
	wait(t, rec.Done(), "result")
	wait(t, sp.Done(), "end of speech")
	server.mu.Lock()
	defer server.mu.Unlock()
	last := server.requests[len(server.requests)-1]
	if last.Name != wire.MethodBargeIn || last.Header.Get(wire.HeaderProxySyncID) != "987654321" {
		t.Errorf("%v %v", last, last.Header)
	}
}

func TestStartTimersTolerates402Only(t *testing.T) {
	ctx := testContext(t)
	status := "402"
	_, client := newScripted(t, func(m *wire.Message) string {
		if m.Name == wire.MethodStartInputTimers {
			return "MRCP/2.0 80 {id} " + status + " COMPLETE\r\nChannel-Identifier: {recog}\r\n\r\n"
		}
		return recogStarted
	})
	s := open(t, ctx, client, newCaller(t))
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{{URI: "builtin:speech/digits"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.StartTimers(ctx); err != nil {
		t.Error(err)
	}
	status = "407"
	if err := rec.StartTimers(ctx); err == nil {
		t.Error("407 passed for success")
	}
}

func expectedRequests() []string {
	recognize := "Cancel-If-Queue: false|Start-Input-Timers: false|Speech-Language: en-GB|No-Input-Timeout: 7000|Recognition-Timeout: 20000|" +
		"Speech-Complete-Timeout: 500|Speech-Incomplete-Timeout: 1000|Confidence-Threshold: 0.5|Sensitivity-Level: 1.0|Speed-Vs-Accuracy: 0.25|" +
		"N-Best-List-Length: 3|Vendor-Specific-Parameters: k=v|Content-Type: text/uri-list|Content-Length: 43||session:one@mcp.store|http://web/g.grxml|"
	return []string{
		"MRCP/2.0 233 SPEAK 1|Channel-Identifier: a-b.1@speechsynth|Kill-On-Barge-In: false|Speech-Language: en-US|Voice-Name: Tom|" +
			`Vendor-Specific-Parameters: a="x y";b=2|Content-Type: application/ssml+xml|Content-Length: 8||<speak/>`,
		"MRCP/2.0 191 DEFINE-GRAMMAR 2|Channel-Identifier: a-b.1@speechrecog|Content-Id: <one@mcp.store>|Speech-Language: en-GB|" +
			"Content-Type: application/srgs+xml|Content-Length: 10||<grammar/>",
		"MRCP/2.0 481 RECOGNIZE 3|Channel-Identifier: a-b.1@speechrecog|" + recognize,
		"MRCP/2.0 481 RECOGNIZE 4|Channel-Identifier: a-b.1@speechrecog|" + recognize,
		"MRCP/2.0 187 DEFINE-GRAMMAR 5|Channel-Identifier: a-b.1@speechrecog|Content-Id: <one-2@mcp.store>|Content-Base: http://base/|" +
			"Content-Type: application/x|Content-Length: 8||<other/>",
		"MRCP/2.0 266 RECOGNIZE 6|Channel-Identifier: a-b.1@speechrecog|Cancel-If-Queue: false|Start-Input-Timers: true|Recognition-Mode: hotword|" +
			`Content-Type: text/grammar-ref-list|Content-Length: 65||<session:one-2@mcp.store>;weight="0.5"|<builtin:speech/digits>|`,
	}
}

// The requests as they go out, octet for octet.
func TestRequestsOnTheWire(t *testing.T) {
	ctx := testContext(t)
	server, client := newScripted(t, func(m *wire.Message) string {
		switch m.Name {
		case wire.MethodRecognize:
			return recogStarted + result("Completion-Cause: 001\r\n", "")
		case wire.MethodDefineGrammar:
			return defined
		}
		return inProgress + spoken
	})
	s := open(t, ctx, client, newCaller(t))
	sp, err := s.Speak(ctx, speech.Utterance{SSML: "<speak/>", Language: "en-US", Voice: "Tom", NoBargeIn: true, Vendor: map[string]string{"b": "2", "a": "x y"}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	one := speech.Grammar{ID: "one", Content: []byte("<grammar/>")}
	recognition := speech.Recognition{
		Grammars: []speech.Grammar{one, {URI: "http://web/g.grxml"}, {ID: "twin", Content: []byte("<grammar/>")}},
		Language: "en-GB", NoInput: 7 * time.Second, Complete: 500 * time.Millisecond, Incomplete: time.Second, MaxSpeech: 20 * time.Second,
		Confidence: 0.5, Sensitivity: 1, SpeedAccuracy: 0.25, NBest: 3, Vendor: map[string]string{"k": "v"},
	}
	weighted := speech.Recognition{StartTimers: true, Hotword: true, Grammars: []speech.Grammar{
		{ID: "one", Content: []byte("<other/>"), URI: "http://base/", MediaType: "application/x", Weight: 0.5}, {URI: "builtin:speech/digits", Weight: 1}}}
	for _, r := range []speech.Recognition{recognition, recognition, weighted} {
		rec, err := s.Recognize(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, rec.Done(), "result")
	}
	want := expectedRequests()
	server.mu.Lock()
	defer server.mu.Unlock()
	for i, m := range server.requests {
		got := strings.ReplaceAll(string(m.Append(nil)), "\r\n", "|")
		if i >= len(want) || got != want[i] {
			t.Errorf("request %d:\n%s", i, got)
		}
	}
	if len(server.requests) != len(want) {
		t.Errorf("%d requests", len(server.requests))
	}
}

// A caller who loses patience before the server has answered leaves no speech behind.
func TestGivingUpStopsWhatIsAcceptedLater(t *testing.T) {
	ctx := testContext(t)
	seen := make(chan string, 10)
	server, client := newScripted(t, func(m *wire.Message) string {
		seen <- m.Name
		if m.Name == wire.MethodStop {
			return success
		}
		return "" // later
	})
	s := open(t, ctx, client, newCaller(t))
	giveUp, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Speak(giveUp, speech.Utterance{SSML: ssml("x")})
		failed <- err
	}()
	if first := <-seen; first != wire.MethodSpeak {
		t.Fatal(first)
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	server.push(strings.ReplaceAll(inProgress, "{id}", "1"))
	if second := <-seen; second != wire.MethodStop {
		t.Error(second)
	}
}
