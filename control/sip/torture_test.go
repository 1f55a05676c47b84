package sip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/control/sip/siptest"
)

const suites = "../../../shared/suites-sec"

// torture reads the messages of a suite, or skips the test where there are none,
// except in CI, which must have them.
func torture(t *testing.T, suite string) map[string]string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(suites, suite, "*.dat"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s/%s is not there", suites, suite)
		}
		t.Skipf("%s/%s is not there", suites, suite)
	}
	messages := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		messages[strings.TrimSuffix(filepath.Base(f), ".dat")] = string(text)
	}
	return messages
}

// rfc4475 is the outcome of each message: statuses that are right, 0 standing for
// no answer. Where RFC 4475 leaves a choice to a user agent that is no registrar,
// what this one does is the first.
var rfc4475 = map[string][]int{
	// Section 3.1.1: valid, however odd. The call of wsinv names a dialog by its tag.
	"wsinv": {481}, "intmeth": {405, 501}, "esc01": {call}, "escnull": {405}, "esc02": {405, 501}, "lwsdisp": {200},
	"longreq": {call}, "dblreq": {405}, "semiuri": {200}, "transports": {200}, "mpart01": {405, 415}, "unreason": {0}, "noreason": {0},
	// Section 3.1.2: invalid.
	"badinv01": {400}, "clerr": {400}, "ncl": {400}, "scalar02": {400}, "scalarlg": {0}, "quotbal": {400}, "ltgtruri": {400},
	"lwsruri": {400}, "lwsstart": {400}, "trws": {400}, "escruri": {call, 400}, "baddate": {call, 400}, "regbadct": {405, 400},
	"badaspec": {call, 400}, "baddn": {400}, "badvers": {505}, "mismatch01": {400}, "mismatch02": {400, 501}, "bigcode": {0},
	// Sections 3.2 to 3.4: transactions, applications, backward compatibility.
	"badbranch": {200, 400}, "insuf": {400, 0}, "unkscm": {416}, "novelsc": {416}, "unksm2": {405, 400}, "bext01": {420},
	"invut": {415}, "regaut01": {405}, "multi01": {400}, "mcl01": {400}, "bcast": {0}, "zeromf": {200, 483},
	"cparam01": {405}, "cparam02": {405}, "regescrt": {405}, "sdp01": {call, 406, 488},
	"inv2543": {call},
}

// overStream is what is different over TCP: clerr never ends, inv2543 does not say
// where it ends.
var overStream = map[string][]int{"clerr": {0}, "inv2543": {400}}

func TestTortureOfRFC4475(t *testing.T) {
	messages := torture(t, "rfc4475")
	if len(messages) != 49 || len(rfc4475) != 49 {
		t.Fatalf("%d messages, %d outcomes", len(messages), len(rfc4475))
	}
	for how, send := range carriages {
		for name, message := range messages {
			t.Run(name+" over "+how, func(t *testing.T) {
				t.Parallel()
				a := startAgent(t, becomesACall) // several have the same branch
				want := rfc4475[name]
				if other, differs := overStream[name]; differs && how != "udp" {
					want = other
				}
				if got := send(t, a, message, patienceFor(want)); !slices.Contains(want, got) {
					t.Errorf("%d, want %v", got, want)
				}
				stillAnswers(t, a)
			})
		}
	}
}

// call is the status of what has become a call.
const call = 486

func becomesACall(ctx context.Context, d *Dialog) { _ = d.Reject(ctx, call, "", nil) }

// patienceFor is how long to wait for the response to an INVITE, which its handler
// sends by itself: not long only where there may be none.
func patienceFor(want []int) time.Duration {
	if slices.Contains(want, 0) {
		return time.Second
	}
	return 30 * time.Second
}

// carriages are the ways a message is sent. Each returns the status of the final
// response, 0 for none.
var carriages = map[string]func(t *testing.T, a *Agent, message string, patience time.Duration) int{
	"udp": overUDP,
	"tcp": func(t *testing.T, a *Agent, message string, patience time.Duration) int {
		return overTCP(t, a, []string{message}, patience)
	},
	"tcp, octet by octet": func(t *testing.T, a *Agent, message string, patience time.Duration) int {
		return overTCP(t, a, strings.Split(message, ""), patience)
	},
}

// overUDP sends from the port that the message's Via names, where the answer will
// go, on a loopback address of its own.
func overUDP(t *testing.T, a *Agent, message string, patience time.Duration) int {
	t.Helper()
	addr := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	conn, err := net.ListenPacket("udp", net.JoinHostPort(addr, viaPort(message)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to, err := net.ResolveUDPAddr("udp", addrOf(a, "udp"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WriteTo([]byte(message), to); err != nil {
		t.Fatal(err)
	}
	// The socket is read in order: when this is answered, the message has been.
	after := siptest.Dial(t, "udp", addrOf(a, "udp"))
	after.Send(siptest.NewCall(after, "sip:x@y").Request("OPTIONS"))
	after.Expect("SIP/2.0 200")
	wait := 300 * time.Millisecond
	if strings.Contains(message, "INVITE") {
		wait = patience
	}
	buf := make([]byte, 65535)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return 0
		}
		if m, ok := siptest.Parse(string(buf[:n])); ok && m.Status() >= 200 {
			return m.Status()
		}
	}
}

// viaPort is the port of the first Via, as our transport layer must read it.
func viaPort(message string) string {
	for line := range strings.SplitSeq(message, "\n") {
		name, value, _ := strings.Cut(line, ":")
		if n := strings.ToLower(strings.TrimSpace(name)); n != "via" && n != "v" {
			continue
		}
		sentBy, _, _ := strings.Cut(value, ";")
		if i := strings.LastIndexByte(sentBy, ':'); i >= 0 && !strings.Contains(sentBy[i:], "]") {
			return strings.TrimSpace(sentBy[i+1:])
		}
		break
	}
	return "5060"
}

func overTCP(t *testing.T, a *Agent, pieces []string, patience time.Duration) int {
	t.Helper()
	conn, err := net.Dial("tcp", addrOf(a, "tcp"))
	if err != nil {
		t.Fatal(err)
	}
	p := siptest.Adopt(t, conn)
	defer p.Close()
	for _, piece := range pieces {
		if _, err := conn.Write([]byte(piece)); err != nil {
			break // closed on us: what was said before that is read below
		}
	}
	// Behind a message that ends, this is answered; behind one that does not, it
	// is the rest of it, or the connection is closed.
	c := siptest.NewCall(p, "sip:x@y")
	_, _ = conn.Write([]byte(c.Request("OPTIONS").String()))
	for {
		m, ok := p.Within(patience)
		switch {
		case !ok:
			return 0
		case m.Get("Call-ID") == c.ID && !strings.Contains(strings.Join(pieces, ""), "INVITE"):
			return 0
		case m.Get("Call-ID") != c.ID && m.Status() >= 200:
			return m.Status()
		}
	}
}

// stillAnswers places a call, which must be answered.
func stillAnswers(t *testing.T, a *Agent) {
	t.Helper()
	p, c := newCall(t, a, "tcp")
	p.Send(c.Request("INVITE").WithSDP(someSDP))
	p.Send(c.Ack(p.Expect("SIP/2.0 486")))
	p.Close()
}

// rfc5118 is the outcome of each message with IPv6 addresses in it: what the method
// deserves where it is understood. In port-ambiguous 5070 is part of the address.
// That of ipv6-bug-abnf-3-colons follows a mistake in RFC 3261's grammar (RFC 5954)
// and is of no consequence here, so that it is answered like any other.
var rfc5118 = map[string][]int{
	"ipv6-good": {405}, "ipv6-bad": {400}, "port-ambiguous": {405}, "port-unambiguous": {405},
	"via-received-param-no-delim": {200}, "via-received-param-with-delim": {481},
	"ipv6-in-sdp": {call}, "mult-ip-in-header": {481}, "mult-ip-in-sdp": {call}, "ipv4-mapped-ipv6": {call},
	"ipv6-bug-abnf-3-colons": {200, 400}, "ipv6-correct-abnf-2-colons": {200},
}

func TestTortureOfRFC5118(t *testing.T) {
	if ln, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		ln.Close()
	}
	messages := torture(t, "rfc5118")
	if len(messages) != 12 || len(rfc5118) != 12 {
		t.Fatalf("%d messages, %d outcomes", len(messages), len(rfc5118))
	}
	for name, message := range messages {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(name+" over "+network, func(t *testing.T) {
				t.Parallel()
				a := startAgent(t, becomesACall, func(c *Config) { c.Listen = []string{"udp:[::1]:0", "tcp:[::1]:0"} })
				p := siptest.Dial(t, network, addrOf(a, network))
				p.Raw(answerable(t, message))
				for {
					m, ok := p.Within(5 * time.Second)
					if ok && m.Status() < 200 {
						continue
					}
					if !slices.Contains(rfc5118[name], m.Status()) {
						t.Errorf("%d, want %v", m.Status(), rfc5118[name])
					}
					break
				}
				stillAnswers(t, a)
			})
		}
	}
}

// answerable asks for the answer where the message comes from (RFC 3581), since it
// cannot come from where its Via says, and counts its body: three of the suite's
// messages have a Content-Length that counts line ends as one octet.
func answerable(t *testing.T, message string) string {
	t.Helper()
	head, body, ok := strings.Cut(message, "\r\n\r\n")
	if !ok {
		t.Fatal("no end of the headers")
	}
	lines := strings.Split(head, "\r\n")
	done := false
	for i, line := range lines {
		switch name, _, _ := strings.Cut(line, ":"); strings.ToLower(strings.TrimSpace(name)) {
		case "via", "v":
			if !done {
				lines[i] += ";rport"
				done = true
			}
		case "content-length", "l":
			lines[i] = fmt.Sprintf("Content-Length: %d", len(body))
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}
