package caller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"mcp/control/sdp"
	"mcp/control/sip"
)

// platform answers a call as a platform would: speaks, listens for keys, hangs up.
type platform struct {
	t      *testing.T
	speaks time.Duration
	keys   int // hangs up after so many; zero: leaves that to the caller

	mu      sync.Mutex
	packets []*rtp.Packet
}

func (p *platform) Invite(ctx context.Context, d *sip.Dialog) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		p.t.Error(err)
		return
	}
	offer, err := sdp.Parse(d.RemoteSDP())
	if err != nil {
		p.t.Error(err)
		return
	}
	answer, agreed, err := sdp.Answer(offer, sdp.Local{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Events: 96})
	if err != nil {
		p.t.Error(err)
		return
	}
	if err := d.Answer(ctx, answer); err != nil {
		p.t.Error(err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	pressed := make(chan struct{})
	group.Go(func() { p.speak(ctx, conn, agreed.Remote) })
	group.Go(func() { p.hear(conn, agreed.Events, pressed) })
	select {
	case <-pressed:
		if err := d.Bye(ctx, nil); err != nil && !errors.Is(err, context.Canceled) {
			p.t.Error(err)
		}
	case <-d.Events():
	case <-ctx.Done():
	}
	cancel()
	conn.Close()
	group.Wait()
}

func (p *platform) speak(ctx context.Context, conn *net.UDPConn, to netip.AddrPort) {
	audio := sine(p.speaks)
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	for n := 0; ; n++ {
		frame := []int16(nil)
		if (n+1)*frameSamples <= len(audio) {
			frame = audio[n*frameSamples : (n+1)*frameSamples]
		}
		raw, _ := (&rtp.Packet{
			Header:  rtp.Header{Version: 2, SSRC: 1, SequenceNumber: uint16(n), Timestamp: uint32(n * frameSamples)},
			Payload: encode(frame),
		}).Marshal()
		if _, err := conn.WriteToUDPAddrPort(raw, to); err != nil && ctx.Err() == nil {
			p.t.Error(err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// hear closes pressed at the end packets of the last key.
func (p *platform) hear(conn *net.UDPConn, events int, pressed chan struct{}) {
	ended := map[uint32]int{}
	buffer := make([]byte, maxPacket)
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if err := packet.Unmarshal(bytes.Clone(buffer[:n])); err != nil {
			p.t.Error(err)
			continue
		}
		p.mu.Lock()
		p.packets = append(p.packets, &packet)
		p.mu.Unlock()
		if int(packet.PayloadType) != events || packet.Payload[1]&0x80 == 0 {
			continue
		}
		if ended[packet.Timestamp]++; len(ended) == p.keys && ended[packet.Timestamp] == endPackets {
			close(pressed)
		}
	}
}

// serve runs an agent on the loopback until the test ends.
func serve(t *testing.T, h sip.Handler) *sip.Agent {
	t.Helper()
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- agent.Serve(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return agent
}

type busy struct{}

func (busy) Invite(ctx context.Context, d *sip.Dialog) {
	_ = d.Reject(ctx, 486, "Busy Here", nil)
}

func phoneTo(t *testing.T, h sip.Handler, c Config) *Phone {
	t.Helper()
	far := serve(t, h)
	c.To = fmt.Sprintf("sip:test@%s;transport=tcp", far.Addrs()[0])
	return NewPhone(serve(t, busy{}), c)
}

func TestCallFollowsItsScript(t *testing.T) {
	p := &platform{t: t, speaks: 600 * time.Millisecond, keys: 3}
	var told []string
	phone := phoneTo(t, p, Config{
		Quiet: 300 * time.Millisecond,
		Voice: func(context.Context, string) ([]int16, error) { return sine(400 * time.Millisecond), nil },
		Tell:  func(what, detail string) { told = append(told, what+" "+detail) },
	})
	script, err := ParseScript("listen; say hello; dtmf 1#5; await")
	if err != nil {
		t.Fatal(err)
	}
	summary, err := phone.Call(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	if len(summary.Faults) > 0 || summary.EndedBy != "platform" || summary.Received.Packets == 0 {
		t.Errorf("%+v", summary)
	}
	if len(summary.Heard) != 1 || summary.Heard[0].Duration < 500*time.Millisecond || summary.Heard[0].Duration > 700*time.Millisecond {
		t.Errorf("heard %+v", summary.Heard)
	}
	if len(summary.Said) != 2 || summary.Said[0].Text != "hello" || summary.Said[0].Start < summary.Heard[0].End() {
		t.Errorf("said %+v after hearing %+v", summary.Said, summary.Heard)
	}
	if !strings.Contains(strings.Join(told, "\n"), "says hello") {
		t.Errorf("told %q", told)
	}
	checkSent(t, p.packets)
}

// checkSent checks that what the caller sent is one whole stream with the right keys.
func checkSent(t *testing.T, packets []*rtp.Packet) {
	t.Helper()
	var c Continuity
	var pressed string
	var event uint32
	for _, p := range packets {
		isAudio := p.PayloadType == 0
		c.receive(p, time.Now(), isAudio)
		if !isAudio && (event != p.Timestamp || pressed == "") {
			event = p.Timestamp
			pressed += string(keys[p.Payload[0]])
			if !p.Marker {
				t.Error("an event begins without a marker")
			}
		}
	}
	if faults := c.Faults(); len(faults) > 0 {
		t.Errorf("sent with faults %v", faults)
	}
	if pressed != "1#5" {
		t.Errorf("pressed %q", pressed)
	}
}

func TestCallerHangsUp(t *testing.T) {
	phone := phoneTo(t, &platform{t: t, speaks: 200 * time.Millisecond}, Config{Quiet: 100 * time.Millisecond})
	summary, err := phone.Call(t.Context(), []Step{{Verb: Listen}, {Verb: HangUp}})
	if err != nil || summary.EndedBy != "caller" {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestCallThatIsRejected(t *testing.T) {
	var rejected *sip.RejectedError
	summary, err := phoneTo(t, busy{}, Config{}).Call(t.Context(), []Step{{Verb: Await}})
	if !errors.As(err, &rejected) || rejected.Status != 486 || summary != nil {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestPlatformThatHangsUpEarly(t *testing.T) {
	phone := phoneTo(t, &platform{t: t, keys: 1}, Config{})
	summary, err := phone.Call(t.Context(), []Step{{Verb: Press, Text: "9"}, {Verb: Listen}})
	if !errors.Is(err, ErrHungUp) || summary == nil || summary.EndedBy != "platform" {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestCallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	phone := phoneTo(t, &platform{t: t}, Config{Answered: cancel})
	summary, err := phone.Call(ctx, []Step{{Verb: Await}})
	if !errors.Is(err, context.Canceled) || summary == nil || summary.EndedBy != "caller" {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	phone := phoneTo(t, &platform{t: t, speaks: 200 * time.Millisecond}, Config{Quiet: 100 * time.Millisecond})
	script := []Step{{Verb: Listen}, {Verb: HangUp}}
	result := Load{Calls: 30, Concurrency: 10}.Run(t.Context(), phone, script)
	if result.Completed != 30 || result.Failed != 0 {
		t.Errorf("%+v", result)
	}
}
