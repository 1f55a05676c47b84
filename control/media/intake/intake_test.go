package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/tone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func packet(sequence uint16, timestamp uint32, octet byte) media.Heard {
	return media.Heard{
		Codec: codec.PCMU, SSRC: 1, Sequence: sequence, Timestamp: timestamp,
		Payload: bytes.Repeat([]byte{octet}, 160),
	}
}

func TestAudioIsOneRun(t *testing.T) {
	other := packet(500, 99, 0x40)
	other.SSRC = 2
	tests := []struct {
		name    string
		packets []media.Heard
		octets  []byte // one for every 160
	}{
		{"in order", []media.Heard{packet(65535, 0xffffff60, 1), packet(0, 0, 2)}, []byte{1, 2}},
		{"lost", []media.Heard{packet(1, 0, 1), packet(3, 320, 3)}, []byte{1, 0xff, 3}},
		{"late and twice", []media.Heard{packet(2, 160, 2), packet(1, 0, 1), packet(2, 160, 2), packet(3, 320, 3)}, []byte{2, 3}},
		{"silence suppressed", []media.Heard{packet(1, 0, 1), packet(2, 480, 2)}, []byte{1, 0xff, 0xff, 2}},
		{"gone for long", []media.Heard{packet(1, 0, 1), packet(2, 80000, 2)}, []byte{1, 2}},
		{"another source", []media.Heard{packet(1, 0, 1), other}, []byte{1, 0x40}},
		{"timestamps step back", []media.Heard{packet(1, 5000, 1), packet(2, 160, 2)}, []byte{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := New(codec.PCMU, time.Second)
			for _, p := range tt.packets {
				q.Audio(p)
			}
			c, err := q.Next(t.Context())
			if err != nil || c.Lost != 0 || len(c.Audio) != 160*len(tt.octets) {
				t.Fatalf("%d octets, lost %s, %v", len(c.Audio), c.Lost, err)
			}
			for i, want := range tt.octets {
				if part := c.Audio[i*160 : (i+1)*160]; part[0] != want || part[159] != want {
					t.Errorf("frame %d is %#x, want %#x", i, part[0], want)
				}
			}
		})
	}
}

func TestAudioIsInTheQueuesCodec(t *testing.T) {
	q := New(codec.PCMA, time.Second)
	q.Audio(packet(1, 0, 0x10))
	foreign := packet(2, 160, 0x10)
	foreign.Codec = codec.Codec{Name: "iLBC", ClockRate: 8000}
	q.Audio(foreign)
	same := packet(3, 320, 0x55)
	same.Codec = codec.PCMA
	q.Audio(same)
	c, err := q.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tr, err := codec.NewTranscoder(codec.PCMU, codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []byte{tr[0x10], codec.PCMA.Silence(), 0x55} {
		if c.Audio[i*160] != want {
			t.Errorf("frame %d is %#x, want %#x", i, c.Audio[i*160], want)
		}
	}
}

func TestSlowReadersLoseTheOldest(t *testing.T) {
	q := New(codec.PCMU, 100*time.Millisecond)
	for i := range 8 {
		q.Audio(packet(uint16(i), uint32(i*160), byte(i)))
	}
	c, err := q.Next(t.Context())
	if err != nil || c.Lost != 60*time.Millisecond || c.Audio[0] != 3 || len(c.Audio) != 800 {
		t.Errorf("%d octets from %d on, lost %s, %v", len(c.Audio), c.Audio[0], c.Lost, err)
	}
	q.Audio(packet(8, 8*160, 8))
	if c, err = q.Next(t.Context()); err != nil || c.Lost != 0 || q.Lost() != 60*time.Millisecond {
		t.Errorf("lost %s, in all %s, %v", c.Lost, q.Lost(), err)
	}
}

func TestReadersWaitAndEnd(t *testing.T) {
	q := New(codec.PCMU, time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("reading without audio: %v", err)
	}
	got := make(chan error, 2)
	go func() {
		_, err := q.Next(t.Context())
		got <- err
		_, err = q.Next(t.Context())
		got <- err
	}()
	q.Audio(packet(1, 0, 1))
	if err := <-got; err != nil {
		t.Error(err)
	}
	q.Close()
	q.Close()
	if err := <-got; !errors.Is(err, io.EOF) {
		t.Errorf("reading after the end: %v", err)
	}
	q.Audio(packet(2, 160, 2))
}

func TestPuttingDoesNotAllocateInTheLongRun(t *testing.T) {
	q := New(codec.PCMU, 100*time.Millisecond)
	p := packet(0, 0, 1)
	put := func() {
		p.Sequence++
		p.Timestamp += 160
		q.Audio(p)
	}
	for range 20 {
		put()
	}
	if n := testing.AllocsPerRun(100, put); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// What is not G.711 reaches the reader as G.711, at its level and in its time.
func TestOtherCodecsAreRead(t *testing.T) {
	pcm := tone.PCM(8000, tone.Part{Hz: []float64{440}, Level: -10, For: time.Second})
	for _, c := range []codec.Codec{codec.G722, codec.Opus} {
		frames, err := c.Frames(pcm)
		if err != nil {
			t.Fatal(err)
		}
		q := New(codec.PCMU, time.Minute)
		ticks := uint32(c.ClockRate / 50)
		for i, f := range frames {
			if i == 10 { // lost
				continue
			}
			q.Audio(media.Heard{Codec: c, SSRC: 1, Sequence: uint16(i), Timestamp: uint32(i) * ticks, Payload: f})
		}
		chunk, err := q.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		heard, err := codec.PCMU.Decode(chunk.Audio)
		if err != nil || len(heard) < 7800 || len(heard) > 8200 {
			t.Fatalf("%s: %d samples of a second, %v", c.Name, len(heard), err)
		}
		if l := measure.Tone(heard[4000:7600], 8000, 440); l < -11.5 || l > -8.5 {
			t.Errorf("%s: %.1f dBm0", c.Name, l)
		}
	}
}
