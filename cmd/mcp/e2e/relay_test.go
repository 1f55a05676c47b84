package e2e

import (
	"fmt"
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
// still makes gaps of its own: of three tries one must be without.
func TestConferenceGoesToThePlaneAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.pages.tunes()
	var faults []string
	for range 3 {
		if faults = r.conferToAndFro(t); len(faults) == 0 {
			break
		}
	}
	if len(faults) > 0 {
		t.Error(faults)
	}
	for n := range 2 {
		for _, leg := range r.record(n + 1).Media {
			if sent := leg.Sent; r.cfg.Media.Plane != "socket" && (sent.Relayed < 40 || sent.Relayed+20 > sent.Packets) {
				t.Errorf("leg %s: %d of %d packets sent were relayed", leg.Name, sent.Relayed, sent.Packets)
			}
		}
	}
	await(t, "the calls to end", func() bool { return r.metric("mcp_media_legs") == "0" })
}

// conferToAndFro holds such a conference, and tells what was wrong with what was heard.
func (r *rig) conferToAndFro(t *testing.T) []string {
	t.Helper()
	s := r.steer(t)
	a, b := r.participate(t, "say hum 400 60s"), r.participate(t, "say hum 700 60s")
	third, other := r.participate(t, "await"), r.participate(t, "await")
	s.ask(`<createconference name="c"/>`)
	// A while is what half a second of audio takes to somebody who is not there.
	carried := func(how, change string) {
		t.Helper()
		if result := s.ask(change); result.Response != 200 {
			t.Fatalf("%s: %+v", change, result)
		}
		await(t, "the conference to be "+how, func() bool { return r.metric(`mcp_conferences{carried="`+how+`"}`) == "1" })
		s.ask(`<dialogstart target="` + other.id + `" name="while"><play><audio uri="` + r.pages.server.URL + `/1000/500ms"/></play></dialogstart>`)
		if exit := s.event("msml.dialog.exit", other.id+"/dialog:while"); len(exit.Names) > 0 {
			t.Fatalf("%+v", exit)
		}
	}
	carried("relayed", `<join id1="`+a.id+`" id2="conf:c"/><join id1="`+b.id+`" id2="conf:c"/>`)
	carried("mixed", `<join id1="`+third.id+`" id2="conf:c"/>`)
	carried("relayed", `<unjoin id1="`+third.id+`" id2="conf:c"/>`)
	for _, p := range []*participant{a, b, third, other} {
		s.ask(`<dialogstart target="` + p.id + `"><disconnect/></dialogstart>`)
		<-p.done
	}
	s.hangUp()
	return append(unheard(t, "a", a.summary, 700), unheard(t, "b", b.summary, 400)...)
}

// unheard holds what a telephone heard to one stream, and tells what is missing of a
// tone in it.
func unheard(t *testing.T, who string, s *caller.Summary, hz float64) (faults []string) {
	t.Helper()
	if s == nil || len(s.Faults) > 0 {
		t.Fatalf("%s: %+v", who, s)
	}
	all := caller.Tones(s.Audio.Heard, []float64{hz}, time.Second, 60*time.Millisecond)
	if len(all) != 1 || all[0].Duration < 1500*time.Millisecond {
		t.Fatalf("%s heard %+v", who, all)
	}
	const rate, margin = 8000, 400
	from := int(all[0].Start * rate / time.Second)
	pcm := s.Audio.Heard[from+margin : from+int(all[0].Duration*rate/time.Second)-margin]
	if gaps := measure.Gaps(pcm, rate, -30, 4*time.Millisecond); len(gaps) > 0 {
		faults = append(faults, fmt.Sprintf("%s heard gaps: %v", who, gaps))
	}
	if n := measure.Clicks(pcm); n > 0 {
		faults = append(faults, fmt.Sprintf("%s heard %d clicks", who, n))
	}
	return faults
}
