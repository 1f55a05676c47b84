package record

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	mp3decoder "github.com/hajimehoshi/go-mp3"

	"mcp/control/media/audiofile"
	"mcp/control/media/measure"
	"mcp/control/media/tone"
)

func TestParseType(t *testing.T) {
	for text, want := range map[string]Format{
		"audio/wav":                        {Container: WAV, Coding: MuLaw, Rate: 8000, Channels: 1},
		"audio/x-wav;codec=alaw":           {Container: WAV, Coding: ALaw, Rate: 8000, Channels: 1},
		"audio/wav; codec=pcm; channels=2": {Container: WAV, Coding: Linear, Rate: 8000, Channels: 2},
		"audio/wav;codecs=1;rate=16000":    {Container: WAV, Coding: Linear, Rate: 16000, Channels: 1},
		"audio/basic":                      {Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1},
		"AUDIO/x-alaw-basic":               {Container: Raw, Coding: ALaw, Rate: 8000, Channels: 1},
		"audio/mpeg":                       {Container: MP3, Bitrate: 32, Rate: 8000, Channels: 1},
		"audio/mp3;bitrate=16;channels=2":  {Container: MP3, Bitrate: 16, Rate: 8000, Channels: 2},
		"audio/ogg;codecs=opus":            {Container: Ogg, Rate: 8000, Channels: 1},
		"":                                 {},
		"video/mpeg":                       {},
		"audio/wav;codec=gsm":              {},
		"audio/wav;rate=44100":             {},
		"audio/mpeg;bitrate=64":            {},
		"audio/wav;channels=x":             {},
		"audio/basic;channels=3":           {},
	} {
		got, err := ParseType(text)
		if want == (Format{}) {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%q: %+v, %v", text, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := ParseType(got.MediaType()); err != nil || again.Container != got.Container || again.Coding != got.Coding {
			t.Errorf("%q is called %q, which is %+v, %v", text, got.MediaType(), again, err)
		}
	}
}

// encoded is two seconds of a tone in a format, in pieces of 20 ms; the second
// channel has another.
func encoded(t testing.TB, to io.Writer, f Format) {
	t.Helper()
	e, err := NewEncoder(to, f)
	if err != nil {
		t.Fatal(err)
	}
	sides := [2][]int16{}
	for i, hz := range []float64{440, 1000} {
		sides[i] = tone.PCM(f.Rate, tone.Part{Hz: []float64{hz}, Level: -10, For: 2 * time.Second})
	}
	n := f.Rate / 50
	for at := 0; at+n <= len(sides[0]); at += n {
		var piece []int16
		for i := range n {
			for c := range f.Channels {
				piece = append(piece, sides[c][at+i])
			}
		}
		if err := e.Encode(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantTone(t testing.TB, what string, pcm []int16, rate int, hz ...float64) {
	t.Helper()
	if len(pcm) < 19*rate/10 || len(pcm) > 22*rate/10 {
		t.Errorf("%s: %d samples at %d Hz of two seconds", what, len(pcm), rate)
		return
	}
	for _, f := range hz {
		if l := measure.Tone(pcm[rate/2:3*rate/2], rate, f); math.Abs(l+10) > 1.5 {
			t.Errorf("%s: %g Hz is at %.1f dBm0, want -10", what, f, l)
		}
	}
}

// What is written as WAV or raw is what our own reader and sox hear.
func TestWAVIsHeardByOthers(t *testing.T) {
	for _, f := range []Format{
		{Container: WAV, Coding: MuLaw, Rate: 8000, Channels: 1}, {Container: WAV, Coding: ALaw, Rate: 8000, Channels: 1},
		{Container: WAV, Coding: Linear, Rate: 16000, Channels: 1}, {Container: Raw, Coding: MuLaw, Rate: 8000, Channels: 1},
		{Container: Raw, Coding: ALaw, Rate: 8000, Channels: 1},
	} {
		var b bytes.Buffer
		encoded(t, &b, f)
		pcm, err := audiofile.Decode(f.MediaType(), b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		wantTone(t, f.MediaType(), pcm, 8000, 440)
	}
	sox, err := exec.LookPath("sox")
	if err != nil {
		t.Skip("sox is not installed")
	}
	path := filepath.Join(t.TempDir(), "x.wav")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	encoded(t, file, Format{Container: WAV, Coding: ALaw, Rate: 8000, Channels: 2})
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for channel, hz := range map[string]float64{"1": 440, "2": 1000} {
		out, err := exec.Command(sox, path, "-t", "raw", "-e", "signed", "-b", "16", "-", "remix", channel).Output()
		if err != nil {
			t.Fatal(err)
		}
		wantTone(t, "sox, channel "+channel, linear(out, 1), 8000, hz)
	}
}

// linear reads little-endian samples, every n-th.
func linear(b []byte, n int) []int16 {
	var pcm []int16
	for ; len(b) >= 2*n; b = b[2*n:] {
		pcm = append(pcm, int16(uint16(b[0])|uint16(b[1])<<8))
	}
	return pcm
}

func TestMP3IsHeardByOthers(t *testing.T) {
	for _, f := range []Format{
		{Container: MP3, Bitrate: 16, Rate: 16000, Channels: 1}, {Container: MP3, Bitrate: 32, Rate: 16000, Channels: 1},
		{Container: MP3, Bitrate: 32, Rate: 16000, Channels: 2},
	} {
		var b bytes.Buffer
		encoded(t, &b, f)
		if most := f.Bitrate * 1000 / 8 * 21 / 10; b.Len() > most {
			t.Errorf("%+v: %d octets in two seconds", f, b.Len())
		}
		d, err := mp3decoder.NewDecoder(&b)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(d)
		if err != nil || d.SampleRate() != f.Rate {
			t.Fatalf("%d Hz, %v", d.SampleRate(), err)
		}
		wantTone(t, "MP3, left", linear(out, 2), f.Rate, 440)
	}
}

// Others' decoders hear what is said in MPEG-2.5 and in Ogg Opus.
func TestOtherDecoders(t *testing.T) {
	for _, tt := range []struct {
		f       Format
		decoder []string // reads the file named last, writes raw samples
		rate    int
	}{
		{f: Format{Container: MP3, Bitrate: 16, Rate: 8000, Channels: 1}, decoder: []string{"mpg123", "-q", "-s"}, rate: 8000},
		{f: Format{Container: MP3, Bitrate: 32, Rate: 8000, Channels: 1}, decoder: []string{"mpg123", "-q", "-s"}, rate: 8000},
		{f: Format{Container: Ogg, Rate: 8000, Channels: 1}, decoder: []string{"opusdec", "--quiet", "--force-stereo", "--rate", "8000"}, rate: 8000},
		{f: Format{Container: Ogg, Rate: 16000, Channels: 2}, decoder: []string{"opusdec", "--quiet", "--rate", "8000"}, rate: 8000},
	} {
		if _, err := exec.LookPath(tt.decoder[0]); err != nil {
			t.Logf("%s is not installed", tt.decoder[0])
			continue
		}
		path := filepath.Join(t.TempDir(), "x"+tt.f.Suffix())
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		encoded(t, file, tt.f)
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		args, channels := append(tt.decoder[1:], path), 1
		if tt.decoder[0] == "opusdec" {
			args, channels = append(args, path+".raw"), 2
		}
		out, err := exec.Command(tt.decoder[0], args...).Output()
		if err != nil {
			t.Fatalf("%v: %v", tt.decoder, err)
		}
		if tt.decoder[0] == "opusdec" {
			if out, err = os.ReadFile(path + ".raw"); err != nil {
				t.Fatal(err)
			}
		}
		wantTone(t, tt.f.MediaType(), linear(out, channels), tt.rate, 440)
		if tt.f.Channels == 2 {
			wantTone(t, tt.f.MediaType()+", right", linear(out[2:], channels), tt.rate, 1000)
		}
	}
}

// What is said last is heard, though encoders hold it for a while, and nothing is that
// was not said: every file is as long as that, MP3 to within its frames.
func TestTheEndIsHeard(t *testing.T) {
	for _, tt := range []struct {
		mediaType string
		late      time.Duration // what its filters take
		longer    time.Duration
	}{
		{"audio/wav;codec=pcm", 0, 0},
		{"audio/ogg", 0, 0},
		{"audio/ogg;rate=16000", 0, 0},
		{"audio/mpeg;bitrate=32;rate=16000", 1105 * time.Second / 16000, 3 * 576 * time.Second / 16000},
	} {
		f, err := ParseType(tt.mediaType)
		if err != nil {
			t.Fatal(err)
		}
		for _, length := range []time.Duration{990 * time.Millisecond, time.Second} {
			var b Memory
			e, err := NewEncoder(&b, f)
			if err != nil {
				t.Fatal(err)
			}
			pcm := tone.PCM(f.Rate, tone.Part{For: length - 40*time.Millisecond}, tone.Part{Hz: []float64{1000}, Level: -10, For: 40 * time.Millisecond})
			if err := errors.Join(e.Encode(pcm), e.Close()); err != nil {
				t.Fatal(err)
			}
			heard, err := audiofile.Decode(f.MediaType(), b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Duration(len(heard)) * time.Second / 8000; d < length-time.Millisecond || d > length+tt.longer+time.Millisecond {
				t.Errorf("%s: %s is %s long", tt.mediaType, length, d)
			}
			from := int((length + tt.late - 20*time.Millisecond) * 8000 / time.Second)
			if l := measure.Tone(heard[from:min(len(heard), from+120)], 8000, 1000); math.Abs(l+10) > 2 {
				t.Errorf("%s: the last 15 ms of %s are at %.1f dBm0", tt.mediaType, length, l)
			}
		}
	}
}

func FuzzParseType(f *testing.F) {
	f.Add("audio/wav;codec=alaw;rate=8000")
	f.Fuzz(func(t *testing.T, text string) {
		format, err := ParseType(text)
		if err != nil {
			return
		}
		if _, err := NewEncoder(io.Discard, format); err != nil {
			t.Errorf("%q is %+v: %v", text, format, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, f := range []Format{
		{Container: WAV, Coding: MuLaw, Rate: 8000, Channels: 1}, {Container: MP3, Bitrate: 32, Rate: 8000, Channels: 1},
		{Container: MP3, Bitrate: 16, Rate: 8000, Channels: 1}, {Container: Ogg, Rate: 8000, Channels: 1},
	} {
		b.Run(string(f.Container), func(b *testing.B) {
			e, err := NewEncoder(io.Discard, f)
			if err != nil {
				b.Fatal(err)
			}
			pcm := tone.PCM(8000, tone.Part{Hz: []float64{440, 1000}, Level: -10, For: time.Second})
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Encode(pcm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
