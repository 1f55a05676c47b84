package sip

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestBaresipCalls lets a telephone that nobody here wrote call the agent, talk
// for a while and hang up.
func TestBaresipCalls(t *testing.T) {
	needTool(t, "baresip")
	bothTransports(t, func(t *testing.T, network string) {
		events := make(chan []Event, 1)
		a := startAgent(t, func(ctx context.Context, d *Dialog) {
			_ = d.Ring(ctx)
			if err := d.Answer(ctx, []byte(someSDP)); err != nil {
				t.Errorf("answer: %v", err)
			}
			events <- untilOver(ctx, d)
		}, func(c *Config) { c.T1 = defaultT1 })
		dir := baresipConfig(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "baresip", "-f", dir, "-t", "4",
			"-e", "/dial sip:ivr@"+addrOf(a, network)+";transport="+network)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("baresip: %v\n%s", err, tail(string(out)))
		}
		select {
		case got := <-events:
			if !isEvent[ByeReceived](got) {
				t.Errorf("events %v", got)
			}
		case <-ctx.Done():
			t.Error("the call does not end")
		}
	})
}

// baresipConfig is a telephone without a sound card: it plays silence from a
// file and writes what it hears into another.
func baresipConfig(t *testing.T) string {
	t.Helper()
	modules := ""
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			modules = found[0]
		}
	}
	dir := t.TempDir()
	config := fmt.Sprintf("module_path %s\nsip_listen 127.0.0.1:0\naudio_source aufile,%s/in.wav\n"+
		"audio_player aufile,%s/out.wav\naudio_alert aufile,%s/alert.wav\nmodule g711.so\nmodule aufile.so\n"+
		"module_app account.so\nmodule_app menu.so\n", modules, dir, dir, dir)
	for name, content := range map[string]string{
		"config": config, "contacts": "", "accounts": "<sip:caller@127.0.0.1>;regint=0\n", "in.wav": silence(10 * 8000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// silence is a WAV file of 16-bit samples at 8 kHz.
func silence(samples int) string {
	head := []byte("RIFF....WAVEfmt ................data....")
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	head = append(head[:20], make([]byte, 24)...)
	put32(head[4:], uint32(36+2*samples))
	put32(head[16:], 16)
	put16(head[20:], 1) // PCM
	put16(head[22:], 1) // mono
	put32(head[24:], 8000)
	put32(head[28:], 16000)
	put16(head[32:], 2)
	put16(head[34:], 16)
	copy(head[36:], "data")
	put32(head[40:], uint32(2*samples))
	return string(head) + string(make([]byte, 2*samples))
}
