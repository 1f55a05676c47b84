package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcp/cmd/mcplab/rtpengine"
	"mcp/control/media/codec"
	"mcp/control/media/rtpstream"
	"mcp/control/media/srtp"
	"mcp/control/node"
	"mcp/control/sdp"
	"mcp/control/sip/siptest"
)

// front is rtpengine between a telephone in the clear and the platform, as operators
// put it there.
type front struct {
	*testing.T
	control *rtpengine.Control
	log     bytes.Buffer
}

func newFront(t *testing.T) *front {
	t.Helper()
	if _, err := exec.LookPath(rtpengine.Program); err != nil {
		t.Skip("rtpengine is not installed")
	}
	first := freePort(t) &^ 1
	if first > 65000 {
		first -= 1000
	}
	f, listen := &front{T: t}, fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command(rtpengine.Program, "--foreground", "--log-stderr", "--log-level=5", "--table=-1", "--config-file=none",
		fmt.Sprintf("--listen-cli=127.0.0.1:%d", freePort(t)), "--interface=127.0.0.1",
		"--listen-ng="+listen, fmt.Sprintf("--port-min=%d", first), fmt.Sprintf("--port-max=%d", first+200), "--num-threads=1")
	cmd.Stdout, cmd.Stderr = &f.log, &f.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("rtpengine:\n%s", f.log.String())
		}
	})
	var err error
	if f.control, err = rtpengine.Dial(listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.control.Close() })
	if err := f.control.Ready(patience); err != nil {
		t.Fatal(err)
	}
	return f
}

// pass has a description rewritten on its way from one side to the other.
func (f *front) pass(command, description string, how map[string]any) string {
	f.Helper()
	how["command"], how["call-id"], how["from-tag"], how["sdp"], how["ICE"] = command, "call", "phone", description, "remove"
	if command == "answer" {
		how["to-tag"] = "platform"
	}
	answer, err := f.control.Ask(how)
	if err != nil {
		f.Fatal(err)
	}
	text, _ := answer["sdp"].(string)
	return text
}

// TestRTPEngineInFront has a stack of others turn a telephone's plain RTP into SRTP
// with keys in SDP, of each kind that it has, and from DTLS in either role: what each
// side says the other hears, and nothing that is kept or shown has a key.
func TestRTPEngineInFront(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		how  map[string]any
		keys string
	}{
		"AES_CM_128_HMAC_SHA1_80":   {sdesOnly("AES_CM_128_HMAC_SHA1_80"), "sdes"},
		"AES_CM_128_HMAC_SHA1_32":   {sdesOnly("AES_CM_128_HMAC_SHA1_32"), "sdes"},
		"AES_256_CM_HMAC_SHA1_80":   {sdesOnly("AES_256_CM_HMAC_SHA1_80"), "sdes"},
		"AEAD_AES_128_GCM":          {sdesOnly("AEAD_AES_128_GCM"), "sdes"},
		"AEAD_AES_256_GCM":          {sdesOnly("AEAD_AES_256_GCM"), "sdes"},
		"DTLS, the platform begins": {map[string]any{"transport-protocol": "UDP/TLS/RTP/SAVP", "DTLS": "passive", "SDES": []string{"off"}}, "dtls"},
		"DTLS, rtpengine begins":    {map[string]any{"transport-protocol": "UDP/TLS/RTP/SAVPF", "DTLS": "active", "SDES": []string{"off"}}, "dtls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inFront(t, tc.how, tc.keys)
		})
	}
}

// sdesOnly is a suite, and none of the others.
func sdesOnly(suite string) map[string]any {
	var flags []string
	for _, p := range srtp.Profiles() {
		if string(p) != suite {
			flags = append(flags, "no-"+string(p))
		}
	}
	for _, other := range []string{"AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32", "F8_128_HMAC_SHA1_80", "F8_128_HMAC_SHA1_32", "NULL_HMAC_SHA1_80", "NULL_HMAC_SHA1_32"} {
		flags = append(flags, "no-"+other)
	}
	return map[string]any{"transport-protocol": "RTP/SAVP", "DTLS": "off", "SDES": flags}
}

func inFront(t *testing.T, how map[string]any, keys string) {
	dir := t.TempDir()
	r := newRig(t, func(c *node.Config) {
		c.Media.SRTP.Mode, c.Media.SRTP.Clear = "required", true
		c.Upload.Folder, c.Recording.Calls, c.Recording.Type = filepath.Join(dir, "recordings"), "sides", "audio/wav;codec=pcm"
	})
	r.pages.page("/main.vxml", `<form><field name="pin"><prompt>one two three</prompt>`+dtmfGrammar+`
		<filled><disconnect/></filled></field></form>`)
	f, p := newFront(t), newPlainPhone(t)
	offer := f.pass("offer", p.offer(), how)
	peer := siptest.Dial(t, "tcp", strings.TrimPrefix(r.sip, "tcp:"))
	call := siptest.NewCall(peer, r.target())
	peer.Send(call.Request("INVITE").WithSDP(offer))
	ok := peer.Expect("SIP/2.0 200", "SIP/2.0 1")
	call.Establish(ok)
	peer.Send(call.Ack(ok))
	_, answer, _ := strings.Cut(ok.String(), "\r\n\r\n")
	said := r.speech.engine.Beeps(20)[:24000]
	heard := p.talk(f.pass("answer", answer, map[string]any{"transport-protocol": "RTP/AVP"}), said)
	shown := r.everythingShown()
	peer.Send(call.Request("BYE"))
	peer.Expect("SIP/2.0 200", "INFO")
	for _, leg := range r.record(1).Media {
		if leg.Name == "caller" && (leg.SRTP == "" || leg.SRTPKeys != keys || leg.Received.Packets < 100) {
			t.Errorf("%+v", leg)
		}
	}
	r.nothingLeft()
	wantHeard(t, "the platform, behind rtpengine", r.speech.engine.Beeps(3)[:4800], heard)
	left, _ := channels(recordingIn(t, filepath.Join(dir, "recordings"))[44:])
	wantHeard(t, "the telephone, in the recording", said[:8000], left)
	shown += r.log.text() + fmt.Sprintf("%+v", r.record(1))
	for _, line := range inlineKeys(offer + answer) {
		if strings.Contains(shown, line) {
			t.Error("a key is shown")
		}
	}
}

// inlineKeys are those in descriptions, without what differs at their ends.
func inlineKeys(text string) (keys []string) {
	for _, part := range strings.Split(text, "inline:")[1:] {
		keys = append(keys, part[:20])
	}
	return keys
}

// everythingShown is what metrics and console tell while the call is up.
func (r *rig) everythingShown() string {
	r.t.Helper()
	console := strings.TrimSuffix(fmt.Sprint(r.log.wait(r.t, "console")["url"]), "/")
	var all strings.Builder
	for _, url := range []string{"http://" + r.probes + "/metrics", console + "/api/legs", console + "/api/calls", console + "/api/overview"} {
		resp, err := http.Get(url)
		if err != nil {
			r.t.Fatal(err)
		}
		_, err = io.Copy(&all, resp.Body)
		resp.Body.Close()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(all.String(), "mcp_media_srtp_legs{") {
		r.t.Error("no metric tells of the protected leg")
	}
	return all.String()
}

// plainPhone is a telephone that knows no SRTP.
type plainPhone struct {
	*testing.T
	conn    *net.UDPConn
	decoder codec.Decoder
}

func newPlainPhone(t *testing.T) *plainPhone {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	decoder, err := codec.NewDecoder(codec.PCMU)
	if err != nil {
		t.Fatal(err)
	}
	return &plainPhone{t, conn, decoder}
}

func (p *plainPhone) offer() string {
	return string(sdp.Offer(sdp.Local{
		Addr: p.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: sdp.DefaultCodecs()[:1], Events: 101,
		Ptime: 20 * time.Millisecond, SessionID: 1, Version: 1,
	}))
}

// talk says something, and returns what is heard meanwhile.
func (p *plainPhone) talk(answer string, said []int16) (heard []int16) {
	p.Helper()
	s, err := sdp.Parse([]byte(answer))
	if err != nil || s.Audio == nil {
		p.Fatalf("%v\n%s", err, answer)
	}
	to := netip.AddrPortFrom(s.Audio.RTP.Addr(), s.Audio.RTP.Port())
	say, err := codec.NewEncoder(codec.PCMU)
	if err != nil {
		p.Fatal(err)
	}
	h := rtpstream.Header{SSRC: 7}
	clock := time.Now()
	for ; len(said) >= 160; said = said[160:] {
		packet, err := say.Encode(h.Append(nil), said[:160])
		if err != nil {
			p.Fatal(err)
		}
		if _, err := p.conn.WriteToUDPAddrPort(packet, to); err != nil {
			p.Fatal(err)
		}
		h.Sequence++
		h.Timestamp += 160
		clock = clock.Add(20 * time.Millisecond)
		heard = append(heard, p.hear(clock)...)
	}
	return heard
}

// hear is what comes until a time.
func (p *plainPhone) hear(until time.Time) (heard []int16) {
	var buf [2000]byte
	_ = p.conn.SetReadDeadline(until)
	for {
		n, err := p.conn.Read(buf[:])
		if err != nil {
			return heard
		}
		if h, ok := rtpstream.Parse(buf[:n]); ok && !rtpstream.IsControl(buf[:n]) && h.Type == 0 {
			if heard, err = p.decoder.Decode(heard, buf[12:n]); err != nil {
				p.Fatal(err)
			}
		}
	}
}
