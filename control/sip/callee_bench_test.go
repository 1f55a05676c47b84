package sip

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"mcp/control/sip/bare"
)

// BenchmarkCallee is what a call costs whom it is for, as SIPp places it over UDP
// at full load: INVITE, 200, ACK, BYE, 200. The library's own stack is beside it.
func BenchmarkCallee(b *testing.B) {
	b.Run("agent", func(b *testing.B) {
		a := startAgent(b, answerAtOnce, func(c *Config) { c.T1 = defaultT1 })
		placeCalls(b, addrOf(a, "udp"))
	})
	b.Run("bare", func(b *testing.B) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- bare.Serve(ctx, conn) }()
		defer func() { stop(); <-served }()
		placeCalls(b, conn.LocalAddr().String())
	})
}

// answerAtOnce is a callee who does not ring, as the platform.
func answerAtOnce(ctx context.Context, d *Dialog) {
	if d.Answer(ctx, []byte(someSDP)) == nil {
		untilOver(ctx, d)
	}
}

const (
	benchInvite = "INVITE sip:dialog@%[1]s SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP %[2]s;branch=z9hG4bK-1-%[3]d-0;rport\r\n" + benchParties + "\r\n" +
		"Call-ID: 1-%[3]d@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:sipp@%[2]s>\r\nMax-Forwards: 70\r\n" +
		"Content-Type: application/sdp\r\nContent-Length: %[4]d\r\n\r\n" + benchOffer
	benchWithin = "%[5]s sip:%[1]s SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP %[2]s;branch=z9hG4bK-1-%[3]d-%[6]d;rport\r\n" + benchParties + ";tag=%[4]s\r\n" +
		"Call-ID: 1-%[3]d@127.0.0.1\r\nCSeq: %[6]d %[5]s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
	benchParties = "From: <sip:sipp@%[2]s>;tag=1sipp%[3]d\r\nTo: <sip:dialog@%[1]s>"
	benchOffer   = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=audio 6000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)

// benchWindow is how many calls are under way at once.
const benchWindow = 32

// placeCalls makes b.N calls, so many at once as fit in the window, and tells the
// CPU time that a call takes at both ends.
func placeCalls(b *testing.B, callee string) {
	conn, err := net.Dial("udp", callee)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	c := &benchCaller{b: b, conn: conn, to: callee, from: conn.LocalAddr().String(), buf: make([]byte, 4096)}
	c.place(0, 1) // a first one, which may cost more
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for done := 0; done < b.N; done += benchWindow {
		c.place(1+done, min(benchWindow, b.N-done))
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// benchCaller is a caller who costs next to nothing.
type benchCaller struct {
	b        *testing.B
	conn     net.Conn
	to, from string
	buf, out []byte
	first    int // of the calls under way
	tags     [benchWindow]string
}

// place makes n calls whose numbers begin with one.
func (c *benchCaller) place(first, n int) {
	c.first, c.tags = first, [benchWindow]string{}
	for i := range n {
		c.send(benchInvite, c.to, c.from, first+i, len(benchOffer))
	}
	for heard := 0; heard < n; {
		call, tag := c.answer("1 INVITE")
		if c.tags[call] == "" {
			heard++
		}
		c.tags[call] = tag
		c.send(benchWithin, c.to, c.from, first+call, tag, "ACK", 1)
	}
	for i := range n {
		c.send(benchWithin, c.to, c.from, first+i, c.tags[i], "BYE", 2)
	}
	for range n {
		c.answer("2 BYE")
	}
}

func (c *benchCaller) send(format string, args ...any) {
	c.out = fmt.Appendf(c.out[:0], format, args...)
	if _, err := c.conn.Write(c.out); err != nil {
		c.b.Fatal(err)
	}
}

// answer waits for a 200 to one of the calls, and tells which.
func (c *benchCaller) answer(cseq string) (call int, tag string) {
	if err := c.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.b.Fatal(err)
	}
	for {
		n, err := c.conn.Read(c.buf)
		if err != nil {
			c.b.Fatal(err)
		}
		msg := c.buf[:n]
		_, id, _ := bytes.Cut(msg, []byte("\r\nCall-ID: 1-"))
		id, _, _ = bytes.Cut(id, []byte("@"))
		number, _ := strconv.Atoi(string(id))
		if call = number - c.first; call < 0 || !bytes.HasPrefix(msg, []byte("SIP/2.0 200")) || !bytes.Contains(msg, []byte(cseq)) {
			continue
		}
		_, to, _ := bytes.Cut(msg, []byte("\r\nTo: "))
		to, _, _ = bytes.Cut(to, []byte("\r\n"))
		_, to, _ = bytes.Cut(to, []byte("tag="))
		return call, string(to)
	}
}
