package line

import (
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"mcp/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tone is a 440 Hz tone of an amplitude in dB relative to full scale.
func tone(d time.Duration, level float64) []int16 {
	pcm := make([]int16, int(d.Seconds()*Rate))
	amplitude := 32767 * math.Pow(10, level/20) * math.Sqrt2
	for i := range pcm {
		pcm[i] = int16(min(max(amplitude*math.Sin(2*math.Pi*440*float64(i)/Rate), -32768), 32767))
	}
	return pcm
}

func noise(d time.Duration, level float64) []int16 {
	r := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, int(d.Seconds()*Rate))
	for i := range pcm {
		pcm[i] = int16(r.NormFloat64() * 32767 * math.Pow(10, level/20))
	}
	return pcm
}

func silence(d time.Duration) []int16 { return make([]int16, int(d.Seconds()*Rate)) }

func mix(a, b []int16) []int16 {
	out := make([]int16, len(a))
	for i := range a {
		out[i] = a[i] + b[i%len(b)]
	}
	return out
}

func join(parts ...[]int16) []int16 {
	var all []int16
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

type at struct {
	moment Moment
	when   time.Duration
}

// moments runs audio through a detector, which has heard what came before, and a
// turn until the turn ends.
func moments(before, pcm []int16, t *Turn) []at {
	var d Detector
	for ; len(before) >= FrameSamples; before = before[FrameSamples:] {
		d.Measure(before[:FrameSamples])
	}
	var all []at
	for n := 0; (n+1)*FrameSamples <= len(pcm); n++ {
		frame := pcm[n*FrameSamples : (n+1)*FrameSamples]
		m := t.Feed(frame, d.Measure(frame))
		if m != Nothing {
			all = append(all, at{m, time.Duration(n+1) * Frame})
		}
		if m >= Finished {
			break
		}
	}
	return all
}

func TestTurns(t *testing.T) {
	const ms = time.Millisecond
	timeouts := Timeouts{NoInput: 3 * time.Second, Complete: 400 * ms, Incomplete: 900 * ms, MaxSpeech: 4 * time.Second}
	word := func() []int16 { return tone(400*ms, -20) }
	long := join(silence(time.Second), tone(500*ms, -20), silence(100*ms), tone(500*ms, -20), silence(100*ms), tone(500*ms, -20), silence(100*ms),
		tone(500*ms, -20), silence(100*ms), tone(500*ms, -20), silence(100*ms), tone(500*ms, -20), silence(100*ms), tone(500*ms, -20), silence(100*ms), tone(5*time.Second, -20))
	for _, row := range []struct {
		name   string
		before []int16
		pcm    []int16
		timing bool
		want   []at // each within 80 ms
	}{
		{"a word", nil, join(silence(time.Second), word(), silence(2*time.Second)), true,
			[]at{{Started, 1080 * ms}, {Paused, 1800 * ms}, {Finished, 2300 * ms}}},
		{"a word at once", nil, join(word(), silence(2*time.Second)), true,
			[]at{{Started, 80 * ms}, {Paused, 800 * ms}, {Finished, 1300 * ms}}},
		{"two words", nil, join(silence(time.Second), word(), silence(600*ms), word(), silence(2*time.Second)), true,
			[]at{{Started, 1080 * ms}, {Paused, 1800 * ms}, {Paused, 2800 * ms}, {Finished, 3300 * ms}}},
		{"a word in noise", noise(2*time.Second, -45), mix(join(silence(time.Second), word(), silence(2*time.Second)), noise(4*time.Second, -45)), true,
			[]at{{Started, 1080 * ms}, {Paused, 1800 * ms}, {Finished, 2300 * ms}}},
		{"nothing", nil, silence(5 * time.Second), true, []at{{NoInput, 3 * time.Second}}},
		{"steady noise", nil, join(silence(400*ms), noise(5*time.Second, -50)), true, []at{{NoInput, 3 * time.Second}}},
		{"clicks", nil, join(silence(500*ms), tone(15*ms, -10), silence(485*ms), tone(15*ms, -10), silence(4*time.Second)), true, []at{{NoInput, 3 * time.Second}}},
		{"timer not running", nil, silence(10 * time.Second), false, nil},
		{"too long", nil, long, true, []at{{Started, 1080 * ms}, {TooLong, 5080 * ms}}},
	} {
		got := moments(row.before, row.pcm, NewTurn(timeouts, row.timing, 0.5))
		if len(got) != len(row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
			continue
		}
		for i, want := range row.want {
			if got[i].moment != want.moment || (got[i].when-want.when).Abs() > 80*ms {
				t.Errorf("%s: %v, want %v", row.name, got, row.want)
			}
		}
	}
}

func TestSteadyNoiseIsLearnt(t *testing.T) {
	var d Detector
	pcm := noise(10*time.Second, -35)
	speech := 0
	for n := 0; (n+1)*FrameSamples <= len(pcm); n++ {
		if d.Measure(pcm[n*FrameSamples:(n+1)*FrameSamples]) > 12 {
			speech++
		}
	}
	if speech > warmUp {
		t.Errorf("%d frames of noise taken for speech", speech)
	}
}

func TestSensitivity(t *testing.T) {
	soft := join(noise(time.Second, -50), mix(tone(500*time.Millisecond, -42), noise(time.Second, -50)), noise(time.Second, -50))
	timeouts := Timeouts{NoInput: 2 * time.Second, Complete: time.Second, Incomplete: time.Second, MaxSpeech: time.Minute}
	if got := moments(nil, soft, NewTurn(timeouts, true, 0)); len(got) == 0 || got[0].moment != NoInput {
		t.Errorf("insensitive: %v", got)
	}
	if got := moments(nil, soft, NewTurn(timeouts, true, 1)); len(got) == 0 || got[0].moment != Started {
		t.Errorf("sensitive: %v", got)
	}
}

func TestStartTimer(t *testing.T) {
	turn := NewTurn(Timeouts{NoInput: 100 * time.Millisecond, Complete: time.Second, Incomplete: time.Second, MaxSpeech: time.Second}, false, 0.5)
	frame := make([]int16, FrameSamples)
	for range 100 {
		if m := turn.Feed(frame, 0); m != Nothing {
			t.Fatalf("moment %v before the timer was started", m)
		}
	}
	turn.StartTimer()
	fed := 0
	for m := Nothing; m == Nothing && fed < 50; fed++ {
		m = turn.Feed(frame, 0)
	}
	if fed != 5 {
		t.Errorf("no-input after %d frames", fed)
	}
}

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return far
}

func readPacket(t *testing.T, far *net.UDPConn, wait time.Duration) (*rtp.Packet, bool) {
	t.Helper()
	buffer := make([]byte, 1500)
	if err := far.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	n, err := far.Read(buffer)
	if err != nil {
		return nil, false
	}
	packet := &rtp.Packet{}
	if err := packet.Unmarshal(buffer[:n]); err != nil {
		t.Fatal(err)
	}
	return packet, true
}

func TestPortSpeaksInStreams(t *testing.T) {
	far := listen(t)
	pcmu := speech.Codec{PayloadType: 0, Name: "PCMU", ClockRate: 8000}
	port, err := Open(netip.MustParseAddr("127.0.0.1"), far.LocalAddr().(*net.UDPAddr).AddrPort(), pcmu, func([]int16) {})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	var last *rtp.Packet
	for round := range 3 {
		done := make(chan struct{})
		begun := time.Now()
		port.Play(tone(210*time.Millisecond, -20), func() { close(done) })
		for n := range 11 {
			packet, ok := readPacket(t, far, 5*time.Second)
			if !ok {
				t.Fatal("no packet")
			}
			// A clip that follows on the heels of another is no new talkspurt.
			joined := last != nil && packet.Timestamp-last.Timestamp == FrameSamples
			if packet.PayloadType != 0 || len(packet.Payload) != FrameSamples || packet.Marker != (n == 0 && !joined) && !(packet.Marker && n == 0) {
				t.Errorf("round %d, packet %d: %+v", round, n, packet.Header)
			}
			if last != nil {
				step := packet.Timestamp - last.Timestamp
				if packet.SSRC != last.SSRC || packet.SequenceNumber != last.SequenceNumber+1 ||
					n > 0 && step != FrameSamples || n == 0 && (step < FrameSamples || step%FrameSamples != 0) {
					t.Errorf("round %d, packet %d: %+v after %+v", round, n, packet.Header, last.Header)
				}
			}
			last = packet
		}
		<-done
		if took := time.Since(begun); took < 10*Frame {
			t.Errorf("finished after %v", took)
		}
	}
	if sent, _ := port.Packets(); sent != 33 {
		t.Errorf("%d packets", sent)
	}
}

func TestPortStopsAtOnce(t *testing.T) {
	far := listen(t)
	pcma := speech.Codec{PayloadType: 8, Name: "PCMA", ClockRate: 8000}
	port, err := Open(netip.MustParseAddr("127.0.0.1"), far.LocalAddr().(*net.UDPAddr).AddrPort(), pcma, func([]int16) {})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	port.Play(tone(time.Minute, -20), func() { t.Error("finished although stopped") })
	for range 3 {
		if _, ok := readPacket(t, far, 5*time.Second); !ok {
			t.Fatal("no packet")
		}
	}
	port.Pause()
	before, _ := port.Packets()
	drain(t, far)
	if after, _ := port.Packets(); after != before {
		t.Errorf("%d packets while paused", after-before)
	}
	port.Resume()
	if packet, ok := readPacket(t, far, 5*time.Second); !ok || !packet.Marker {
		t.Errorf("resumed with %+v", packet)
	}
	port.Stop()
	before, _ = port.Packets()
	drain(t, far)
	if after, _ := port.Packets(); after != before {
		t.Errorf("%d packets after the stop", after-before)
	}
}

// drain reads until nothing has come for several frames.
func drain(t *testing.T, far *net.UDPConn) {
	t.Helper()
	for {
		if _, more := readPacket(t, far, 5*Frame); !more {
			return
		}
	}
}

func TestPortHears(t *testing.T) {
	far := listen(t)
	for _, codec := range []speech.Codec{{PayloadType: 0, Name: "PCMU", ClockRate: 8000}, {PayloadType: 8, Name: "PCMA", ClockRate: 8000}} {
		heard := make(chan []int16, 10)
		port, err := Open(netip.MustParseAddr("127.0.0.1"), far.LocalAddr().(*net.UDPAddr).AddrPort(), codec, func(pcm []int16) { heard <- pcm })
		if err != nil {
			t.Fatal(err)
		}
		said := tone(Frame, -10)
		for _, p := range []rtp.Packet{
			{Header: rtp.Header{Version: 2, PayloadType: codec.PayloadType, SequenceNumber: 65535, SSRC: 1}, Payload: encode(codec, said)},
			{Header: rtp.Header{Version: 2, PayloadType: codec.PayloadType, SequenceNumber: 65535, SSRC: 1}, Payload: encode(codec, said)},
			{Header: rtp.Header{Version: 2, PayloadType: 101, SequenceNumber: 0, SSRC: 1}, Payload: []byte{1, 0, 0, 160}},
			{Header: rtp.Header{Version: 2, PayloadType: codec.PayloadType, SequenceNumber: 1, SSRC: 1}, Payload: encode(codec, said)},
			{Header: rtp.Header{Version: 2, PayloadType: codec.PayloadType, SequenceNumber: 9, SSRC: 2}, Payload: encode(codec, said)},
		} {
			raw, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := far.WriteToUDPAddrPort(raw, port.Local()); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			pcm := <-heard
			if len(pcm) != len(said) || math.Abs(Level(pcm)-Level(said)) > 0.5 {
				t.Errorf("%s: heard %d samples at %.1f dB", codec.Name, len(pcm), Level(pcm))
			}
		}
		port.Close()
		port.Close()
		if len(heard) != 0 {
			t.Errorf("%s: heard %d packets too many", codec.Name, len(heard))
		}
	}
}
