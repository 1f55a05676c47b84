package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mcp/cmd/mcplab/caller"
	"mcp/control/media/measure"
)

// TestConferenceOfTwoIsRelayedInTheKernel has two talk, and a third with them for a
// while, on the XDP plane.
func TestConferenceOfTwoIsRelayedInTheKernel(t *testing.T) {
	t.Parallel()
	passOnKernel(t, "^TestConferenceGoesToThePlaneAndBack$", "TestConferenceGoesToThePlaneAndBack")
}

// TestConferenceGoesToThePlaneAndBack lets two who are in a conference be relayed, mixed
// while a third is there, and relayed again. Each hears the other's tone all the while,
// as one stream: no other SSRC, no step back, no gap and no click. A machine that stands
// still makes gaps of its own: what counts are tries in which packets came in time.
func TestConferenceGoesToThePlaneAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.speechless = true
	r.pages.tunes()
	const tries, wrong = 5, 3
	var faults []string
	for range tries {
		found, calm := r.conferToAndFro(t)
		if len(found) == 0 {
			faults = nil
			break
		}
		if calm {
			faults = append(faults, found)
		}
	}
	if len(faults) >= wrong {
		t.Error(strings.Join(faults, "; "))
	}
	for n := range 2 {
		for _, leg := range r.record(n + 1).Media {
			if sent := leg.Sent; r.cfg.Media.Plane != "socket" && (sent.Relayed < 40 || sent.Relayed+20 > sent.Packets) {
				t.Errorf("leg %s: %d of %d packets sent were relayed", leg.Name, sent.Relayed, sent.Packets)
			}
		}
	}
}

// conferToAndFro holds such a conference, and tells what was wrong with what was heard and
// whether the machine was calm meanwhile.
func (r *rig) conferToAndFro(t *testing.T) (faults string, calm bool) {
	t.Helper()
	s := r.steer(t)
	a, b := r.participate(t, "say hum 400 60s"), r.participate(t, "say hum 700 60s")
	third, other := r.participate(t, "await"), r.participate(t, "await")
	s.ask(`<createconference name="c"/>`)
	// A while is what some audio takes to somebody who is not there.
	tune := `<audio uri="` + r.pages.server.URL + `/1000/300ms"/>`
	carried := func(how, change string) {
		t.Helper()
		if result := s.ask(change); result.Response != 200 {
			t.Fatalf("%s: %+v", change, result)
		}
		await(t, "the conference to be "+how, func() bool { return r.metric(`mcp_conferences{carried="`+how+`"}`) == "1" })
		s.ask(`<dialogstart target="` + other.id + `" name="while"><play>` + tune + tune + `</play></dialogstart>`)
		if exit := s.event("msml.dialog.exit", other.id+"/dialog:while"); len(exit.Names) > 0 {
			t.Fatalf("%+v", exit)
		}
	}
	carried("relayed", `<join id1="`+a.id+`" id2="conf:c"/><join id1="`+b.id+`" id2="conf:c"/>`)
	carried("mixed", `<join id1="`+third.id+`" id2="conf:c"/>`)
	carried("relayed", `<unjoin id1="`+third.id+`" id2="conf:c"/>`)
	before := len(r.records())
	for i, p := range []*participant{a, b, third, other} {
		s.ask(`<dialogstart target="` + p.id + `"><disconnect/></dialogstart>`)
		<-p.done
		if p.summary == nil {
			t.Fatal(p.err)
		}
		r.record(before + i + 1) // before the next: their order is known
	}
	s.hangUp()
	calm = max(a.summary.Received.LongestGapMS, b.summary.Received.LongestGapMS) <= 40
	return unheard(t, "a", a.summary, 700) + unheard(t, "b", b.summary, 400), calm
}

// unheard holds what a telephone heard to one stream, and tells what is missing of a
// tone in it. On the loopback interface what the kernel has stamped is sent by userspace,
// and may be overtaken.
func unheard(t *testing.T, who string, s *caller.Summary, hz float64) (faults string) {
	t.Helper()
	if c := s.Received; len(c.SSRCs) != 1 || c.Lost+c.Duplicates+c.Backwards+c.Strays+c.OtherPayload > 0 {
		t.Fatalf("%s: %+v", who, c)
	}
	all := caller.Tones(s.Audio.Heard, []float64{hz}, time.Second, 60*time.Millisecond)
	if len(all) != 1 || all[0].Duration < 1500*time.Millisecond {
		t.Fatalf("%s heard %+v", who, all)
	}
	const rate, margin = 8000, 400
	from := int(all[0].Start * rate / time.Second)
	pcm := s.Audio.Heard[from+margin : from+int(all[0].Duration*rate/time.Second)-margin]
	if gaps := measure.Gaps(pcm, rate, -30, 4*time.Millisecond); len(gaps) > 0 {
		faults += fmt.Sprintf("%s heard gaps: %v ", who, gaps)
	}
	if n := measure.Clicks(pcm); n > 0 {
		faults += fmt.Sprintf("%s heard %d clicks ", who, n)
	}
	return faults
}
