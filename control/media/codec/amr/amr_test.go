package amr

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// counted is a frame whose bits are those of a counter.
func counted(kind uint8) Frame {
	f := Frame{Type: kind, Good: true}
	for i := range f.Octets() {
		f.Data[i] = byte(0x91 + i)
	}
	if n := f.bits() % 8; n > 0 {
		f.Data[f.Octets()-1] &= 0xff << (8 - n)
	}
	return f
}

// The heads of the payloads are those of the examples in RFC 4867, sections 4.3.5.1 and
// 4.4.5.1; the lengths follow from them.
func TestPayloads(t *testing.T) {
	for _, tt := range []struct {
		name    string
		aligned bool
		packet  Packet
		head    []byte
		octets  int
	}{
		{"one of 7.4 kbit/s, bandwidth-efficient", false, Packet{15, []Frame{counted(4)}}, []byte{0xf2, 0x64, 0x64}, 20},
		{"two of 7.95 kbit/s, octet-aligned", true, Packet{6, []Frame{counted(5), counted(5)}}, []byte{0x60, 0xac, 0x2c, 0x91, 0x92}, 43},
		{"12.2 kbit/s, bandwidth-efficient", false, Packet{15, []Frame{counted(7)}}, []byte{0xf3, 0xe4}, 32},
		{"12.2 kbit/s, octet-aligned", true, Packet{15, []Frame{counted(7)}}, []byte{0xf0, 0x3c, 0x91}, 33},
		{"silence", true, Packet{15, []Frame{counted(Silence)}}, []byte{0xf0, 0x44, 0x91}, 7},
		{"nothing", false, Packet{2, []Frame{counted(NoData)}}, []byte{0x27, 0xc0}, 2},
		{"damaged", true, Packet{15, []Frame{{Type: 0}}}, []byte{0xf0, 0x00}, 14},
		{"a mixture", false, Packet{0, []Frame{counted(0), counted(NoData), counted(Silence), counted(6)}}, []byte{0x08, 0x7f, 0xc4, 0xd9}, 46},
	} {
		payload := tt.packet.Append([]byte{0xee}, tt.aligned)[1:]
		if !bytes.HasPrefix(payload, tt.head) || len(payload) != tt.octets {
			t.Errorf("%s: %d octets, %x", tt.name, len(payload), payload)
		}
		var back Packet
		err := back.Read(payload, tt.aligned)
		if err != nil || back.Request != tt.packet.Request || !slices.Equal(back.Frames, tt.packet.Frames) {
			t.Errorf("%s: %v, %+v became %+v", tt.name, err, tt.packet, back)
		}
		if n := Count(payload, tt.aligned); n != len(tt.packet.Frames) {
			t.Errorf("%s: %d frames are counted", tt.name, n)
		}
		for n := range payload {
			if err := back.Read(payload[:n], tt.aligned); !errors.Is(err, ErrPayload) {
				t.Errorf("%s: cut to %d octets: %v", tt.name, n, err)
			}
		}
	}
}

func TestMalformedPayloads(t *testing.T) {
	for name, payload := range map[string][]byte{
		"empty": {}, "a type of other codecs' silence": {0xf0, 9<<3 | 4, 1, 2, 3, 4, 5, 6}, "a reserved type": {0xf0, 12<<3 | 4},
		"too many": append([]byte{0xf0}, append(bytes.Repeat([]byte{0xfc}, MaxFrames), 0x7c)...),
	} {
		var p Packet
		if err := p.Read(payload, true); !errors.Is(err, ErrPayload) || Count(payload, true) != 0 {
			t.Errorf("%s: %v, %d", name, err, Count(payload, true))
		}
	}
}

func TestReadingAndWritingDoNotAllocate(t *testing.T) {
	p := Packet{NoData, []Frame{counted(7), counted(7), counted(7)}}
	for _, aligned := range []bool{false, true} {
		payload := p.Append(nil, aligned)
		if n := testing.AllocsPerRun(20, func() {
			_ = p.Read(payload, aligned)
			payload = p.Append(payload[:0], aligned)
		}); n != 0 {
			t.Errorf("%g allocations", n)
		}
	}
}

// What can be read is written again as it was, but for what is filled up.
func FuzzRead(f *testing.F) {
	for _, aligned := range []bool{false, true} {
		p := Packet{3, []Frame{counted(2), counted(NoData), counted(Silence), counted(7)}}
		f.Add(p.Append(nil, aligned), aligned)
	}
	f.Fuzz(func(t *testing.T, payload []byte, aligned bool) {
		var p, back Packet
		if p.Read(payload, aligned) != nil {
			return
		}
		if n := Count(payload, aligned); n != len(p.Frames) {
			t.Fatalf("%d frames, %d counted", len(p.Frames), n)
		}
		again := p.Append(nil, aligned)
		if err := back.Read(again, aligned); err != nil || len(again) > len(payload) || back.Request != p.Request || !slices.Equal(back.Frames, p.Frames) {
			t.Fatalf("%x became %x, %v", payload, again, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	p := Packet{NoData, []Frame{counted(7)}}
	payload := p.Append(nil, false)
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Read(payload, false)
	}
}
