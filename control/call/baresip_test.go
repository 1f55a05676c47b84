package call

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/tone"
	"mcp/control/sdp"
)

// A telephone that nobody here wrote says again what it is told, in each codec that
// it has; what was played comes back.
func TestBaresipIsHeardInEveryCodec(t *testing.T) {
	if _, err := exec.LookPath("baresip"); err != nil {
		t.Skip("baresip is not installed")
	}
	all := map[string]codec.Codec{"g711": codec.PCMA, "g722": codec.G722, "gsm": codec.GSM, "opus": codec.Opus}
	if codec.AMR.Known() {
		all["amr"] = codec.AMR
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			telephone(t, name, c)
		})
	}
}

func telephone(t *testing.T, module string, c codec.Codec) {
	var said listenedTo
	service := &scripted{run: func(ctx context.Context, k *Call) Ending {
		said.listen(t, k)
		select {
		case <-k.HungUp():
		case <-ctx.Done():
		}
		return Ending{}
	}}
	// It says in SDP where its network is, and speaks from the loopback interface.
	b := newBench(t, Config{Latch: time.Minute, Codecs: []sdp.Codec{{Name: c.Name, PayloadType: c.PayloadType, ClockRate: c.ClockRate}}}, service)
	dir, rate := baresipConfig(t, module), c.SampleRate()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "baresip", "-f", dir, "-t", "4", "-e", "/dial "+b.target).CombinedOutput()
	if err != nil {
		t.Fatalf("baresip: %v\n%s", err, out)
	}
	if r := b.record(); len(r.Media) != 1 || r.Media[0].Codec != c.Name {
		t.Fatalf("the call's media: %+v\n%s", r.Media, out)
	}
	b.empty()
	if said.err != nil || len(said.pcm) < 2*rate {
		t.Fatalf("%d samples are heard of it, %v\n%s", len(said.pcm), said.err, out)
	}
	margin, floor := 3., -35.
	if c.Same(codec.GSM) || c.Same(codec.AMR) { // made for voices, and used twice: tones suffer
		margin, floor = 6, -30
	}
	var heard []string
	for at := 0; at+2*rate/5 <= len(said.pcm); at += rate / 10 { // a busy machine may spoil many of them
		a, b, other := levels(said.pcm[at:at+2*rate/5], rate)
		if math.Abs(a+13) <= margin && math.Abs(b+13) <= margin && other <= floor {
			return
		}
		heard = append(heard, fmt.Sprintf("%.1f, %.1f and %.1f", a, b, other))
	}
	t.Errorf("440 Hz and 1000 Hz come back at, and 700 Hz which was not said, every tenth of a second: %v dBm0", heard)
}

// levels are those of the tones that are played, and of one that is not.
func levels(pcm []int16, rate int) (a, b, other float64) {
	return measure.Tone(pcm, rate, 440), measure.Tone(pcm, rate, 1000), measure.Tone(pcm, rate, 700)
}

// listenedTo is what a caller says.
type listenedTo struct {
	mu  sync.Mutex // guards what follows
	pcm []int16
	err error
}

// listen plays to the caller and decodes what it says.
func (l *listenedTo) listen(t *testing.T, c *Call) {
	d, err := codec.NewDecoder(c.Codec())
	if err != nil {
		t.Error(err)
		return
	}
	clip, err := media.NewClip(tone.PCM(8000, tone.Part{Hz: []float64{440, 1000}, Level: -13, For: time.Second}), c.Codec())
	if err != nil {
		t.Error(err)
		return
	}
	_, played := c.Media().PlayWith(c.Caller(), clip, media.PlayOptions{Repeat: -1})
	_, tapped := c.Caller().Tap(media.ListenerFunc(func(h media.Heard) {
		l.mu.Lock()
		defer l.mu.Unlock()
		var err error
		l.pcm, err = d.Decode(l.pcm, h.Payload)
		l.err = errors.Join(l.err, err)
	}))
	if err := errors.Join(played, tapped); err != nil {
		t.Error(err)
	}
}

// baresipConfig is a telephone without a sound card: it says what it hears.
func baresipConfig(t *testing.T, module string) string {
	t.Helper()
	modules := ""
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			modules = found[0]
		}
	}
	dir := t.TempDir()
	config := fmt.Sprintf("module_path %s\nsip_listen 127.0.0.1:0\naudio_source aubridge,echo\naudio_player aubridge,echo\n"+
		"module %s.so\nmodule aubridge.so\nmodule_app account.so\nmodule_app menu.so\n", modules, module)
	for name, content := range map[string]string{
		"config": config, "contacts": "", "accounts": "<sip:caller@127.0.0.1>;regint=0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
