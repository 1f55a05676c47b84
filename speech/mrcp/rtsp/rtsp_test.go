package rtsp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// announce is RFC 4463 section 3.2's, shortened.
const announce = `ANNOUNCE rtsp://media.example.com/media/synthesizer RTSP/1.0
CSeq: 4
Session: 12345678
Content-Type: application/mrcp
Content-Length: 20

SPEAK 1 MRCP/1.0

`

func TestReader(t *testing.T) {
	text := crlf("\n"+announce) + "$\x00\x00\x03abc" + crlf("rtsp/1.0 200 OK\ncseq:4\nSession: 12345678;timeout=60\nContent-Length:\t0\nX:\n folded\nnonsense\n\nRTSP/1.0 404\n\n")
	// In whatever pieces it arrives.
	r := NewReader(iotest.OneByteReader(strings.NewReader(text)), 0)
	first, err := r.Read()
	if err != nil || first.Method != MethodAnnounce || first.MediaType() != "application/mrcp" || string(first.Body) != "SPEAK 1 MRCP/1.0\r\n\r\n" {
		t.Errorf("%+v, %v", first, err)
	}
	first, err = NewReader(strings.NewReader(crlf(announce)), 0).Read()
	if err != nil || first.URI != "rtsp://media.example.com/media/synthesizer" {
		t.Errorf("%+v, %v", first, err)
	}
	r = NewReader(strings.NewReader(text[strings.Index(text, "$"):]), 0)
	second, err := r.Read()
	if err != nil || second.Status != 200 || second.Header.Get("x") != "folded" {
		t.Fatalf("%+v, %v", second, err)
	}
	if n, ok := second.CSeq(); n != 4 || !ok {
		t.Errorf("CSeq %d", n)
	}
	if id, params := second.Session(); id != "12345678" || params != "timeout=60" {
		t.Errorf("%s %s", id, params)
	}
	third, err := r.Read()
	if err != nil || third.Status != 404 || third.String() != "404 " {
		t.Errorf("%+v, %v", third, err)
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestReaderRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"GET / HTTP/1.1\r\n\r\n":                                    ErrSyntax,
		"RTSP/1.0 OK 200\r\n\r\n":                                   ErrSyntax,
		"ANNOUNCE x RTSP/1.0\r\nContent-Length: -1\r\n\r\n":         ErrSyntax,
		"ANNOUNCE x RTSP/1.0\r\nContent-Length: 99999\r\n\r\n":      ErrTooLarge,
		"ANNOUNCE x RTSP/1.0\r\nX: " + strings.Repeat("x", maxHead): ErrTooLarge,
		"ANNOUNCE x RTSP/1.0\r\nContent-Length: 5\r\n\r\nabc":       io.ErrUnexpectedEOF,
		"ANNOUNCE x RTSP/1.0\r\nCSeq":                               io.ErrUnexpectedEOF,
		"$\x00\x00":                                                 io.ErrUnexpectedEOF,
	} {
		if m, err := NewReader(strings.NewReader(text), 1000).Read(); !errors.Is(err, want) {
			t.Errorf("%.40q: %+v, %v, want %v", text, m, err, want)
		}
	}
}

func TestAppend(t *testing.T) {
	m := NewRequest(MethodSetup, "rtsp://h/media/speechrecognizer", HeaderTransport, "RTP/AVP;unicast;client_port=4000-4001", "X", "a\r\nEvil: b")
	m.SetBody("application/sdp", []byte("v=0\r\n"))
	m.Header.Set(HeaderCSeq, "1")
	want := "SETUP rtsp://h/media/speechrecognizer RTSP/1.0\r\nTransport: RTP/AVP;unicast;client_port=4000-4001\r\nX: a  Evil: b\r\n" +
		"Content-Type: application/sdp\r\nCSeq: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n"
	if got := string(m.Append(nil)); got != want {
		t.Errorf("%q", got)
	}
	m.Header.Set(HeaderSession, "s")
	if got := string(NewResponse(m, StatusOK).Append(nil)); got != "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: s\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

// Every RTSP message in the captures is understood.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("../testdata/captures/v1-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "-----")[1:] {
			at := strings.Index(block, "RTSP/1.0")
			if at < 0 {
				continue
			}
			_, body, _ := strings.Cut(block, "\n")
			m, err := NewReader(strings.NewReader(crlf(body)+strings.Repeat("\r\n", 500)), 0).Read()
			if err != nil || m.Method == "" && m.Status != 200 {
				t.Errorf("%s: %v\n%s", file, err, body)
			}
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("only %d messages seen", seen)
	}
}

// pair is a Conn and its far end.
func pair(t *testing.T, cfg ConnConfig) (*Conn, net.Conn, *Reader) {
	t.Helper()
	near, far := net.Pipe()
	if cfg.Lost == nil {
		cfg.Lost = func(error) {}
	}
	c := NewConn(near, cfg)
	t.Cleanup(func() { c.Close(); _ = far.Close() })
	return c, far, NewReader(far, 0)
}

// Requests go out without waiting, responses come in any order, and a request of
// the server's that repeats a number of ours is not taken for a response.
func TestPipelining(t *testing.T) {
	asked := make(chan string, 1)
	c, far, r := pair(t, ConnConfig{Handle: func(m *Message) *Message {
		asked <- m.Method
		return NewResponse(m, StatusOK)
	}})
	got := make(chan string, 3)
	for i := range 3 {
		c.Send(NewRequest(MethodAnnounce, fmt.Sprintf("rtsp://h/%d", i)), func(m *Message, err error) { got <- fmt.Sprint(i, m, err) })
	}
	var requests []*Message
	for range 3 {
		m, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, m)
	}
	event := NewRequest(MethodAnnounce, "rtsp://h/0", HeaderCSeq, requests[2].Header.Get(HeaderCSeq))
	for _, m := range []*Message{NewResponse(requests[2], 200), event, NewResponse(requests[0], 454), NewResponse(requests[1], 200)} {
		if _, err := far.Write(m.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if m == event {
			if answer, err := r.Read(); err != nil || answer.Status != 200 || answer.Header.Get(HeaderCSeq) != event.Header.Get(HeaderCSeq) {
				t.Errorf("%+v, %v", answer, err)
			}
		}
	}
	for _, want := range []string{"2 200 OK <nil>", "0 454 Session Not Found <nil>", "1 200 OK <nil>"} {
		if have := <-got; have != want {
			t.Errorf("%s, want %s", have, want)
		}
	}
	if <-asked != MethodAnnounce {
		t.Error("no event")
	}
}

func TestConnIsLost(t *testing.T) {
	lost := make(chan error, 1)
	c, far, r := pair(t, ConnConfig{Handle: func(m *Message) *Message { return NewResponse(m, 200) }, Lost: func(err error) { lost <- err }})
	failed := make(chan error, 1)
	c.Send(NewRequest(MethodOptions, "*"), func(_ *Message, err error) { failed <- err })
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	_ = far.Close()
	for _, ch := range []chan error{failed, lost} {
		select {
		case err := <-ch:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(patience):
			t.Fatal("nobody is told")
		}
	}
	if _, err := c.Do(t.Context(), NewRequest(MethodOptions, "*")); err == nil {
		t.Error("sent over a lost connection")
	}
}

// Connections come from the ports they may, all of them at the same time.
func TestPortRange(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := &Dialer{PortMin: 14100, PortMax: 14399}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			nc, err := d.Dial(t.Context(), listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			if port := nc.LocalAddr().(*net.TCPAddr).Port; port < 14100 || port > 14399 {
				t.Errorf("from port %d", port)
			}
			_ = nc.Close()
		})
	}
	wg.Wait()
	nobody := &Dialer{PortMin: 14100, PortMax: 14399}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if nc, err := nobody.Dial(t.Context(), listener.Addr().String()); err == nil {
		t.Error("connected to nobody")
		_ = nc.Close()
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(crlf(announce)))
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nab$\x00\x00\x01x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewReader(bytes.NewReader(text), 4096)
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			again, err := NewReader(bytes.NewReader(m.Append(nil)), 0).Read()
			if err != nil || again.Method != m.Method || again.Status != m.Status || !bytes.Equal(again.Body, m.Body) {
				t.Errorf("%q written as %q: %v", text, m.Append(nil), err)
			}
		}
	})
}
