package media

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media/codec"
)

// ramp is a clip whose samples tell where they are from.
func ramp(t testing.TB, samples int, c codec.Codec) *Clip {
	t.Helper()
	clip, err := NewClip(make([]int16, samples), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range clip.payload {
		clip.payload[i] = byte(i / 160)
	}
	return clip
}

// timed runs a test in which time passes only while everybody waits.
func timed(t *testing.T, test func(s *studio)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		defer s.close()
		test(s)
	})
}

func TestFramesLeaveOnTime(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		start := time.Now()
		const frames = 3000 // a minute, in which any drift would show
		b, err := s.session.Play(l, ramp(s.TB, frames*160-60, codec.PCMU))
		s.must(err)
		<-b.Done()
		s.must(b.Err())
		if took := time.Since(start); took != frames*20*time.Millisecond {
			s.Errorf("a clip of %d frames took %s", frames, took)
		}
		sent := p.all()
		if len(sent) != frames {
			s.Fatalf("%d frames left", len(sent))
		}
		for n, f := range sent {
			if at := f.at.Sub(start); at != time.Duration(n)*20*time.Millisecond {
				s.Fatalf("frame %d left after %s", n, at)
			}
			if f.Marker != (n == 0) || f.Samples != 160 || len(f.Data) != 160 || f.PayloadType != 0 || f.Data[0] != byte(n) {
				s.Fatalf("frame %d is %+v", n, f)
			}
		}
		last := sent[frames-1].Data
		if last[99] != byte((frames-1)&0xff) || last[100] != codec.PCMU.Silence() || last[159] != codec.PCMU.Silence() {
			s.Errorf("the last frame is %x", last)
		}
	})
}

// Whoever asks to be told of the end is told once, after Done and before Stop returns.
func TestEndIsTold(t *testing.T) {
	timed(t, func(s *studio) {
		l, _ := s.connected("caller", codec.PCMU)
		for _, stopped := range []bool{false, true} {
			var told []error
			begun, over := make(chan *Playback, 1), make(chan struct{})
			b, err := s.session.PlayWith(l, ramp(s.TB, 800, codec.PCMU), PlayOptions{Ended: func(err error) {
				<-(<-begun).Done()
				told = append(told, err)
				close(over)
			}})
			s.must(err)
			begun <- b
			if stopped {
				b.Stop()
				b.Stop()
			} else {
				<-over
			}
			if len(told) != 1 || told[0] != nil {
				s.Errorf("stopped %v: told %v", stopped, told)
			}
		}
	})
}

func TestFramesAreAsLongAsTheFarEndWants(t *testing.T) {
	for _, ptime := range []time.Duration{10, 30, 60, 0} {
		timed(t, func(s *studio) {
			l, p := s.open("caller")
			p.keep = true
			far := agreed(codec.PCMA)
			far.Ptime = ptime * time.Millisecond
			s.must(l.Connect(far, codec.PCMA))
			start := time.Now()
			b, err := s.session.Play(l, ramp(s.TB, 4800, codec.PCMA))
			s.must(err)
			<-b.Done()
			want := max(ptime, 0)
			if want == 0 {
				want = 20
			}
			sent := p.all()
			if took := time.Since(start); took != 600*time.Millisecond || len(sent) != int(600/want) || sent[0].Samples != uint32(8*want) {
				s.Errorf("ptime %d: %d frames of %d in %s", ptime, len(sent), sent[0].Samples, took)
			}
		})
	}
}

func TestManyPlaybacksKeepTheirOwnTime(t *testing.T) {
	timed(t, func(s *studio) {
		clip := ramp(s.TB, 160*50, codec.PCMU)
		var plays []*Playback
		var legs []*recorded
		var starts []time.Time
		for i := range 200 {
			l, p := s.connected(string(rune('A'+i)), codec.PCMU)
			b, err := s.session.Play(l, clip)
			s.must(err)
			plays, legs, starts = append(plays, b), append(legs, p), append(starts, time.Now())
			time.Sleep(700 * time.Microsecond)
		}
		if n := s.engine.pacer.active(); n != 200 {
			s.Errorf("%d are playing", n)
		}
		for i, b := range plays {
			<-b.Done()
			for n, f := range legs[i].all() {
				if late := f.at.Sub(starts[i].Add(time.Duration(n) * 20 * time.Millisecond)); late < 0 || late > doze {
					s.Fatalf("playback %d: frame %d is %s late", i, n, late)
				}
			}
		}
		synctest.Wait()
		if n := s.engine.pacer.active(); n != 0 {
			s.Errorf("%d are still playing", n)
		}
	})
}

func TestStopTakesEffectAtOnce(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		b, err := s.session.Play(l, ramp(s.TB, 16000, codec.PCMU))
		s.must(err)
		time.Sleep(110 * time.Millisecond)
		b.Stop()
		<-b.Done()
		b.Stop()
		s.must(b.Err())
		time.Sleep(time.Second)
		if n := len(p.all()); n != 6 {
			s.Errorf("%d frames left", n)
		}
	})
}

func TestAClipIsHeardAlone(t *testing.T) {
	timed(t, func(s *studio) {
		caller, c := s.connected("caller", codec.PCMU)
		server, p := s.connected("server", codec.PCMU)
		s.must(s.session.Join(server, caller))
		s.must(s.session.Join(caller, server))
		first, err := s.session.Play(caller, ramp(s.TB, 16000, codec.PCMU))
		s.must(err)
		p.wantRoute(s.TB, nil, false, 2)
		c.wantRoute(s.TB, p, false, 1)
		time.Sleep(50 * time.Millisecond)
		second, err := s.session.Play(caller, ramp(s.TB, 800, codec.PCMU))
		s.must(err)
		<-first.Done()
		p.wantRoute(s.TB, nil, false, 2)
		<-second.Done()
		p.wantRoute(s.TB, c, false, 3)
		if n := len(c.all()); n != 3+5 {
			s.Errorf("%d frames left", n)
		}
		third, err := s.session.Play(caller, ramp(s.TB, 16000, codec.PCMU))
		s.must(err)
		third.Stop()
		p.wantRoute(s.TB, c, false, 5)
	})
}

// A pacer that was kept from its work sends a little of what it missed at once
// and the rest in its own time.
func TestALatePacerDoesNotBurst(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		b := newPlayback(l, scriptOf(ramp(s.TB, 160*100, codec.PCMU)), frame)
		now := time.Now()
		step := func(after time.Duration) (time.Duration, int) {
			before := len(p.all())
			now = now.Add(after)
			next, state, err := b.step(now)
			if state != playing || err != nil {
				s.Fatalf("%d, %v", state, err)
			}
			return next.Sub(now), len(p.all()) - before
		}
		for _, want := range []struct {
			after, next time.Duration
			sent        int
		}{
			{0, 20 * time.Millisecond, 1},
			{20 * time.Millisecond, 20 * time.Millisecond, 1},
			{25 * time.Millisecond, 15 * time.Millisecond, 1}, // a little late: no drift
			{15 * time.Millisecond, 20 * time.Millisecond, 1},
			{65 * time.Millisecond, 15 * time.Millisecond, 3},
			{15 * time.Millisecond, 20 * time.Millisecond, 1},
			{time.Second, 20 * time.Millisecond, catchUp},
			{20 * time.Millisecond, 20 * time.Millisecond, 1},
		} {
			if next, sent := step(want.after); next != want.next || sent != want.sent {
				s.Errorf("after %s: %d frames, the next in %s, want %+v", want.after, sent, next, want)
			}
		}
	})
}

func TestAPlaybackOutlivesTrouble(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		start := time.Now()
		b, err := s.session.Play(l, ramp(s.TB, 160*100, codec.PCMU))
		s.must(err)
		after := func(at time.Duration) { time.Sleep(time.Until(start.Add(at - 10*time.Millisecond))) }
		after(200 * time.Millisecond)
		held := agreed(codec.PCMU)
		held.Send = false
		s.must(l.Connect(held, codec.PCMU))
		after(400 * time.Millisecond)
		s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
		after(600 * time.Millisecond)
		p.refusing(errors.New("network is unreachable"))
		after(800 * time.Millisecond)
		p.refusing(nil)
		s.must(l.Connect(agreed(codec.PCMA), codec.PCMA))
		<-b.Done()
		s.must(b.Err())
		if took := time.Since(start); took != 2*time.Second {
			s.Errorf("it took %s", took)
		}
		sent := p.all()
		if len(sent) != 80 {
			s.Fatalf("%d frames left", len(sent))
		}
		heard, _ := codec.PCMA.Decode(sent[79].Data)
		meant, _ := codec.PCMU.Decode([]byte{99})
		if sent[79].PayloadType != codec.PCMA.PayloadType || heard[0] > meant[0]+64 || heard[0] < meant[0]-64 {
			s.Errorf("the last frame has %d, want %d, in payload type %d", heard[0], meant[0], sent[79].PayloadType)
		}
	})
}

func TestAPlaybackGivesUpInTheEnd(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		unreachable := errors.New("network is unreachable")
		start := time.Now()
		b, err := s.session.Play(l, ramp(s.TB, 160*1000, codec.PCMU))
		s.must(err)
		p.refusing(unreachable)
		<-b.Done()
		if took := time.Since(start); !errors.Is(b.Err(), unreachable) || took > 1100*time.Millisecond {
			s.Errorf("%v after %s", b.Err(), took)
		}
		p.refusing(nil)
	})
}

// Frames that leave tell where in the clip they are from, and when.
func TestPauseSeekRepeat(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		const frame = 20 * time.Millisecond
		b, err := s.session.PlayWith(l, ramp(s.TB, 10*160, codec.PCMU), PlayOptions{From: 7 * frame, Repeat: 1})
		s.must(err)
		time.Sleep(5*frame - time.Millisecond) // 7, 8, 9, 0, 1
		b.Pause()
		if at := b.Position(); at != 2*frame {
			s.Errorf("paused at %s", at)
		}
		time.Sleep(time.Second)
		b.Resume()
		time.Sleep(2 * frame) // 2, 3
		b.Seek(8 * frame)     // 8, 9
		<-b.Done()
		s.must(b.Err())
		if at := b.Position(); at != 10*frame {
			s.Errorf("ended at %s", at)
		}
		sent := p.all()
		want := []byte{7, 8, 9, 0, 1, 2, 3, 8, 9}
		if len(sent) != len(want) {
			s.Fatalf("%d frames left, not %d", len(sent), len(want))
		}
		for i, f := range sent {
			if gap := i == 0 || want[i] == 2 || i == 7; f.Data[0] != want[i] || f.Marker != gap {
				s.Errorf("frame %d is from %d, marker %t", i, f.Data[0], f.Marker)
			}
			if i > 0 && want[i] != 2 {
				if step := f.at.Sub(sent[i-1].at); step != frame {
					s.Errorf("frame %d came after %s", i, step)
				}
			}
		}
	})
}

// What is repeated for ever ends when it is stopped, and no sooner.
func TestRepeatUntilStopped(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("caller", codec.PCMU)
		b, err := s.session.PlayWith(l, ramp(s.TB, 3*160, codec.PCMU), PlayOptions{Repeat: -1})
		s.must(err)
		time.Sleep(time.Minute - time.Millisecond)
		b.Stop()
		<-b.Done()
		if n := len(p.all()); n != 3000 {
			s.Errorf("%d frames left in a minute", n)
		}
		empty, err := s.session.PlayWith(l, ramp(s.TB, 0, codec.PCMU), PlayOptions{Repeat: -1})
		s.must(err)
		<-empty.Done()
	})
}

func TestPlayRefusals(t *testing.T) {
	s := newStudio(t)
	fresh, _ := s.open("fresh")
	spoken, _ := s.connected("spoken", codec.PCMU)
	if _, err := s.session.Play(fresh, ramp(t, 160, codec.PCMU)); err == nil {
		t.Error("a leg that is not connected plays")
	}
	if _, err := s.session.Play(spoken, ramp(t, 160, codec.PCMA)); err == nil {
		t.Error("a clip of another codec plays")
	}
	empty, err := s.session.Play(spoken, ramp(t, 0, codec.PCMU))
	s.must(err)
	<-empty.Done()
	s.must(empty.Err())
}

func TestEndsStopWhatPlays(t *testing.T) {
	s := newStudio(t)
	long := ramp(t, 8000*60, codec.PCMU)
	a, _ := s.connected("a", codec.PCMU)
	b, _ := s.connected("b", codec.PCMU)
	c := s.engine.NewSession("other")
	l, err := c.OpenLeg("c", localhost)
	s.must(err)
	s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
	byLeg, err := s.session.Play(a, long)
	s.must(err)
	bySession, err := s.session.Play(b, long)
	s.must(err)
	byEngine, err := c.Play(l, long)
	s.must(err)
	s.must(a.Close())
	<-byLeg.Done()
	s.session.Close()
	<-bySession.Done()
	s.must(s.engine.Close())
	<-byEngine.Done()
	if byLeg.Err() != nil || bySession.Err() != nil || !errors.Is(byEngine.Err(), ErrClosed) {
		t.Errorf("%v, %v, %v", byLeg.Err(), bySession.Err(), byEngine.Err())
	}
	c.Close()
}

func TestAFrameDoesNotAllocate(t *testing.T) {
	s := newStudio(t)
	l, _ := s.open("caller")
	s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
	pace := &pacer{}
	now := time.Now()
	clip := ramp(t, 160*200, codec.PCMU)
	for range 100 {
		pace.queue.Push(newPlayback(l, scriptOf(clip), frame))
	}
	if n := testing.AllocsPerRun(5000, func() {
		b := pace.queue[0]
		if b.due.After(now) {
			now = b.due
		}
		pace.serve(b, now)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkPacer(b *testing.B) {
	s := newStudio(b)
	l, err := s.session.OpenLeg("caller", localhost)
	if err != nil {
		b.Fatal(err)
	}
	l.Connect(agreed(codec.PCMU), codec.PCMU)
	clip, _ := NewClip(make([]int16, 1<<30/16), codec.PCMU)
	pace := &pacer{}
	for range 5000 {
		pace.queue.Push(newPlayback(l, scriptOf(clip), frame))
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		p := pace.queue[0]
		if p.due.After(now) {
			now = p.due
		}
		pace.serve(p, now)
	}
}

func TestSendDigits(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.connected("server", codec.PCMU)
		source, q := s.connected("caller", codec.PCMU)
		s.must(s.session.Join(source, l))
		start := time.Now()
		s.must(l.SendDigits(s.Context(), "1#"))
		if took := time.Since(start); took != 400*time.Millisecond {
			s.Errorf("it took %s", took)
		}
		q.wantRoute(s.TB, p, false, 3)
		sent := p.all()
		if len(sent) != 14 {
			s.Fatalf("%d packets left", len(sent))
		}
		for i, f := range sent {
			at := time.Duration(i/7*200+i%7*20) * time.Millisecond
			if f.PayloadType != 101 || f.Marker != (i%7 == 0) || f.at.Sub(start) != at || f.Data[0] != []byte{1, 11}[i/7] {
				s.Errorf("packet %d after %s: %+v", i, f.at.Sub(start), f)
			}
		}
	})
}

func TestSendDigitsRefusals(t *testing.T) {
	timed(t, func(s *studio) {
		l, p := s.open("server")
		if err := l.SendDigits(s.Context(), "1"); err == nil {
			s.Error("keys for a leg that is not connected")
		}
		s.must(l.Connect(agreed(codec.PCMU), codec.PCMU))
		if err := l.SendDigits(s.Context(), "1z"); err == nil {
			s.Error("there is no key z")
		}
		p.keep = true
		ctx, cancel := context.WithTimeout(s.Context(), 250*time.Millisecond)
		defer cancel()
		if err := l.SendDigits(ctx, "123456789"); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("cut short: %v", err)
		}
		time.Sleep(time.Second)
		if n := len(p.all()); n > 7+3 {
			s.Errorf("%d packets left", n)
		}
	})
}

// prompter is a plane that plays by itself; something happens while it begins.
type prompter struct {
	*recorder
	meanwhile func()
	agreed    []Recording
}

func (p *prompter) Play(PlaneLeg, Recording) (Voice, error) {
	p.meanwhile()
	return (*prompted)(p), nil
}

// prompted is what it plays.
type prompted prompter

func (p *prompted) Agree(r Recording)     { p.agreed = append(p.agreed, r) }
func (*prompted) Hold(bool)               {}
func (*prompted) Seek(time.Duration)      {}
func (*prompted) Position() time.Duration { return 0 }
func (*prompted) Stop()                   {}

func TestWhatIsAgreedWhileThePlaneBeginsIsHeardOf(t *testing.T) {
	plane := &prompter{recorder: newRecorder()}
	e, err := NewEngine(Config{}, plane, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{t, plane.recorder, e, e.NewSession("call-1")}
	defer s.close()
	l, _ := s.connected("caller", codec.PCMU)
	plane.meanwhile = func() {
		held := agreed(codec.PCMU)
		held.Send = false
		s.must(l.Connect(held, codec.PCMU))
	}
	b, err := s.session.Play(l, ramp(t, 1600, codec.PCMU))
	s.must(err)
	defer b.Stop()
	if len(plane.agreed) != 1 || !plane.agreed[0].Muted {
		t.Errorf("the plane was told %+v, want that the far end hears nothing", plane.agreed)
	}
}

// scriptOf plays a clip in frames of 20 ms.
func scriptOf(c *Clip) *clipScript {
	s, _ := newClipScript(c, frame)
	return s
}
