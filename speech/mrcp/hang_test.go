package mrcp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/mrcptest"
	"mcp/speech/mrcp/v2"
	"mcp/speech/mrcp/wire"
)

// outcome is how a request ends that was accepted.
type outcome struct {
	done <-chan struct{}
	err  func() error
}

func outcomeOf(rec speech.Recognizing, err error) (outcome, error) {
	if err != nil {
		return outcome{}, err
	}
	return outcome{rec.Done(), func() error { _, err := rec.Result(); return err }}, nil
}

// hanging is a request to a server that accepts it and then does nothing any more.
type hanging struct {
	method string
	begin  func(context.Context, speech.Session) (outcome, error)
	only   version // 0: both
}

func hangs() map[string]hanging {
	const ms = time.Millisecond
	listen := speech.Recognition{Grammars: []speech.Grammar{yesNo()}, NoInput: 10 * ms, MaxSpeech: 10 * ms, Complete: 10 * ms, StartTimers: true}
	return map[string]hanging{
		"recognition": {method: wire.MethodRecognize, begin: func(ctx context.Context, s speech.Session) (outcome, error) {
			return outcomeOf(s.Recognize(ctx, listen))
		}},
		"recognition whose timers are to start": {method: wire.MethodRecognize, begin: func(ctx context.Context, s speech.Session) (outcome, error) {
			later := listen
			later.StartTimers = false
			rec, err := s.Recognize(ctx, later)
			if err == nil {
				_ = rec.StartTimers(ctx) // is not answered either
			}
			return outcomeOf(rec, err)
		}},
		"speech": {method: wire.MethodSpeak, begin: func(ctx context.Context, s speech.Session) (outcome, error) {
			sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
			if err != nil {
				return outcome{}, err
			}
			return outcome{sp.Done(), sp.Err}, nil
		}},
		"interpretation": {method: wire.MethodInterpret, only: version2, begin: func(ctx context.Context, s speech.Session) (outcome, error) {
			_, err := s.(speech.Interpreter).Interpret(ctx, "yes", listen)
			return outcome{s.Done(), func() error { return err }}, nil
		}},
		"recording": {method: wire.MethodRecord, only: version2, begin: func(ctx context.Context, s speech.Session) (outcome, error) {
			rec, err := s.(speech.Recorder).Record(ctx, speech.RecordRequest{NoInput: 10 * ms, MaxTime: 10 * ms, StartTimers: true})
			if err != nil {
				return outcome{}, err
			}
			return outcome{rec.Done(), func() error { _, err := rec.Recorded(); return err }}, nil
		}},
	}
}

// A server that accepts and then does nothing any more costs the session, in the time
// that what was asked could have taken.
func TestServersThatHang(t *testing.T) { eachVersion(t, testServersThatHang) }

func testServersThatHang(t *testing.T, v version) {
	for name, row := range hangs() {
		if row.only != 0 && row.only != v {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			r := v.newRig(t, mrcp.Config{ResponseTimeout: time.Second})
			s := open(t, ctx, r.client, newCaller(t))
			r.server.Fail(mrcptest.Faults{Methods: map[string]mrcptest.Fault{row.method: {Hang: true}}})
			got, err := row.begin(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, got.done, "end")
			if err := got.err(); !errors.Is(err, speech.ErrUnavailable) || !errors.Is(err, mrcp.ErrUnanswered) {
				t.Error(err)
			}
			wait(t, s.Done(), "end of session")
			eventually(t, "it to be counted once", func() bool { stats := r.client.Stats(); return stats.Lost == 1 && stats.Timeouts == 1 })
		})
	}
}

// One that falls silent once it has heard the caller does so too, although its timers
// were never started.
func TestServersThatHangOnceTheyHear(t *testing.T) {
	ctx := testContext(t)
	_, client := newScriptedWith(t, mrcp.Config{ResponseTimeout: time.Second}, func(m *wire.Message) string {
		if m.Name == wire.MethodRecognize {
			return recogStarted + "MRCP/2.0 94 START-OF-INPUT {id} IN-PROGRESS\r\nChannel-Identifier: {recog}\r\n\r\n"
		}
		return ""
	})
	s := open(t, ctx, client, newCaller(t))
	rec, err := s.Recognize(ctx, speech.Recognition{MaxSpeech: 10 * time.Millisecond, Grammars: []speech.Grammar{{URI: "builtin:speech/digits"}}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, rec.Started(), "start")
	wait(t, rec.Done(), "end")
	if _, err := rec.Result(); !errors.Is(err, mrcp.ErrUnanswered) {
		t.Error(err)
	}
}

// Speech that is held may take as long as it likes; once resumed, no longer.
func TestHeldSpeechIsWaitedFor(t *testing.T) {
	const patience = 200 * time.Millisecond
	ctx := testContext(t)
	server, client := newScriptedWith(t, mrcp.Config{ResponseTimeout: patience}, func(m *wire.Message) string {
		if m.Name == wire.MethodSpeak {
			return inProgress
		}
		return success
	})
	s := open(t, ctx, client, newCaller(t))
	sp, err := s.Speak(ctx, speech.Utterance{SSML: "<speak/>"})
	if err != nil {
		t.Fatal(err)
	}
	steerable := sp.(speech.Steerable)
	if err := errors.Join(steerable.Pause(ctx), steerable.Control(ctx, speech.Control{Rate: "slow"})); err != nil {
		t.Fatal(err)
	}
	select {
	case <-sp.Done():
		t.Fatal("it was not waited for: ", sp.Err())
	case <-time.After(3 * patience):
	}
	if err := steerable.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "end")
	if err := sp.Err(); !errors.Is(err, mrcp.ErrUnanswered) {
		t.Error(err)
	}
	if got := server.methods(); got != "SPEAK PAUSE CONTROL RESUME" {
		t.Error(got)
	}
}

// A server that a session was lost with is left alone for a while, although a probe
// finds it.
func TestServersThatHangAreLeftAlone(t *testing.T) {
	ctx := testContext(t)
	r, _ := newRigWithSpare(t, mrcp.Config{Servers: []mrcp.Server{{URI: "sip:first", Weight: 1000000}, {URI: "sip:second"}},
		HealthInterval: 10 * time.Millisecond, RetryAfter: time.Hour, ResponseTimeout: time.Second})
	far := newCaller(t)
	r.server.Fail(mrcptest.Faults{Methods: map[string]mrcptest.Fault{wire.MethodSpeak: {Hang: true}}})
	speak := func() error {
		s := open(t, ctx, r.client, far)
		sp, err := s.Speak(ctx, speech.Utterance{SSML: ssml("x")})
		if err != nil {
			return err
		}
		wait(t, sp.Done(), "speech")
		return errors.Join(sp.Err(), s.Close(ctx))
	}
	// It is the second's turn once in a million times.
	if err := speak(); !errors.Is(err, mrcp.ErrUnanswered) {
		t.Error(err)
	}
	for range 10 {
		if err := speak(); err != nil {
			t.Error(err)
		}
	}
}

// farewells is a dialer whose dialogs end only when the test lets them: as with a
// server gone that SIP spoke to over UDP, which nobody says that it is gone.
type farewells struct {
	*mrcptest.Dialer
	let chan struct{}
}

func (f farewells) Dial(ctx context.Context, i v2.Invitation) (v2.Dialog, error) {
	dialog, err := f.Dialer.Dial(ctx, i)
	return farewell{dialog, f.let}, err
}

type farewell struct {
	v2.Dialog
	let chan struct{}
}

func (f farewell) Bye(ctx context.Context) error {
	select {
	case <-f.let:
	case <-ctx.Done(): // the test has failed
	}
	return f.Dialog.Bye(ctx)
}

// A session that was lost is over at once, however long its server takes to be told.
func TestLostSessionsAreNotWaitedFor(t *testing.T) {
	ctx := testContext(t)
	let := make(chan struct{})
	r := newRigOf(t, mrcptest.Config{}, nil, func(r *rig) {
		r.client = mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: "sip:mresources@127.0.0.1"}}},
			v2.New(v2.Config{}, farewells{r.dialer, let}, testLog(t)), testLog(t))
	})
	s := open(t, ctx, r.client, newCaller(t))
	eventually(t, "connected", func() bool { return r.server.Connections() == 1 })
	r.server.DropConnections()
	wait(t, s.Done(), "end of session")
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	next := open(t, ctx, r.client, newCaller(t))
	sp, err := next.Speak(ctx, speech.Utterance{SSML: ssml("x")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, sp.Done(), "speech")
	if r.dialer.Byes() != 0 {
		t.Error("the server has been told already")
	}
	close(let)
	if err := errors.Join(sp.Err(), next.Close(ctx)); err != nil {
		t.Error(err)
	}
}
