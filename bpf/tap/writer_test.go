package tap

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// walk takes a file apart by its blocks' lengths, which stand on both sides.
func walk(t *testing.T, file []byte) (kinds []uint32, bodies [][]byte) {
	t.Helper()
	for len(file) > 0 {
		if len(file) < 12 {
			t.Fatalf("%d octets are left", len(file))
		}
		length := binary.LittleEndian.Uint32(file[4:])
		if length%4 != 0 || int(length) > len(file) || binary.LittleEndian.Uint32(file[length-4:]) != length {
			t.Fatalf("a block of %d octets, %d are left", length, len(file))
		}
		kinds, bodies = append(kinds, binary.LittleEndian.Uint32(file)), append(bodies, file[8:length-4])
		file = file[length:]
	}
	return kinds, bodies
}

func TestPacketBlock(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, "x", []Leg{{ID: 7, Name: "a"}, {ID: 9, Name: "b", Description: "second"}})
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	at := time.Unix(0, 0x0000000100000002)
	p := Packet{LegID: 9, SourceID: 7, At: at, Direction: Sent, Verdict: "relayed", Length: 1500, Data: []byte{0x45, 1, 2, 3, 4}}
	if err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "\x06\x00\x00\x00\x68\x00\x00\x00" + // an enhanced packet block of 104 octets
		"\x01\x00\x00\x00" + // of the second interface
		"\x01\x00\x00\x00\x02\x00\x00\x00" + // when, high half first
		"\x15\x00\x00\x00\xec\x05\x00\x00" + // captured, and on the wire
		"\x00\x04\xff\xfe\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00" + // by us, by no link, IPv4
		"\x45\x01\x02\x03\x04\x00\x00\x00" +
		"\x02\x00\x04\x00\x02\x00\x00\x00" + // flags: outbound
		"\x01\x00\x0f\x00relayed, from a\x00" +
		"\x00\x00\x00\x00" +
		"\x68\x00\x00\x00"
	want = strings.ReplaceAll(want, "\x68\x00\x00\x00", string([]byte{byte(len(want)), 0, 0, 0}))
	if got := out.String(); got != want {
		t.Errorf("wrote\n%x, want\n%x", got, want)
	}
}

func TestFileIsWhole(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, "mcp capture", []Leg{{ID: 7, Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 9 { // every padding there is
		p := Packet{LegID: 7, At: time.Now(), Direction: Received, Verdict: strings.Repeat("v", n), Length: n, Data: make([]byte, n)}
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(Packet{LegID: 8}); err == nil {
		t.Error("a packet of another leg was written")
	}
	if err := w.Finish(3); err != nil {
		t.Fatal(err)
	}
	kinds, bodies := walk(t, out.Bytes())
	if len(kinds) != 12 || kinds[0] != blockSection || kinds[1] != blockInterface || kinds[2] != blockPacket || kinds[11] != blockStatistics {
		t.Fatalf("blocks %x", kinds)
	}
	last := bodies[11]
	if received, dropped := binary.LittleEndian.Uint64(last[16:]), binary.LittleEndian.Uint64(last[28:]); received != 12 || dropped != 3 {
		t.Errorf("%d received, %d dropped", received, dropped)
	}
	if w.Packets() != 9 {
		t.Errorf("%d packets", w.Packets())
	}
}
