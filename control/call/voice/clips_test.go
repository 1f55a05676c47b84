package voice

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"mcp/control/media"
	"mcp/control/media/codec"
)

// sound is a second of mu-law, without a header.
func sound() []byte { return bytes.Repeat([]byte{0x55, 0xd5}, 4000) }

func TestRecordingsAreDecodedOnce(t *testing.T) {
	const basic = "audio/basic"
	clips, file := NewClips(), sound()
	first, err := clips.Get(basic, file, codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	other := sound()
	other[100]++
	tests := []struct {
		name   string
		data   []byte
		spoken codec.Codec
		same   bool
	}{
		{"the same memory", file, codec.PCMU, true},
		{"the same content elsewhere", sound(), codec.PCMU, true},
		{"the beginning of that memory", file[:160], codec.PCMU, false},
		{"the same memory for another codec", file, codec.PCMA, false},
		{"other content", other, codec.PCMU, false},
		{"nothing", nil, codec.PCMU, false},
	}
	for _, tt := range tests {
		for range 2 {
			got, err := clips.Get(basic, tt.data, tt.spoken)
			if err != nil || (got == first) != tt.same || got.Samples() != len(tt.data) {
				t.Errorf("%s: the first clip: %v, want %v (%v)", tt.name, got == first, tt.same, err)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = clips.Get(basic, file, codec.PCMU) }); n > 0 {
		t.Errorf("looking a clip up allocates %v times", n)
	}
}

// Who asks while a recording is decoded waits for that.
func TestNewRecordingIsDecodedForAllWhoAskAtOnce(t *testing.T) {
	const callers = 20
	clips, key, made := NewClips(), said("new", codec.PCMU), new(media.Clip)
	var asked, decoded atomic.Int32
	decode := func() (*media.Clip, error) {
		decoded.Add(1)
		for asked.Load() < callers {
			runtime.Gosched()
		}
		return made, nil
	}
	var asking sync.WaitGroup
	for range callers {
		asking.Go(func() {
			asked.Add(1)
			if got, err := clips.share(key, decode); got != made || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	asking.Wait()
	if n := decoded.Load(); n != 1 || len(clips.coming) > 0 || clips.find(key) != made {
		t.Errorf("decoded %d times; %d are awaited still; kept: %v", n, len(clips.coming), clips.find(key))
	}
}

func TestRecordingThatCannotBeDecodedIsTriedAgain(t *testing.T) {
	clips, key, broken := NewClips(), said("broken", codec.PCMU), errors.New("broken")
	for range 2 {
		tried := false
		clip, err := clips.share(key, func() (*media.Clip, error) { tried = true; return nil, broken })
		if clip != nil || !errors.Is(err, broken) || !tried {
			t.Errorf("got %v, %v; it was tried: %v", clip, err, tried)
		}
	}
	if len(clips.coming)+len(clips.byKey) > 0 {
		t.Errorf("kept: %v, %v", clips.coming, clips.byKey)
	}
	if _, err := clips.Get("audio/x-unknown", sound(), codec.PCMU); err == nil {
		t.Error("a recording of no known kind was decoded")
	}
}

func BenchmarkClipIsKnown(b *testing.B) {
	clips, file := NewClips(), bytes.Repeat(sound(), 30)
	for b.Loop() {
		if _, err := clips.Get("audio/basic", file, codec.PCMU); err != nil {
			b.Fatal(err)
		}
	}
}
