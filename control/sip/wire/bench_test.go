package wire

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// BenchmarkCallee is what the transactions of a call over UDP cost whom it is for,
// beside the system's share: INVITE, 200, ACK, BYE, 200. What lingers of each call is
// told too: so much is in use, and so much of it the collector looks into.
func BenchmarkCallee(b *testing.B) {
	l, err := Listen(Config{T1: 500 * time.Millisecond, Core: answerer{}, Log: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	from := Link{carrier: nowhere{}, remote: addrPort("192.0.2.2:5060")}
	var msg []byte
	b.ReportAllocs()
	used, scanned := lingering()
	b.ResetTimer()
	for i := range b.N {
		for seq, method := range []string{"INVITE", "ACK", "BYE"} {
			msg = fmt.Appendf(msg[:0], benchRequest, method, i, seq, len(benchBody), benchBody)
			l.datagram(msg, from)
		}
	}
	b.StopTimer()
	usedNow, scannedNow := lingering()
	b.ReportMetric(float64(usedNow-used)/float64(b.N), "used-B/op")
	b.ReportMetric(float64(scannedNow-scanned)/float64(b.N), "scanned-B/op")
}

// lingering is what is in use, and what of that the collector looks into, in bytes.
func lingering() (used, scanned int64) {
	runtime.GC()
	now := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(now)
	return int64(now[0].Value.Uint64()), int64(now[1].Value.Uint64())
}

const (
	benchRequest = "%[1]s sip:dialog@192.0.2.1:5070 SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK-1-%[2]d-%[3]d;rport\r\n" +
		"From: <sip:sipp@192.0.2.2:5060>;tag=1sipp%[2]d\r\nTo: <sip:dialog@192.0.2.1:5070>;tag=x\r\n" +
		"Call-ID: 1-%[2]d@192.0.2.2\r\nCSeq: 1 %[1]s\r\nContact: <sip:sipp@192.0.2.2:5060>\r\nMax-Forwards: 70\r\n" +
		"Content-Type: application/sdp\r\nContent-Length: %[4]d\r\n\r\n%[5]s"
	benchBody = "v=0\r\no=user1 53655765 2353687637 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n" +
		"m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)

// answerer is a core that says yes to everything.
type answerer struct{}

func (answerer) Refuse(bool) *Refusal { return nil }
func (answerer) Ack(*Request, Link)   {}
func (answerer) Stray(*sip.Response)  {}

func (answerer) Request(tx *ServerTx) {
	tx.Trying()
	res := Reply(tx.Request, 200, "OK", "")
	if tx.Request.Method == sip.INVITE {
		res.SetBody([]byte(benchBody))
	}
	if err := tx.Respond(res); err != nil {
		panic(err)
	}
}

// nowhere is a packet socket that leads nowhere.
type nowhere struct{}

func (nowhere) network() string                    { return "udp" }
func (nowhere) host(netip.AddrPort) netip.Addr     { return netip.Addr{} }
func (nowhere) contactPort() uint16                { return 5070 }
func (nowhere) write([]byte, netip.AddrPort) error { return nil }
func (nowhere) watch(func(error)) func()           { return func() {} }
