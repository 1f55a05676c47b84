package audiofile_test

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

	"mcp/control/media/audiofile"
	"mcp/control/media/measure"
	"mcp/control/media/record"
	"mcp/control/media/tone"
)

// What the recorder writes can be played as a prompt.
func TestRecordingsAreRead(t *testing.T) {
	for _, f := range []record.Format{
		{Container: record.MP3, Bitrate: 32, Rate: 16000, Channels: 1}, {Container: record.MP3, Bitrate: 32, Rate: 16000, Channels: 2},
		{Container: record.Ogg, Rate: 8000, Channels: 1}, {Container: record.Ogg, Rate: 16000, Channels: 2},
		{Container: record.WAV, Coding: record.ALaw, Rate: 16000, Channels: 2},
	} {
		var b bytes.Buffer
		e, err := record.NewEncoder(&b, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tone.PCM(f.Rate, tone.Part{Hz: []float64{440}, Level: -10, For: 2 * time.Second}) {
			if err := e.Encode([]int16{s, s}[:f.Channels]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		wantTone(t, f.MediaType(), f.MediaType(), b.Bytes())
		if f.Container == record.MP3 {
			wantTone(t, "MP3 of unknown type", "", b.Bytes())
		}
	}
}

func wantTone(t *testing.T, what, mediaType string, data []byte) {
	t.Helper()
	pcm, err := audiofile.Decode(mediaType, data)
	if err != nil || len(pcm) < 15200 || len(pcm) > 17600 {
		t.Errorf("%s: %d samples of two seconds, %v", what, len(pcm), err)
		return
	}
	if l := measure.Tone(pcm[4000:12000], 8000, 440); math.Abs(l+10) > 1.5 { // the MP3 encoder is a little loud
		t.Errorf("%s: the tone is at %.1f dBm0", what, l)
	}
}

// AU as sox writes it, in each of its codings.
func TestAUIsRead(t *testing.T) {
	sox, err := exec.LookPath("sox")
	if err != nil {
		t.Skip("sox is not installed")
	}
	for _, coding := range [][]string{{"-e", "mu-law"}, {"-e", "a-law"}, {"-e", "signed", "-b", "16"}, {"-e", "signed", "-b", "8"}} {
		path := filepath.Join(t.TempDir(), "x.au")
		args := append([]string{"-n", "-r", "16000", "-c", "2"}, coding...)
		args = append(args, path, "synth", "2", "sine", "440", "vol", "0.22")
		if out, err := exec.Command(sox, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wantTone(t, coding[1], "audio/basic", data)
	}
}

func TestWhatIsNoAudio(t *testing.T) {
	for what, data := range map[string]string{
		"Ogg of something": "OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x05theor",
		"AU of something":  ".snd\x00\x00\x00\x18\x00\x00\x00\x08\x00\x00\x00\x63\x00\x00\x1f\x40\x00\x00\x00\x0112345678",
		"AU from nowhere":  ".snd\xff\xff\xff\x18\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x1f\x40\x00\x00\x00\x0112345678",
	} {
		if _, err := audiofile.Decode("audio/x", []byte(data)); !errors.Is(err, audiofile.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := audiofile.Decode("audio/mpeg", []byte("not an MP3 file at all")); !errors.Is(err, audiofile.ErrUnsupported) {
		t.Errorf("no MP3: %v", err)
	}
}

func FuzzDecodeCompressed(f *testing.F) {
	for _, format := range []record.Format{
		{Container: record.MP3, Bitrate: 16, Rate: 16000, Channels: 1}, {Container: record.Ogg, Rate: 8000, Channels: 1},
	} {
		var b bytes.Buffer
		e, err := record.NewEncoder(&b, format)
		if err != nil {
			f.Fatal(err)
		}
		if err := errors.Join(e.Encode(make([]int16, 2000)), e.Close()); err != nil {
			f.Fatal(err)
		}
		f.Add(format.MediaType(), b.Bytes())
	}
	f.Fuzz(func(t *testing.T, mediaType string, data []byte) {
		if pcm, err := audiofile.Decode(mediaType, data); err != nil && !errors.Is(err, audiofile.ErrUnsupported) && !errors.Is(err, io.EOF) {
			t.Errorf("%d samples, %v", len(pcm), err)
		}
	})
}
