package sip

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/siptest"
)

// malformed makes a message that is not in order, out of one that is.
func malformed(r *rand.Rand, message string) string {
	lines := strings.SplitAfter(message, "\r\n")
	pick := func() int { return r.IntN(len(lines)) }
	switch r.IntN(14) {
	case 0: // cut short
		return message[:r.IntN(len(message))]
	case 1: // bits that fall over
		b := []byte(message)
		for range 1 + r.IntN(8) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		return string(b)
	case 2: // a line missing
		i := pick()
		return strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "")
	case 3: // a line again and again
		return strings.Replace(message, lines[pick()], strings.Repeat(lines[pick()], r.IntN(300)), 1)
	case 4: // a value of great length
		return strings.Replace(message, ": ", ": "+strings.Repeat(string(rune(32+r.IntN(90))), r.IntN(20000)), 1+r.IntN(3))
	case 5: // line ends of another kind
		return strings.ReplaceAll(message, "\r\n", []string{"\n", "\r", "\r\r\n", "\n\r"}[r.IntN(4)])
	case 6: // lengths that are none
		return strings.Replace(message, "Content-Length: ", "Content-Length: "+[]string{"-", "9", "4294967295", "0x", " ", "1e"}[r.IntN(6)], 1)
	case 7: // NUL and more of that kind
		i := r.IntN(len(message))
		return message[:i] + strings.Repeat(string([]byte{byte(r.IntN(32))}), 1+r.IntN(50)) + message[i:]
	case 8: // a method of several kilobytes
		return strings.ReplaceAll(message, "INVITE", strings.Repeat("INVITE", 1+r.IntN(1500)))
	case 9: // a body whose parts never end
		return strings.Replace(message, "application/sdp", "multipart/mixed;boundary="+strings.Repeat("-", r.IntN(90)), 1)
	case 10: // quotes and brackets left open
		return strings.NewReplacer("<", "<\"", ">", "").Replace(message)
	case 11: // many headers
		return strings.Replace(message, "Max-Forwards", strings.Repeat("Accept: "+strings.Repeat("a/b,", 25)+"\r\n", 1+r.IntN(200))+"Max-Forwards", 1)
	case 12: // numbers too large
		return strings.NewReplacer("5060", "99999999999", ": 70", ": 4294967296", "1 INVITE", "4294967296 INVITE").Replace(message)
	default: // anything
		b := make([]byte, r.IntN(2000))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return string(b)
	}
}

// TestMalformedMessages sends thousands of messages that are not in order, and
// after each one, call by call, one that is, which must be answered.
func TestMalformedMessages(t *testing.T) {
	messages := 3000
	if testing.Short() {
		messages = 400
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	a := startAgent(t, becomesACall, hasty)
	bad := siptest.Dial(t, "udp", addrOf(a, "udp"))
	good := siptest.Dial(t, "tcp", addrOf(a, "tcp"))
	for i := range messages {
		sample := siptest.NewCall(bad, "sip:ivr@127.0.0.1:5060").Request("INVITE").Add("X-Genesys-CallUUID", "ABC").WithSDP(someSDP).String()
		message := malformed(r, sample)
		if i%4 == 0 { // on a connection of its own, which it may cost
			conn, err := net.Dial("tcp", addrOf(a, "tcp"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(message))
			conn.Close()
		} else if len(message) > 0 && len(message) < 65000 {
			bad.Raw(message)
		}
		c := siptest.NewCall(good, "sip:ivr@x")
		good.Send(c.Request("INVITE").WithSDP(someSDP))
		res := good.Expect("SIP/2.0 486")
		if res.Get("Call-ID") != c.ID {
			t.Fatalf("after %q:\n%s", message, res)
		}
		good.Send(c.Ack(res))
		for drained := false; !drained; {
			_, more := bad.Within(0)
			drained = !more
		}
	}
}

// Connections that say nothing, or dribble, take the place of each other and not
// of those who speak, and what they cost is bounded.
func TestIdleAndDribblingConnections(t *testing.T) {
	const limit, hostile = 200, 1500
	a := startAgent(t, becomesACall, func(c *Config) { c.Connections = limit })
	speaker := siptest.Dial(t, "tcp", addrOf(a, "tcp"))
	speak := func() {
		t.Helper()
		c := siptest.NewCall(speaker, "sip:ivr@x")
		speaker.Send(c.Request("INVITE").WithSDP(someSDP))
		speaker.Send(c.Ack(speaker.Expect("SIP/2.0 486")))
	}
	speak()
	before := heap()
	for i := range hostile {
		conn, err := net.Dial("tcp", addrOf(a, "tcp"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch i % 4 {
		case 0: // idle
		case 1: // an endless header
			_, _ = conn.Write([]byte("INVITE sip:x SIP/2.0\r\nX: " + strings.Repeat("y", 10000)))
		case 2: // a body that is announced and never comes
			_, _ = conn.Write([]byte("INVITE sip:x SIP/2.0\r\nContent-Length: 60000\r\n\r\n"))
		case 3: // a body beyond all bounds
			_, _ = conn.Write([]byte("INVITE sip:x SIP/2.0\r\nContent-Length: 4294967295\r\n\r\n"))
		}
	}
	speak()
	stillAnswers(t, a)
	if n := a.wire.Streams(); n > limit+1 {
		t.Errorf("%d connections are open", n)
	}
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("%d MiB for %d hostile connections", grown>>20, hostile)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// A caller that floods with calls it never acknowledges leaves nothing behind.
func TestFloodLeavesNothing(t *testing.T) {
	a := startAgent(t, becomesACall, hasty)
	for _, network := range []string{"udp", "tcp"} {
		p := siptest.Dial(t, network, addrOf(a, network))
		for i := range 200 { // three answers each, which the peer keeps
			c := siptest.NewCall(p, fmt.Sprintf("sip:%d@x", i))
			p.Send(c.Request("INVITE").WithSDP(someSDP))
			p.Send(c.Request("REGISTER"))
		}
	}
	empty(t, a)
}
