package e2e

import (
	"slices"
	"testing"
)

// TestMSMLConference mixes three, steers one, and plays to all.
func TestMSMLConference(t *testing.T) {
	r := newRig(t, nil)
	r.pages.tunes()
	s := r.steer(t)
	if result := s.ask(`<createconference name="example" mark="1"><audiomix><n-loudest n="3"/></audiomix></createconference>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	a, b := r.participate(t, "wait 500ms; say hum 400 500ms; wait 1500ms"), r.participate(t, "wait 10s")
	result := s.ask(`<join id1="` + a.id + `" id2="conf:example"/><join id1="` + b.id + `" id2="conf:example"><stream media="audio" dir="to-id1"/></join>`)
	if result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	a.end()
	if result := s.ask(`<dialogstart target="conf:example" name="tone"><play><audio uri="` + r.pages.server.URL + `/1000/300ms"/></play></dialogstart>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	s.event("msml.dialog.exit", "conf:example/dialog:tone")
	if got := b.end(); !slices.Equal(got, []float64{400, 1000}) {
		t.Errorf("b heard %v", got)
	}
	s.event("msml.conf.nomedia", "conf:example")
}

func TestMSMLJoinsTwoConnections(t *testing.T) {
	r := newRig(t, nil)
	s := r.steer(t)
	a, b := r.participate(t, "wait 300ms; say hum 400 400ms; wait 1s"), r.participate(t, "wait 300ms; say hum 700 400ms; wait 1s")
	if result := s.ask(`<join id1="` + a.id + `" id2="` + b.id + `"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	if got := a.end(); !slices.Equal(got, []float64{700}) {
		t.Errorf("a heard %v", got)
	}
	if got := b.end(); !slices.Equal(got, []float64{400}) {
		t.Errorf("b heard %v", got)
	}
}

// Active speakers (RFC 5707 section 8.7.1.2) are told as often and from the level that the
// client says; the mix keeps the sample rate that it began with.
func TestMSMLActiveSpeakers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	s := r.steer(t)
	if result := s.ask(`<createconference name="loud"><audiomix samplerate="16000"><asn ri="100ms" asth="-60"/></audiomix></createconference>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	p := r.participate(t, "hear; say hum 400 600ms; hear; say hum 400 600ms; await")
	if result := s.ask(`<join id1="` + p.id + `" id2="conf:loud"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	beep := func() {
		s.ask(`<dialogstart target="` + p.id + `"><tonegen><tone duration="100ms"><tone1 freq="1000" atten="-10"/></tone></tonegen></dialogstart>`)
	}
	beep()
	if e := s.event("msml.conf.asn", "conf:loud"); e.value("speaker") != p.id {
		t.Errorf("%+v", e)
	}
	if result := s.ask(`<modifyconference id="conf:loud"><audiomix samplerate="8000"/></modifyconference>`); result.Response != 407 {
		t.Errorf("another sample rate: %+v", result)
	}
	if result := s.ask(`<modifyconference id="conf:loud"><audiomix samplerate="16000"><asn ri="100ms" asth="0"/></audiomix></modifyconference>`); result.Response != 200 {
		t.Errorf("%+v", result)
	}
	for len(s.event("msml.conf.asn", "conf:loud").Names) > 0 { // until the word is over
	}
	beep()
	if e := s.event("msml.conf.asn", "conf:loud"); len(e.Names) > 0 {
		t.Errorf("nobody is so loud: %+v", e)
	}
	s.event("msml.conf.asn", "conf:loud") // the word is over
	s.dismiss(p)
}
