package sipbench

import (
	"bytes"
	"encoding/binary"
	"flag"
	"net/netip"
	"os"
	"testing"
	"time"

	"mcp/bpf/bpftest"
)

var update = flag.Bool("update", false, "write scripts/sipp/keys.pcap anew")

// What SIPp's callers press: quicker still than those of the benchmark.
const (
	quickListen = 300 * time.Millisecond
	quickKey    = 100 * time.Millisecond
	keyUpdate   = 20 * time.Millisecond
	keyUpdates  = 3 // and as many packets that say it has ended
)

// capture is a caller's keys as a file of packets (libpcap's format, which SIPp sends
// from): telephone-events of payload type 101 from one source. What SIPp makes of keys
// by itself is of another source each time, which a platform that guards against
// forged audio does not follow.
func capture() []byte {
	var out bytes.Buffer
	put := func(values ...uint32) { _ = binary.Write(&out, binary.LittleEndian, values) }
	put(0xa1b2c3d4, 4<<16|2, 0, 0, 65535, 1) // microseconds, version 2.4, Ethernet
	at, seq := time.Duration(0), uint16(0)
	for page := 1; page <= profileCount; page++ {
		at += quickListen
		for _, key := range pageKeys(page) {
			for i := range 2 * keyUpdates {
				event := []byte{byte(key) - '0', 10, 0, 0}
				if i >= keyUpdates {
					event[1] |= 0x80
				}
				binary.BigEndian.PutUint16(event[2:], uint16(min(i+1, keyUpdates)*160))
				rtp := bpftest.RTP{Marker: i == 0, Type: 101, Seq: seq, TS: uint32(at / time.Millisecond * 8), SSRC: 1, Payload: event}
				frame := bpftest.Frame{
					Src: netip.MustParseAddrPort("192.0.2.1:6000"), Dst: netip.MustParseAddrPort("192.0.2.2:6000"), Payload: rtp.Bytes(),
				}.Bytes()
				sent := at + time.Duration(min(i, keyUpdates))*keyUpdate
				put(uint32(sent/time.Second), uint32(sent%time.Second/time.Microsecond), uint32(len(frame)), uint32(len(frame)))
				out.Write(frame)
				seq++
			}
			at += quickKey
		}
	}
	return out.Bytes()
}

// The keys that scripts/sipp/uac_keys.xml presses are those of the pages.
func TestCaptureOfKeys(t *testing.T) {
	const file = "../../../scripts/sipp/keys.pcap"
	if *update {
		if err := os.WriteFile(file, capture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(file); err != nil || !bytes.Equal(there, capture()) {
		t.Errorf("%s is not what the pages want: %v; go test with -update writes it", file, err)
	}
}
