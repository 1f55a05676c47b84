package conference

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/measure"
	"mcp/control/media/mediatest"
	"mcp/control/media/tone"
)

const frame = clock.Frame

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hall is a conference whose clock the test turns, and who is in it.
type hall struct {
	testing.TB
	plane  *mediatest.Plane
	engine *media.Engine
	bridge *Bridge
	*Conference
	guests []*guest
}

// guest is a call of its own in a conference, whose far end says a tone.
type guest struct {
	*mediatest.Far
	session *media.Session
	leg     *media.Leg
	codec   codec.Codec
	hz      float64
	said    int // samples
}

func newHall(t testing.TB, o Options) *hall {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	h := &hall{TB: t, plane: mediatest.NewPlane(), bridge: NewBridge(new(clock.Clock), log)}
	var err error
	h.engine, err = media.NewEngine(media.Config{}, h.plane, log)
	h.must(err)
	h.Conference, err = h.bridge.Open("room", o)
	h.must(err)
	t.Cleanup(func() {
		h.must(h.bridge.Close())
		for _, g := range h.guests {
			g.session.Close()
		}
		h.must(h.engine.Close())
	})
	return h
}

func (h *hall) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// call makes a guest; zero Hz is one who says nothing.
func (h *hall) call(c codec.Codec, ptime time.Duration, hz float64) *guest {
	h.Helper()
	s := h.engine.NewSession(fmt.Sprintf("call-%d", len(h.guests)))
	leg, err := s.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	h.must(err)
	far, err := h.plane.Connect(leg, c, ptime)
	h.must(err)
	g := &guest{Far: far, session: s, leg: leg, codec: c, hz: hz}
	h.guests = append(h.guests, g)
	return g
}

// enter makes a call and has it join under its number.
func (h *hall) enter(c codec.Codec, hz float64, set Member) *guest {
	h.Helper()
	g := h.call(c, frame, hz)
	set.ID = fmt.Sprint(len(h.guests) - 1)
	h.must(h.Join(g.leg, set))
	return g
}

// turn lets so many frames pass.
func (h *hall) turn(frames int) {
	h.Helper()
	for range frames {
		for _, g := range h.guests {
			h.must(g.say())
		}
		h.Tick()
	}
}

func (g *guest) say() error {
	rate := g.codec.SampleRate()
	pcm := make([]int16, rate/50)
	for i := range pcm {
		pcm[i] = int16(4000 * math.Sin(2*math.Pi*g.hz*float64(g.said)/float64(rate)))
		g.said++
	}
	return g.Say(pcm)
}

// silent is the level of a tone, in dBm0, at which nobody says it: what Opus makes of a
// dozen tones at once leaves as much of noise at any frequency.
const silent = -37

// hears holds what the latest half second sounds like to a guest to the tones
// that it should hold, of all those that are said.
func (h *hall) hears(g *guest, hz ...float64) {
	h.Helper()
	pcm, err := g.Heard(0)
	h.must(err)
	rate := g.codec.SampleRate()
	pcm = pcm[max(0, len(pcm)-rate/2):]
	for _, o := range h.guests {
		level := measure.Tone(pcm, rate, o.hz)
		wanted := slices.Contains(hz, o.hz)
		if wanted && math.Abs(level+15.3) > 2.5 || !wanted && level > silent {
			h.Errorf("who says %g Hz hears %g Hz at %.1f dBm0, wanted %t", g.hz, o.hz, level, wanted)
		}
	}
}

func TestThreeHearEachOther(t *testing.T) {
	h := newHall(t, Options{})
	a, b, c := h.enter(codec.PCMU, 440, Member{}), h.enter(codec.PCMA, 700, Member{}), h.enter(codec.PCMU, 1100, Member{})
	h.turn(75)
	h.hears(a, 700, 1100)
	h.hears(b, 440, 1100)
	h.hears(c, 440, 700)
	for _, g := range h.guests {
		if at := g.Broken(); at != 0 {
			t.Errorf("%g Hz: the stream breaks at packet %d", g.hz, at)
		}
		pcm, _ := g.Heard(25)
		if n := measure.Clicks(pcm); n != 0 {
			t.Errorf("%g Hz hears %d clicks", g.hz, n)
		}
	}
}

func TestMixedCodecsAndPacketLengths(t *testing.T) {
	for _, wide := range []bool{false, true} {
		h := newHall(t, Options{Wideband: wide})
		var all []float64
		for i, c := range []codec.Codec{codec.PCMU, codec.G722, codec.Opus, codec.L16} {
			for _, ptime := range []time.Duration{frame, 2 * frame, frame / 2} {
				g := h.call(c, ptime, float64(300+100*len(all)))
				h.must(h.Join(g.leg, Member{ID: fmt.Sprint(i, ptime)}))
				all = append(all, g.hz)
			}
		}
		h.turn(100)
		for _, g := range h.guests {
			h.hears(g, slices.DeleteFunc(slices.Clone(all), func(hz float64) bool { return hz == g.hz })...)
			if at := g.Broken(); at != 0 {
				t.Errorf("%g Hz: the stream breaks at packet %d", g.hz, at)
			}
		}
	}
}

func TestWaysToTakePart(t *testing.T) {
	h := newHall(t, Options{})
	agent, customer, coach := h.enter(codec.PCMU, 440, Member{}), h.enter(codec.PCMU, 700, Member{}), h.enter(codec.PCMU, 1100, Member{HeardBy: []string{"0"}})
	h.turn(75)
	h.hears(agent, 700, 1100)
	h.hears(customer, 440)
	h.hears(coach, 440, 700)
	h.must(h.Set(Member{ID: "0", Mute: true}))
	h.must(h.Set(Member{ID: "1", Deaf: true}))
	h.must(h.Set(Member{ID: "2"}))
	h.turn(75)
	h.hears(agent, 700, 1100)
	h.hears(customer)
	h.hears(coach, 700)
	if m, err := h.Member("1"); err != nil || !m.Deaf {
		t.Errorf("%+v, %v", m, err)
	}
	h.must(h.Leave("2"))
	h.turn(75)
	h.hears(agent, 700)
}

// tape is a sink that keeps what it hears.
type tape struct{ pcm []int16 }

func (r *tape) Frame(pcm []int16) { r.pcm = append(r.pcm, pcm...) }

func TestTheMixIsListenedTo(t *testing.T) {
	h := newHall(t, Options{})
	h.enter(codec.PCMU, 440, Member{})
	h.enter(codec.PCMU, 700, Member{})
	r := &tape{}
	stop, err := h.Listen(r)
	h.must(err)
	h.turn(75)
	stop()
	h.turn(5)
	if len(r.pcm) != 75*160 {
		t.Fatalf("%d samples", len(r.pcm))
	}
	for _, hz := range []float64{440, 700} {
		if l := measure.Tone(r.pcm[8000:], 8000, hz); math.Abs(l+15.3) > 1 {
			t.Errorf("%g Hz is at %.1f dBm0", hz, l)
		}
	}
}

func TestSounds(t *testing.T) {
	beep := &Audio{PCM: tone.PCM(16000, tone.Part{Hz: []float64{1900}, Level: -15.3, For: time.Second}), Rate: 16000}
	h := newHall(t, Options{Joined: beep})
	a := h.enter(codec.PCMU, 440, Member{})
	h.turn(60)
	b := h.enter(codec.PCMU, 700, Member{})
	h.call(codec.PCMU, frame, 1900) // lends its frequency to hears
	h.turn(45)
	h.hears(a, 700, 1900)
	h.turn(60)
	h.hears(a, 700)
	s, err := h.Play(Audio{PCM: beep.PCM, Rate: 16000, To: "1"})
	h.must(err)
	h.turn(45)
	h.hears(a, 700)
	h.hears(b, 440, 1900)
	h.turn(20)
	<-s.Done()
	s, err = h.Play(*beep)
	h.must(err)
	s.Stop()
	<-s.Done()
	if _, err := h.Play(Audio{To: "nobody"}); !errors.Is(err, ErrMember) {
		t.Errorf("%v", err)
	}
}

// coming is a supply that a test hands over piece by piece.
type coming struct {
	pieces chan []int16
	quit   chan struct{}
	err    error // in the end, instead of an end
}

func newComing(err error) *coming {
	return &coming{pieces: make(chan []int16), quit: make(chan struct{}), err: err}
}

func (s *coming) Next() ([]int16, error) {
	select {
	case pcm, more := <-s.pieces:
		if more {
			return pcm, nil
		}
		return nil, s.err
	case <-s.quit:
		return nil, fs.ErrClosed
	}
}

func (s *coming) Close() error {
	close(s.quit)
	return nil
}

// taken waits until all has been taken that was handed over so far.
func (s *coming) taken(sound *Sound, samples int) {
	for have := 0; have < samples; time.Sleep(time.Millisecond) {
		sound.conference.mu.Lock()
		have = sound.heard + len(sound.rest)
		sound.conference.mu.Unlock()
	}
}

// A supply is heard while it comes, and what is late is heard later.
func TestSuppliesAreHeardAsTheyCome(t *testing.T) {
	late := errors.New("it stands still")
	for _, tt := range []struct {
		name string
		end  error
		want error
	}{
		{"to its end", io.EOF, nil},
		{"broken off", late, late},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHall(t, Options{})
			a := h.enter(codec.PCMU, 440, Member{})
			h.call(codec.PCMU, frame, 1900) // lends its frequency to hears
			half := tone.PCM(8000, tone.Part{Hz: []float64{1900}, Level: -15.3, For: 600 * time.Millisecond})
			from := newComing(tt.end)
			s, err := h.PlaySupply(from)
			h.must(err)
			from.pieces <- half
			from.taken(s, len(half)-200)
			h.turn(28)
			h.hears(a, 1900)
			h.turn(60)
			h.hears(a)
			from.pieces <- half
			from.taken(s, 2*len(half)-200)
			h.turn(28)
			h.hears(a, 1900)
			close(from.pieces)
			from.taken(s, 2*len(half))
			for ended := false; !ended; {
				h.turn(1)
				select {
				case <-s.Done():
					ended = true
				default:
				}
			}
			if got := s.Err(); got != tt.want || s.Position() != 1200*time.Millisecond {
				t.Errorf("%v after %v", got, s.Position())
			}
			<-from.quit
		})
	}
}

// One that is stopped, or whose conference is over, is closed though nothing comes.
func TestSuppliesAreGivenUp(t *testing.T) {
	h := newHall(t, Options{})
	stopped, left := newComing(io.EOF), newComing(io.EOF)
	s, err := h.PlaySupply(stopped)
	h.must(err)
	s.Stop()
	<-stopped.quit
	h.must(s.Err())
	_, err = h.PlaySupply(left)
	h.must(err)
	h.must(h.Close())
	<-left.quit
	refused := newComing(io.EOF)
	if _, err := h.PlaySupply(refused); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	<-refused.quit
}

func TestTalkersAreTold(t *testing.T) {
	var told []Talk
	h := newHall(t, Options{Notify: func(k Talk) { told = append(told, k) }})
	a := h.enter(codec.PCMU, 440, Member{})
	h.enter(codec.PCMU, 0, Member{})
	h.turn(25)
	if k := h.Talkers(); len(k) != 1 || k[0].Member != "0" || math.Abs(k[0].Level+18.3) > 1 {
		t.Errorf("talkers are %+v", k)
	}
	a.hz = 0
	h.turn(50)
	if len(told) != 2 || !told[0].Talks || told[1].Talks || told[1].Member != "0" || len(h.Talkers()) != 0 {
		t.Errorf("told %+v", told)
	}
}

func TestLossIsConcealedInTheMix(t *testing.T) {
	h := newHall(t, Options{})
	a, b := h.enter(codec.PCMU, 0, Member{}), h.enter(codec.PCMA, 440, Member{})
	for n := range 150 {
		if n%15 == 14 {
			b.Lose(160)
			b.said += 160
		} else {
			h.must(b.say())
		}
		h.must(a.say())
		h.Tick()
	}
	pcm, err := a.Heard(50)
	h.must(err)
	if g := measure.Gaps(pcm, 8000, -40, 10*time.Millisecond); len(g) != 0 {
		t.Errorf("gaps %v", g)
	}
	if l := measure.Tone(pcm, 8000, 440); l < -18 {
		t.Errorf("the tone is at %.1f dBm0", l)
	}
}

func TestMembersAreChecked(t *testing.T) {
	h := newHall(t, Options{Max: 2})
	a := h.enter(codec.PCMU, 440, Member{})
	if err := h.Join(a.leg, Member{ID: "0"}); !errors.Is(err, ErrIsThere) {
		t.Errorf("twice: %v", err)
	}
	if err := h.Join(a.leg, Member{ID: "again"}); !errors.Is(err, media.ErrFed) {
		t.Errorf("one leg twice: %v", err)
	}
	h.enter(codec.PCMU, 700, Member{})
	if err := h.Join(h.call(codec.PCMU, frame, 1).leg, Member{ID: "third"}); !errors.Is(err, ErrFull) {
		t.Errorf("a third: %v", err)
	}
	if err := errors.Join(h.Set(Member{ID: "x"}), h.Leave("y")); !errors.Is(err, ErrMember) {
		t.Errorf("%v", err)
	}
	if got := h.Members(); !slices.Equal(got, []string{"0", "1"}) {
		t.Errorf("members %v", got)
	}
	if _, err := h.bridge.Open("room", Options{}); !errors.Is(err, ErrExists) {
		t.Errorf("%v", err)
	}
	h.must(h.Close())
	if err := h.Join(a.leg, Member{ID: "late"}); !errors.Is(err, ErrClosed) || h.bridge.Find("room") != nil {
		t.Errorf("joined a closed conference: %v", err)
	}
}

// A call that ends without leaving takes nobody with it.
func TestACallEndsInAConference(t *testing.T) {
	h := newHall(t, Options{})
	a, b := h.enter(codec.PCMU, 440, Member{}), h.enter(codec.PCMU, 700, Member{})
	h.enter(codec.PCMU, 1100, Member{})
	h.turn(10)
	b.session.Close()
	h.turn(75)
	h.hears(a, 1100)
	h.must(h.Leave("1"))
}

func TestTheClockPacesIt(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	plane := mediatest.NewPlane()
	engine, err := media.NewEngine(media.Config{}, plane, log)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	paced := clock.New()
	defer paced.Close()
	bridge := NewBridge(paced, log)
	defer bridge.Close()
	c, err := bridge.Open("room", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := engine.NewSession("call")
	defer s.Close()
	leg, err := s.OpenLeg("caller", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	far, err := plane.Connect(leg, codec.PCMU, frame)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := c.Join(leg, Member{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for len(far.Packets()) < 25 {
		time.Sleep(time.Millisecond)
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%d packets", len(far.Packets()))
		}
	}
	if took := time.Since(begun); took < 380*time.Millisecond {
		t.Errorf("25 frames in %s", took)
	}
}

func TestFrameDoesNotAllocate(t *testing.T) {
	h := newHall(t, Options{})
	for i := range 4 {
		h.enter(codec.PCMU, float64(300+i*100), Member{})
	}
	h.turn(60)
	for _, m := range h.members {
		h.must(m.outlet.Close()) // the plane of the test keeps what is sent
	}
	if n := testing.AllocsPerRun(50, h.Tick); n != 0 {
		t.Errorf("%g allocations a frame", n)
	}
}

func TestMetrics(t *testing.T) {
	h := newHall(t, Options{})
	h.enter(codec.PCMU, 440, Member{})
	h.enter(codec.PCMU, 700, Member{})
	const want = `
# HELP mcp_conferences Conferences that are open, by how they are carried.
# TYPE mcp_conferences gauge
mcp_conferences{carried="mixed"} 0
mcp_conferences{carried="relayed"} 1
# HELP mcp_conference_members Members of conferences, by how those are carried.
# TYPE mcp_conference_members gauge
mcp_conference_members{carried="mixed"} 0
mcp_conference_members{carried="relayed"} 2
`
	h.must(testutil.CollectAndCompare(h.bridge, strings.NewReader(want), "mcp_conferences", "mcp_conference_members"))
}

// Who has agreed to it is sent comfort noise while nobody speaks, and speech again at
// once; who has not goes on hearing every frame.
func TestSilenceIsSentAsComfortNoise(t *testing.T) {
	h := newHall(t, Options{})
	h.engine.Close()
	var err error
	h.engine, err = media.NewEngine(media.Config{Suppress: true}, h.plane, slog.New(slog.DiscardHandler))
	h.must(err)
	speaks := h.enter(codec.PCMU, 500, Member{})
	hears, other := h.enter(codec.PCMU, 0, Member{}), h.enter(codec.PCMA, 0, Member{})
	h.must(hears.Noise(hears.leg))
	h.turn(50)
	for range 100 {
		h.Tick()
	}
	quiet := hears.Packets()
	h.turn(50)
	all := hears.Packets()
	if n := len(other.Packets()); n != 200 {
		t.Errorf("who takes no comfort noise was sent %d packets in 200 frames", n)
	}
	var told []mediatest.Packet
	for i, p := range all {
		if p.Type == 13 {
			told = append(told, p)
			if p.Marker || p.Payload[0] < 50 {
				t.Errorf("packet %d of comfort noise is %+v", i, p)
			}
		}
	}
	if len(told) != 2 || len(quiet) > 80 {
		t.Errorf("%d packets, %d of them of comfort noise, in 150 frames of which 50 were spoken", len(quiet), len(told))
	}
	if after := all[len(quiet)]; len(all) < len(quiet)+45 || hears.Broken() != 0 {
		t.Errorf("the stream goes on with %+v and breaks at %d", after, hears.Broken())
	}
	h.hears(hears, speaks.hz)
}
