package mrcp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/v2"
	"mcp/speech/mrcp/wire"
)

// beginBoth has a session speaking at length and listening.
func beginBoth(t *testing.T, ctx context.Context, s speech.Session) (speech.Speaking, speech.Recognizing) {
	t.Helper()
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml(strings.Repeat("word ", 200))})
	if err != nil {
		t.Fatal(err)
	}
	return sp, rec
}

func TestServerDies(t *testing.T) {
	for name, kill := range map[string]func(*rig){
		"connection lost": func(r *rig) { r.server.DropConnections() },
		"server hangs up": func(r *rig) { r.dialer.HangUp() },
		"server stops":    func(r *rig) { _ = r.server.Close() },
		"connection lost upon a request": func(r *rig) {
			r.server.Fail(mrcptest.Faults{Drop: []string{wire.MethodStartInputTimers}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			r := newRig(t, mrcp.Config{})
			far := newCaller(t)
			s := open(t, ctx, r.client, far)
			sp, rec := beginBoth(t, ctx, s)
			eventually(t, "speech", func() bool { return len(far.heard()) > 2 })
			kill(r)
			if err := rec.StartTimers(ctx); !errors.Is(err, speech.ErrUnavailable) && err != nil {
				t.Errorf("start timers: %v", err)
			}
			wait(t, sp.Done(), "end of speech")
			wait(t, rec.Done(), "end of recognition")
			wait(t, s.Done(), "end of session")
			if err := sp.Err(); !errors.Is(err, speech.ErrUnavailable) {
				t.Errorf("speech: %v", err)
			}
			if _, err := rec.Result(); !errors.Is(err, speech.ErrUnavailable) {
				t.Errorf("recognition: %v", err)
			}
			if _, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")}); !errors.Is(err, speech.ErrUnavailable) {
				t.Errorf("speak: %v", err)
			}
			if _, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}}); !errors.Is(err, speech.ErrUnavailable) {
				t.Errorf("recognize: %v", err)
			}
			if err := errors.Join(sp.Stop(ctx), rec.Stop(ctx), s.Close(ctx)); err != nil {
				t.Errorf("after the end: %v", err)
			}
			eventually(t, "one BYE", func() bool { return r.dialer.Byes() == 1 && r.client.Stats().Lost == 1 })
		})
	}
}

// accepted waits until the server has noticed so many connections at least: until
// then it does not know them for existing.
func (r *rig) accepted(t *testing.T, connections int) {
	t.Helper()
	eventually(t, "connection accepted", func() bool { return r.server.Connections() >= connections })
}

// A server that stops answering costs the session, and its connection is not
// offered to further ones; those on it go on.
func TestResponseTimeout(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{ResponseTimeout: 300 * time.Millisecond})
	far := newCaller(t)
	deaf := open(t, ctx, r.client, far)
	r.accepted(t, 1)
	other := open(t, ctx, r.client, far)
	if n := r.client.Stats().Connections; n != 1 {
		t.Fatalf("%d connections for two sessions", n)
	}
	r.server.Fail(mrcptest.Faults{Silent: []string{wire.MethodSpeak}})
	if _, err := deaf.Speak(ctx, speech.Utterance{SSML: ssml("x")}); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("speak: %v", err)
	}
	wait(t, deaf.Done(), "end of session")
	r.server.Fail(mrcptest.Faults{})
	fresh := open(t, ctx, r.client, far)
	if n := r.client.Stats().Connections; n != 2 {
		t.Errorf("%d connections after one was abandoned", n)
	}
	for _, s := range []speech.Session{other, fresh} {
		sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, sp.Done(), "speech")
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	if stats := r.client.Stats(); stats.Timeouts != 1 || stats.Connections != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestConnectionsAreShared(t *testing.T) {
	ctx := testContext(t)
	for _, row := range []struct {
		own  bool
		want int
	}{{false, 1}, {true, 3}} {
		r := newRigOver(t, mrcp.Config{}, v2.Config{OwnConnection: row.own})
		far := newCaller(t)
		var all []speech.Session
		for range 3 {
			all = append(all, open(t, ctx, r.client, far))
			r.accepted(t, 1)
		}
		if n := r.client.Stats().Connections; n != row.want {
			t.Errorf("own %v: %d connections", row.own, n)
		}
		// Each hears only of its own speech, and the first to go leaves the others be.
		for i, s := range all {
			sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
			if err != nil {
				t.Fatal(i, err)
			}
			wait(t, sp.Done(), "speech")
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
		}
		eventually(t, "no connection", func() bool { return r.server.Connections() == 0 && r.client.Stats().Connections == 0 })
	}
}

// A server that has restarted answers "new" to an offer of "existing".
func TestExistingConnectionNobodyKnows(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{})
	far := newCaller(t)
	first := open(t, ctx, r.client, far)
	restarted := newRig(t, mrcp.Config{})
	r.dialer.Server = restarted.server
	second := open(t, ctx, r.client, far)
	if n := r.client.Stats().Connections; n != 2 {
		t.Errorf("%d connections", n)
	}
	sp, err := second.Speak(ctx, speech.Utterance{SSML: ssml("x")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if err := errors.Join(first.Close(ctx), second.Close(ctx)); err != nil {
		t.Error(err)
	}
}

func TestRefresh(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{})
	s := open(t, ctx, r.client, newCaller(t))
	for range 2 {
		answers := r.dialer.Refresh()
		if len(answers) != 1 {
			t.Fatalf("%d answers", len(answers))
		}
		d, err := sdp.Parse(answers[0])
		if err != nil || len(d.Controls()) != 2 || d.Version != 2 {
			t.Fatalf("%v in\n%s", err, answers[0])
		}
		for _, c := range d.Controls() {
			if c.Setup != sdp.SetupActive || c.Connection != sdp.ConnectionExisting || c.Addr.Port() != 9 {
				t.Errorf("%+v", c)
			}
		}
		if a := d.Audio(); len(a.Codecs) != 1 || a.Codecs[0] != s.Media().Codecs[0] {
			t.Errorf("%+v", a)
		}
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	ctx := testContext(t)
	r := newRig(t, mrcp.Config{})
	far := newCaller(t)
	r.server.Fail(mrcptest.Faults{Refuse: true})
	if _, err := r.client.Open(ctx, far.media()); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("refused: %v", err)
	}
	r.server.Fail(mrcptest.Faults{})
	media := far.media()
	media.Codecs = []speech.Codec{{PayloadType: 18, Name: "G729", ClockRate: 8000}}
	if _, err := r.client.Open(ctx, media); !errors.Is(err, speech.ErrNoCodec) {
		t.Errorf("codec: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.client.Open(cancelled, far.media()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// A server whose MRCP port nobody listens on.
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, client := newScripted(t, func(*wire.Message) string { return "" })
	_ = s.listener.Close()
	_ = closed.Close()
	if _, err := client.Open(ctx, far.media()); !errors.Is(err, speech.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
	if stats := r.client.Stats(); stats.Failed != 3 || stats.Opened != 0 || stats.Sessions != 0 {
		t.Errorf("%+v", stats)
	}
	if err := r.client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.client.Open(ctx, far.media()); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestClientCloseEndsSessions(t *testing.T) { eachVersion(t, testClientCloseEndsSessions) }

func testClientCloseEndsSessions(t *testing.T, v version) {
	ctx := testContext(t)
	r := v.newRig(t, mrcp.Config{})
	far := newCaller(t)
	s := open(t, ctx, r.client, far)
	sp, rec := beginBoth(t, ctx, s)
	if err := r.client.Close(); err != nil {
		t.Error(err)
	}
	wait(t, s.Done(), "session")
	wait(t, sp.Done(), "speech")
	wait(t, rec.Done(), "recognition")
	if _, err := rec.Result(); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("result: %v", err)
	}
}

// A server that writes as other servers do, wholly or in part, changes nothing.
func TestServersWriting(t *testing.T) {
	for name, rewrite := range map[string]func([]byte) []byte{
		"lengths wrong": func(b []byte) []byte { return bytes.Replace(b, []byte("MRCP/2.0 "), []byte("MRCP/2.0 9"), 1) },
		"length of one": func(b []byte) []byte {
			_, rest, _ := strings.Cut(string(b), " ")
			_, rest, _ = strings.Cut(rest, " ")
			return []byte("MRCP/2.0 0001 " + rest)
		},
		"lower case headers": func(b []byte) []byte {
			head, body, _ := strings.Cut(string(b), "\r\n\r\n")
			start, fields, _ := strings.Cut(head, "\r\n")
			return []byte(start + "\r\n" + strings.ToLower(fields) + "\r\n\r\n" + body)
		},
		"no space, folded": func(b []byte) []byte {
			head, body, _ := strings.Cut(string(b), "\r\n\r\n")
			return []byte(strings.ReplaceAll(head, ": ", ":\r\n ") + "\r\n\r\n" + body)
		},
		"noise between": func(b []byte) []byte { return append([]byte("\r\nnoise\r\n"), b...) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			r := newRig(t, mrcp.Config{}, "yes")
			r.server.Fail(mrcptest.Faults{Rewrite: rewrite})
			far := newCaller(t)
			s := open(t, ctx, r.client, far)
			sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
			if err != nil {
				t.Fatal(err)
			}
			wait(t, sp.Done(), "speech")
			rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}})
			if err != nil {
				t.Fatal(err)
			}
			far.say(t, s.Media().Addr, r.engine.Beeps(1))
			wait(t, rec.Done(), "result")
			if result, err := rec.Result(); err != nil || result.Outcome != speech.Match {
				t.Errorf("%+v, %v", result, err)
			}
			if err := s.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// Many at once, each at another point of its life when it ends, leave nothing.
func TestManySessionsLeaveNothing(t *testing.T) {
	ctx := testContext(t)
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	r := newRig(t, mrcp.Config{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := oneLife(t, ctx, r, i); err != nil {
				t.Error(i, err)
			}
		})
	}
	wg.Wait()
	if stats := r.client.Stats(); stats.Opened != 50 || stats.Sessions != 0 || stats.Connections != 0 || stats.Lost != 0 {
		t.Errorf("%+v", stats)
	}
	if n := r.server.Sessions() + r.dialer.Dialogs(); n != 0 {
		t.Errorf("%d sessions and dialogs left", n)
	}
	if err := errors.Join(r.client.Close(), r.server.Close()); err != nil {
		t.Error(err)
	}
	eventually(t, "descriptors and goroutines freed", func() bool {
		return openDescriptors(t) <= descriptors && runtime.NumGoroutine() <= goroutines
	})
}

func oneLife(t *testing.T, ctx context.Context, r *rig, i int) error {
	far := newCaller(t)
	defer far.close()
	s, err := r.client.Open(ctx, far.media())
	if err != nil {
		return err
	}
	if i%5 == 0 {
		return s.Close(ctx)
	}
	rec, err := s.Recognize(ctx, speech.Recognition{Grammars: []speech.Grammar{yesNo()}, NoInput: 300 * time.Millisecond})
	if err != nil {
		return err
	}
	sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("one two")})
	if err != nil {
		return err
	}
	switch i % 5 {
	case 1:
		<-sp.Done()
		err = rec.StartTimers(ctx)
		<-rec.Done()
		if result, failed := rec.Result(); failed != nil || result.Outcome != speech.NoInput {
			err = errors.Join(err, failed, fmt.Errorf("outcome %d", result.Outcome))
		}
	case 2:
		err = sp.Stop(ctx)
	case 3:
		err = errors.Join(rec.Stop(ctx), sp.BargeIn(ctx))
	}
	return errors.Join(err, s.Close(ctx))
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd to count descriptors in")
	}
	return len(entries)
}

// What a session costs both sides, but for SIP.
func BenchmarkOpenClose(b *testing.B) {
	server, err := mrcptest.NewServer(mrcptest.Config{}, mrcptest.NewCanned(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	client := mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: "sip:x@127.0.0.1"}}}, v2.New(v2.Config{}, &mrcptest.Dialer{Server: server}, slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))
	far := newCaller(b)
	for b.Loop() {
		s, err := client.Open(b.Context(), far.media())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(client.Close(), server.Close()); err != nil {
		b.Fatal(err)
	}
}
