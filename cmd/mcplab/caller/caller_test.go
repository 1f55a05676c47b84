package caller

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-audio/wav"
	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseScript(t *testing.T) {
	got, err := ParseScript("listen; say sales please\n# a note\nlisten 2s;dtmf 12#; wait 100ms; await")
	want := []Step{
		{Verb: Listen}, {Verb: Say, Text: "sales please"}, {Verb: Listen, After: 2 * time.Second},
		{Verb: Press, Text: "12#"}, {Verb: Wait, After: 100 * time.Millisecond}, {Verb: Await},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "say", "dtmf 1x", "wait", "wait -1s", "listen soon", "await now", "dance"} {
		if _, err := ParseScript(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// sine is a tone, which the voice detector takes for speech.
func sine(d time.Duration) []int16 {
	samples := make([]int16, int(d*clockRate/time.Second))
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/clockRate))
	}
	return samples
}

func silence(d time.Duration) []int16 { return make([]int16, int(d*clockRate/time.Second)) }

func TestSegmentsAreWhatWasSaid(t *testing.T) {
	const ms = time.Millisecond
	var audio []int16
	for _, part := range [][]int16{
		silence(100 * ms), sine(400 * ms), silence(200 * ms), sine(200 * ms), // one: the pause is short
		silence(600 * ms), sine(20 * ms), silence(600 * ms), // a click is nobody
		sine(300 * ms), silence(500 * ms),
	} {
		audio = append(audio, part...)
	}
	got := Segments(audio, 300*ms, 60*ms)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []Segment{{Start: 100 * ms, Duration: 800 * ms}, {Start: 2120 * ms, Duration: 300 * ms}} {
		if got[i].Start != want.Start || got[i].Duration != want.Duration {
			t.Errorf("segment %d: %v for %v, want %v for %v", i, got[i].Start, got[i].Duration, want.Start, want.Duration)
		}
	}
	if got[1].Level < -16 || got[1].Level > -14 {
		t.Errorf("a sine of amplitude 8000 is at -15.3 dB, not %v", got[1].Level)
	}
}

func TestEarWaitsForTheEndOfSpeech(t *testing.T) {
	var e ear
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	e.attend(start)
	if e.finished(at(5000), time.Second) {
		t.Error("silence alone is not an end")
	}
	for ms := 5000; ms < 5400; ms += 20 {
		e.hear(sine(frameTime), at(ms))
	}
	e.hear(silence(frameTime), at(5400))
	if e.finished(at(6000), time.Second) {
		t.Error("600 ms of silence ended it")
	}
	if !e.finished(at(6400), time.Second) {
		t.Error("a second of silence did not end it")
	}
}

// packet makes the nth packet of a perfect stream.
func packet(n int) *rtp.Packet {
	return &rtp.Packet{Header: rtp.Header{SSRC: 7, SequenceNumber: uint16(65530 + n), Timestamp: uint32(1<<32-500) + uint32(n)*160}}
}

func TestContinuity(t *testing.T) {
	order := func(numbers ...int) []*rtp.Packet {
		var packets []*rtp.Packet
		for _, n := range numbers {
			packets = append(packets, packet(n))
		}
		return packets
	}
	changed := order(0, 1, 2)
	changed[2].SSRC = 8
	back := order(0, 1, 2)
	back[2].Timestamp -= 1000
	for _, tc := range []struct {
		name    string
		packets []*rtp.Packet
		fault   string
		count   func(*Continuity) int
		want    int
	}{
		{"whole, over both wraps", order(0, 1, 2, 3, 4, 5, 6, 7, 8), "", func(c *Continuity) int { return c.Packets }, 9},
		{"hole", order(0, 1, 5), "lost", func(c *Continuity) int { return c.Lost }, 3},
		{"late", order(0, 2, 1, 3), "reordered", func(c *Continuity) int { return c.Reordered }, 1},
		{"late is not lost", order(0, 2, 1, 3), "", func(c *Continuity) int { return c.Lost }, 0},
		{"late before the first", order(1, 0, 2), "reordered", func(c *Continuity) int { return c.Lost }, 0},
		{"twice", order(0, 1, 1, 2), "twice", func(c *Continuity) int { return c.Duplicates }, 1},
		{"another stream", changed, "SSRC", func(c *Continuity) int { return len(c.SSRCs) }, 2},
		{"back in time", back, "timestamp", func(c *Continuity) int { return c.Backwards }, 1},
		{"nothing", nil, "no RTP", func(c *Continuity) int { return c.Packets }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Continuity
			start := time.Now()
			for i, p := range tc.packets {
				c.receive(p, start.Add(time.Duration(i)*frameTime), true)
			}
			if got := tc.count(&c); got != tc.want {
				t.Errorf("counted %d, want %d", got, tc.want)
			}
			if faults := strings.Join(c.Faults(), "; "); tc.fault != "" && !strings.Contains(faults, tc.fault) {
				t.Errorf("faults %q without %q", faults, tc.fault)
			}
		})
	}
}

func TestContinuityMeasuresJitter(t *testing.T) {
	var steady, shaky Continuity
	start := time.UnixMilli(1_000_000)
	for n := range 500 {
		at := start.Add(time.Duration(n) * frameTime)
		steady.receive(packet(n), at, true)
		shaky.receive(packet(n), at.Add(time.Duration(n%2)*8*time.Millisecond), true)
	}
	if steady.JitterMS > 0.01 || shaky.JitterMS < 7.5 || shaky.JitterMS > 8.5 {
		t.Errorf("jitter %v and %v ms, want 0 and 8", steady.JitterMS, shaky.JitterMS)
	}
}

func TestEventPayloads(t *testing.T) {
	for index := range toneFrames + endPackets {
		p := eventPayload('#', index)
		ended, duration := p[1]&0x80 != 0, int(binary.BigEndian.Uint16(p[2:]))
		if p[0] != 11 || ended != (index >= toneFrames) || duration != min(index+1, toneFrames)*160 {
			t.Errorf("packet %d: % x", index, p)
		}
	}
}

func TestRecordingIsStereo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "call.wav")
	r := Recording{Said: place(nil, 2, []int16{1, 2}), Heard: place(nil, 0, []int16{-5})}
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	buffer, err := wav.NewDecoder(file).FullPCMBuffer()
	if err != nil {
		t.Fatal(err)
	}
	want := []int{0, -5, 0, 0, 1, 0, 2, 0}
	if buffer.Format.NumChannels != 2 || buffer.Format.SampleRate != 8000 || !reflect.DeepEqual(buffer.Data, want) {
		t.Errorf("%+v", buffer)
	}
}
