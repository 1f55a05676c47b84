package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/node"
	"mcp/control/node/signalling"
	"mcp/control/reporting"
	"mcp/control/sip/certs/certstest"
)

// baresip is a telephone that nobody here wrote. It plays a file into a call, and
// tells of every packet that it cannot decrypt.
type baresip struct {
	t       *testing.T
	dir     string
	control net.Conn
	out     *bytes.Buffer
	done    chan error
}

// newBaresip starts one that protects its audio as the mediaenc says, with what is
// in said to say.
func newBaresip(t *testing.T, mediaenc string, said []int16) *baresip {
	t.Helper()
	modules := baresipModules(t)
	b := &baresip{t: t, dir: t.TempDir(), out: &bytes.Buffer{}, done: make(chan error, 1)}
	port := freePort(t)
	config := fmt.Sprintf(`module_path %s
sip_listen 127.0.0.1:0
rtcp_mux yes
audio_source aufile,%[2]s/in.wav
audio_alert aufile,%[2]s/alert.wav
ctrl_tcp_listen 127.0.0.1:%[3]d
module g711.so
module aufile.so
module srtp.so
module dtls_srtp.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
`, modules, b.dir, port)
	for name, content := range map[string][]byte{
		"config": []byte(config), "contacts": nil, "in.wav": wavOf(said), "alert.wav": wavOf(make([]int16, 800)),
		"accounts": fmt.Appendf(nil, "<sip:caller@127.0.0.1;transport=tls>;regint=0;mediaenc=%s\n", mediaenc),
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.start(port)
	return b
}

// baresipModules is the folder of its modules; without it there is no test.
func baresipModules(t *testing.T) string {
	t.Helper()
	modules, _ := filepath.Glob("/usr/lib/baresip/modules")
	if elsewhere, _ := filepath.Glob("/usr/lib/*/baresip/modules"); len(elsewhere) > 0 {
		modules = elsewhere
	}
	if _, err := exec.LookPath("baresip"); err != nil || len(modules) == 0 {
		t.Skip("baresip is not installed")
	}
	return modules[0]
}

func (b *baresip) start(port int) {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "baresip", "-f", b.dir, "-t", "60")
	cmd.Stdout, cmd.Stderr = b.out, b.out
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { b.done <- cmd.Wait() }()
	b.t.Cleanup(func() {
		stop()
		<-b.done
		if strings.Contains(b.out.String(), "failed to decrypt") || !strings.Contains(b.out.String(), "incoming rtp for 'audio' established") {
			b.t.Error("baresip does not hear the platform")
		}
		if b.t.Failed() {
			b.t.Logf("baresip:\n%s", b.out)
		}
	})
	await(b.t, "baresip", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		b.control = conn
		return err == nil
	})
	b.t.Cleanup(func() { b.control.Close() })
}

// command has it do something, as by its menu.
func (b *baresip) command(name, params string) {
	b.t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.control, "%d:%s,", len(text), text); err != nil {
		b.t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// wavOf is a WAV file of 16-bit samples at 8 kHz.
func wavOf(pcm []int16) []byte {
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	b := append([]byte("RIFF"), make([]byte, 40)...)
	put32(b[4:], uint32(36+2*len(pcm)))
	copy(b[8:], "WAVEfmt ")
	put32(b[16:], 16)
	put16(b[20:], 1)
	put16(b[22:], 1)
	put32(b[24:], 8000)
	put32(b[28:], 16000)
	put16(b[32:], 2)
	put16(b[34:], 16)
	copy(b[36:], "data")
	put32(b[40:], uint32(2*len(pcm)))
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// TestProtectedBaresipCalls holds SRTP to a telephone of others, over SIP and TLS,
// with keys in SDP and with DTLS: what each says is in the recording, keys are
// recognised, and the record of the call says how it was protected.
func TestProtectedBaresipCalls(t *testing.T) {
	t.Parallel()
	for mediaenc, profile := range map[string]string{
		"srtp-mand": "AES_CM_128_HMAC_SHA1_80", "dtls_srtp": "AES_CM_128_HMAC_SHA1_80",
	} {
		t.Run(mediaenc, func(t *testing.T) {
			if os.Getenv(onKernel) == "" { // which has one platform at a time
				t.Parallel()
			}
			protectedCall(t, mediaenc, profile)
		})
	}
}

func protectedCall(t *testing.T, mediaenc, profile string) {
	dir := t.TempDir()
	ca := certstest.New(t, "ca")
	ca.Issue(filepath.Join(dir, "cert"), filepath.Join(dir, "key"))
	r := newRig(t, func(c *node.Config) {
		c.SIP.Listen = []string{"tcp:127.0.0.1:0", "tls:127.0.0.1:0"}
		c.SIP.TLS = signalling.TLS{Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
		c.Media.SRTP.Mode, c.Media.Symmetric = "required", true // baresip names another address than it sends from
		c.Upload.Folder, c.Recording.Calls, c.Recording.Type = filepath.Join(dir, "recordings"), "sides", "audio/wav;codec=pcm"
	})
	r.pages.page("/main.vxml", `<form><field name="pin"><prompt>one two three</prompt>`+dtmfGrammar+`
		<filled><submit next="/bye.vxml" namelist="pin"/></filled></field></form>`)
	r.pages.page("/bye.vxml", `<form><block><prompt>four five</prompt><disconnect/></block></form>`)
	said := r.speech.engine.Beeps(60)
	b := newBaresip(t, mediaenc, said)
	tls := ""
	for _, at := range strings.Fields(r.sip) {
		if address, ok := strings.CutPrefix(at, "tls:"); ok {
			tls = address
		}
	}
	b.command("dial", "sip:ivr@"+tls) // the account says by which transport
	await(t, "the prompt to be said", func() bool {
		var sent float64
		_, err := fmt.Sscan(r.metric("mcp_media_tx_packets_total"), &sent)
		return err == nil && sent > 40
	})
	for _, key := range "2749" {
		b.command("sndcode", string(key))
		time.Sleep(250 * time.Millisecond) // how long a key is pressed
	}
	rec := r.record(1)
	var legs []reporting.Leg
	for _, l := range rec.Media {
		if l.Name == "caller" {
			legs = append(legs, l)
		}
	}
	if len(legs) != 1 || legs[0].SRTP != profile || legs[0].Received.Packets < 50 || legs[0].Sent.Packets < 40 {
		t.Errorf("%+v", rec.Media)
	}
	if asked := strings.Join(r.pages.requests(), " "); !strings.Contains(asked, "pin=2749") {
		t.Errorf("pages asked for: %s", asked)
	}
	r.nothingLeft()
	wav := recordingIn(t, filepath.Join(dir, "recordings"))
	left, right := channels(wav[44:])
	wantHeard(t, "baresip, in the recording", said[:9600], left)
	wantHeard(t, "the platform, in the recording", r.speech.engine.Beeps(3)[:4800], right)
	if strings.Contains(r.log.text(), "inline:") {
		t.Error("a key is in the log")
	}
}

// recordingIn is the one recording in a folder.
func recordingIn(t *testing.T, folder string) []byte {
	t.Helper()
	var path string
	await(t, "the recording's metadata", func() bool {
		found, _ := filepath.Glob(filepath.Join(folder, "*.json"))
		if len(found) == 1 {
			path = strings.TrimSuffix(found[0], ".json")
		}
		return len(found) == 1
	})
	wav, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audiofile.Decode("audio/wav", wav); err != nil {
		t.Error(err)
	}
	return wav
}
