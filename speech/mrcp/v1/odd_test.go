package v1_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/speech"
	"mcp/speech/mrcp"
	"mcp/speech/mrcp/rtsp"
	"mcp/speech/mrcp/v1"
	"mcp/speech/mrcp/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is what a server says to SETUP and to RECOGNIZE, with {cseq} and {id}, where
// the line ends are LF. Whatever else it is asked, it does.
type script struct {
	setup, recognize string
	pieces           int // octets in each write; 0: all at once
}

const (
	usualSetup = "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 9da828825df445b1\nTransport: RTP/AVP;unicast;client_port=4000-4001;server_port=5012-5013\n\n"
	accepted   = "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 9da828825df445b1\nContent-Type: application/mrcp\nContent-Length: 33\n\nMRCP/1.0 {id} 200 IN-PROGRESS\r\n\r\n"
	noMatch    = "RECOGNITION-COMPLETE {id} COMPLETE MRCP/1.0\r\nCompletion-Cause: 001 no-match\r\n\r\n"
)

// event is an ANNOUNCE by the server.
func event(uri, cseq, body string) string {
	return "ANNOUNCE " + uri + " RTSP/1.0\nCSeq: " + cseq + "\nSession: 9da828825df445b1\nContent-Type: application/mrcp\nContent-Length: {length}\n\n" + body
}

// text is the script's words as octets: body lengths are put in where they are asked for.
func text(words string, cseq string, id uint32) string {
	var out strings.Builder
	for i, message := range strings.Split(words, "{next}") {
		head, body, _ := strings.Cut(message, "\n\n")
		body = strings.NewReplacer("{id}", strconv.FormatUint(uint64(id), 10), "{cseq}", cseq).Replace(body)
		length := strconv.Itoa(len(body))
		head = strings.NewReplacer("{cseq}", cseq, "{length}", length, "Content-Length: 33", "Content-Length: "+length, "\n", "\r\n").Replace(head)
		if i > 0 && head == "" {
			continue
		}
		out.WriteString(head + "\r\n\r\n" + body)
	}
	return out.String()
}

// serve is a server of one script, until its listener is closed.
func serve(t *testing.T, s script) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.answer(nc) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return "rtsp://" + listener.Addr().String()
}

// answer answers until the client hangs up.
func (s script) answer(nc net.Conn) {
	defer nc.Close()
	reader := rtsp.NewReader(nc, 0)
	for {
		m, err := reader.Read()
		if err != nil {
			return
		}
		if m.Status != 0 {
			continue // to an event
		}
		words, id := "RTSP/1.0 200 OK\nCSeq: {cseq}\n\n", uint32(0)
		switch m.Method {
		case rtsp.MethodSetup:
			words = s.setup
		case rtsp.MethodAnnounce:
			request, err := wire.ParseV1(m.Body)
			if err != nil {
				return
			}
			id = request.ID
			if request.Name == wire.MethodRecognize {
				words = s.recognize
			} else {
				words = strings.Replace(accepted, "IN-PROGRESS", "COMPLETE", 1)
			}
		}
		octets := []byte(text(words, m.Header.Get("CSeq"), id))
		piece := s.pieces
		if piece == 0 {
			piece = len(octets)
		}
		for ; len(octets) > 0; octets = octets[min(piece, len(octets)):] {
			if _, err := nc.Write(octets[:min(piece, len(octets))]); err != nil {
				return
			}
		}
	}
}

func open(t *testing.T, uri string) (speech.Session, error) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	client := mrcp.NewClient(mrcp.Config{Servers: []mrcp.Server{{URI: uri}}, ResponseTimeout: 20 * time.Second}, v1.New(v1.Config{}, log), log)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client.Open(t.Context(), speech.Media{Addr: netip.MustParseAddrPort("127.0.0.1:40000"), Events: -1,
		Codecs: []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}}})
}

// TestServersWays proves that a recognition ends as it should with servers that go
// about it in ways of their own.
func TestServersWays(t *testing.T) {
	const uri = "rtsp://127.0.0.1:1554/media/speechrecognizer"
	sdp := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5012 RTP/AVP 0\r\na=sendrecv\r\n"
	for name, s := range map[string]script{
		"event after the response":     {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "{cseq}", noMatch)},
		"event before it":              {setup: usualSetup, recognize: event(uri, "{cseq}", noMatch) + "{next}" + accepted},
		"event with a CSeq of its own": {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "4711", noMatch)},
		"event of another resource":    {setup: usualSetup, recognize: accepted + "{next}" + event("rtsp://127.0.0.1:1554/media/speechsynthesizer", "{cseq}", noMatch)},
		"event with a relative URL":    {setup: usualSetup, recognize: accepted + "{next}" + event("/media/speechrecognizer", "{cseq}", noMatch)},
		"octet by octet":               {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "{cseq}", noMatch), pieces: 1},
		"start in the words of MRCPv2": {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "{cseq}", "START-OF-INPUT {id} IN-PROGRESS MRCP/1.0\r\n\r\n") +
			"{next}" + event(uri, "{cseq}", noMatch)},
		"description, no Transport": {setup: "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 1\nContent-Type: application/sdp\nContent-Length: {length}\n\n" + sdp,
			recognize: accepted + "{next}" + event(uri, "{cseq}", noMatch)},
		"Session with a timeout, and none in what follows": {setup: strings.Replace(usualSetup, "9da828825df445b1", "9da8;timeout=60", 1),
			recognize: strings.Replace(accepted, "Session: 9da828825df445b1\n", "", 1) + "{next}" + event(uri, "{cseq}", noMatch)},
		"lower case, folded": {setup: "rtsp/1.0 200 ok\ncseq:{cseq}\nsession:\n 1\ntransport:\tRTP/AVP;unicast;SERVER_PORT=5012-5013\n\n",
			recognize: accepted + "{next}" + strings.Replace(event(uri, "{cseq}", noMatch), "Content-Length", "content-length", 1)},
		"no name for the outcome": {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "{cseq}", "RECOGNITION-COMPLETE {id} COMPLETE MRCP/1.0\r\ncompletion-cause:001\r\n\r\n")},
		"headers nobody knows": {setup: usualSetup, recognize: accepted + "{next}" + event(uri, "{cseq}",
			"RECOGNITION-COMPLETE {id} COMPLETE MRCP/1.0\r\nX-Odd: 1\r\nCompletion-Cause: 001 no-match\r\nWaveform-URL: <http://x/1>\r\n\r\n")},
		"binary data between": {setup: usualSetup, recognize: "$\x00\x00\x00" + accepted + "{next}" + event(uri, "{cseq}", noMatch)},
	} {
		t.Run(name, func(t *testing.T) {
			session, err := open(t, serve(t, s))
			if err != nil {
				t.Fatal(err)
			}
			r, err := session.Recognize(t.Context(), speech.Recognition{Grammars: []speech.Grammar{{URI: "builtin:speech/boolean"}}})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-r.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("no result")
			}
			if result, err := r.Result(); err != nil || result.Outcome != speech.NoMatch {
				t.Errorf("%+v, %v", result, err)
			}
			if err := session.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServersThatRefuse proves that a session which could not carry audio is none.
func TestServersThatRefuse(t *testing.T) {
	for name, setup := range map[string]string{
		"not found":            "RTSP/1.0 404 Not Found\nCSeq: {cseq}\nSession: 1\n\n",
		"method not known":     "RTSP/1.0 501 Not Implemented\nCSeq: {cseq}\n\n",
		"redirected":           "RTSP/1.0 302 Moved\nCSeq: {cseq}\nLocation: rtsp://127.0.0.1:1/\n\n",
		"no port":              "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 1\nTransport: RTP/AVP;unicast\n\n",
		"audio interleaved":    "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 1\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;server_port=5012-5013\n\n",
		"audio refused in SDP": "RTSP/1.0 200 OK\nCSeq: {cseq}\nSession: 1\nContent-Type: application/sdp\nContent-Length: {length}\n\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 19\r\n",
		"nonsense":             "HTTP/1.1 200 OK\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, serve(t, script{setup: setup}))
			if want := map[bool]error{true: speech.ErrNoCodec, false: speech.ErrUnavailable}[name == "audio refused in SDP"]; !errors.Is(err, want) {
				t.Error(fmt.Sprint(err), "is not", want)
			}
		})
	}
}
