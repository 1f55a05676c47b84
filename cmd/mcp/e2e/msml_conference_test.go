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
