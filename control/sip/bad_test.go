package sip

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcp/control/sip/siptest"
)

func TestBadRequestsGetTheRightStatus(t *testing.T) {
	a := startAgent(t, func(context.Context, *Dialog) { t.Error("a bad request became a call") })
	for _, tc := range []struct {
		name   string
		change func(siptest.Message) string
		want   string
		has    string
	}{
		{"unknown method", func(m siptest.Message) string { return start(m, "PUBLISH", "sip:x@y") }, "SIP/2.0 405", "Allow"},
		{"unheard-of method", func(m siptest.Message) string { return start(m, "!interesting-Method", "sip:x@y") }, "SIP/2.0 405", "Allow"},
		{"unknown scheme", func(m siptest.Message) string { return start(m, "INVITE", "http://x/") }, "SIP/2.0 416", ""},
		{"other version", func(m siptest.Message) string { return strings.Replace(m.String(), "SIP/2.0\r\n", "SIP/7.0\r\n", 1) }, "SIP/2.0 505", ""},
		{"parameter of the URI twice", func(m siptest.Message) string { return start(m, "INVITE", "sip:dialog@y;aai=1;AAI=2") }, "SIP/2.0 400 Repeated", ""},
		{"no From", without("From"), "SIP/2.0 400 Missing From", ""},
		{"no To", without("To"), "SIP/2.0 400 Missing To", ""},
		{"no Call-ID", without("Call-ID"), "SIP/2.0 400 Missing Call-ID", ""},
		{"no CSeq", without("CSeq"), "SIP/2.0 400 Missing CSeq", ""},
		{"no Contact", without("Contact"), "SIP/2.0 400 Missing or malformed Contact", ""},
		{"two To", func(m siptest.Message) string { return m.Add("To", "<sip:z@z>").String() }, "SIP/2.0 400 More than one To", ""},
		{"CSeq of another method", set("CSeq", "1 BYE"), "SIP/2.0 400 CSeq", ""},
		{"CSeq not a number", set("CSeq", "one INVITE"), "SIP/2.0 400", ""},
		{"CSeq too large", set("CSeq", "36893488147419103232 INVITE"), "SIP/2.0 400", ""},
		{"From not a URI", set("From", "<>"), "SIP/2.0 400", ""},
		{"Contact not a URI", set("Contact", "\"broken"), "SIP/2.0 400", ""},
		{"line without a colon", set("X", "y\r\nnonsense"), "SIP/2.0 400", ""},
		{"extension required", set("Require", "100rel, nothingSupportsThis"), "SIP/2.0 420", "Unsupported"},
		{"body in pieces without end", set("Content-Type", "multipart/mixed;boundary=x"), "SIP/2.0 400 Malformed multipart", ""},
		{"body of another type", set("Content-Type", "text/plain"), "SIP/2.0 415", "Accept"},
		{"body of no type", without("Content-Type"), "SIP/2.0 415", "Accept"},
		{"body encoded", set("Content-Encoding", "gzip"), "SIP/2.0 415", "Accept-Encoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bothTransports(t, func(t *testing.T, network string) {
				p, c := newCall(t, a, network)
				p.Raw(tc.change(c.Request("INVITE").WithSDP(someSDP)))
				res := p.Expect(tc.want)
				if tc.has != "" && res.Get(tc.has) == "" {
					t.Errorf("no %s in\n%s", tc.has, res)
				}
				p.Send(c.Ack(res))
				p.Send(c.Request("OPTIONS")) // the agent is still there, on the same connection
				p.Expect("SIP/2.0 200", tc.want)
			})
		})
	}
}

func start(m siptest.Message, method, uri string) string {
	m.Start = method + " " + uri + " SIP/2.0"
	return m.With("CSeq", "1 "+method).String()
}

func without(name string) func(siptest.Message) string {
	return func(m siptest.Message) string { return m.With(name, "").String() }
}

func set(name, value string) func(siptest.Message) string {
	return func(m siptest.Message) string { return m.With(name, value).String() }
}

func TestDatagramShorterThanItSays(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "udp")
	p.Send(c.Request("INVITE").WithSDP(someSDP).With("Content-Length", "9999"))
	p.Expect("SIP/2.0 400")
	p.Send(c.Request("INVITE").WithSDP(someSDP).With("Content-Length", "-999"))
	p.Expect("SIP/2.0 400")
	p.Raw("garbage")
	p.Raw("\r\n\r\n")
	p.Raw("\x00\x00\x00\x00")
	p.Send(c.Request("OPTIONS"))
	p.Expect("SIP/2.0 200", "SIP/2.0 400")
}

func TestStreamThatCannotBeFramedIsAnsweredAndClosed(t *testing.T) {
	a := startAgent(t, answerAndWait)
	for name, tc := range map[string]struct{ length, want string }{
		"not a number": {"abc", "SIP/2.0 400"},
		"negative":     {"-1", "SIP/2.0 400"},
		"too large":    {"999999999", "SIP/2.0 513"},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newCall(t, a, "tcp")
			p.Send(c.Request("INVITE").With("Content-Length", tc.length))
			p.Expect(tc.want)
			if !p.Closed() {
				t.Error("the connection stays open")
			}
		})
	}
	t.Run("two that differ", func(t *testing.T) {
		p, c := newCall(t, a, "tcp")
		p.Send(c.Request("INVITE").With("Content-Length", "0").Add("l", "5"))
		p.Expect("SIP/2.0 400")
	})
	t.Run("endless header", func(t *testing.T) {
		p, _ := newCall(t, a, "tcp")
		p.Raw("INVITE sip:x SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 20000))
		if !p.Closed() {
			t.Error("the connection stays open")
		}
	})
}

func TestStreamInPiecesAndInOne(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "tcp")
	for _, b := range c.Request("OPTIONS").String() {
		p.Raw(string(b))
	}
	p.Expect("SIP/2.0 200")
	p.Raw("\r\n\r\n" + c.Request("OPTIONS").String() + "\r\n" + c.Request("OPTIONS").String())
	p.Expect("SIP/2.0 200")
	p.Expect("SIP/2.0 200")
}

func TestSameInviteOverTwoPaths(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "udp")
	invite := c.Request("INVITE").WithSDP(someSDP)
	p.Send(invite)
	ok := p.Expect("SIP/2.0 200", "SIP/2.0 180")
	fork := invite.With("Via", strings.Replace(invite.Get("Via"), "branch=", "branch=z9hG4bKother", 1))
	p.Send(fork)
	p.Expect("SIP/2.0 482", "SIP/2.0 200")
	call := *c
	call.Establish(ok)
	p.Send(call.Ack(ok))
	p.Send(call.Request("BYE"))
	finalOf(p, &call, "BYE")
}

func TestResponsesNobodyAskedFor(t *testing.T) {
	a := startAgent(t, answerAndWait)
	p, c := newCall(t, a, "udp")
	req := c.Request("INVITE")
	p.Send(siptest.Reply(req, 200, "OK"))
	p.Send(siptest.Reply(req, 4294967301, "Bigger than a status"))
	p.Raw("SIP/2.0 200 OK\r\n\r\n")
	p.Raw("SIP/2.0 200 OK\r\nVia: x\r\n\r\n")
	p.Send(c.Request("OPTIONS"))
	p.Expect("SIP/2.0 200")
}

// TestTortureMessages sends the messages of RFC 4475, which the parser's own
// tests carry, at an agent over both transports; it must live. SIP_TORTURE may
// list directories with more.
func TestTortureMessages(t *testing.T) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	if err != nil {
		t.Fatalf("find the parser's module: %v", err)
	}
	dirs := append(filepath.SplitList(os.Getenv("SIP_TORTURE")), filepath.Join(strings.TrimSpace(string(module)), "sip", "testdata"))
	a := startAgent(t, answerAndWait)
	sent := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			torment(t, a, data)
			sent++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if sent < 49 {
		t.Errorf("only %d messages found in %v", sent, dirs)
	}
}

// torment sends one message both ways and holds the agent to being there still.
func torment(t *testing.T, a *Agent, data []byte) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		if network == "udp" && len(data) > 60000 {
			continue
		}
		p, _ := newCall(t, a, network)
		p.Raw(string(data))
		p.Close()
		p, c := newCall(t, a, network)
		p.Send(c.Request("OPTIONS"))
		p.Expect("SIP/2.0 200")
		p.Close()
	}
}
