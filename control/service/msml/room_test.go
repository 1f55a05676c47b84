package msml

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media/conference"
	"mcp/control/service/msml/doc"
)

// However many speak, the client is told no more often than it wants.
func TestActiveSpeakersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFloor(t)
		o := f.conference("c", &room{watched: true, speakers: make(chan conference.Talk, 4)})
		f.service.hub.watching.Go(o.watch)
		told := func(when string, want int) {
			t.Helper()
			synctest.Wait()
			if got := f.told(); len(got) != want || want > 0 && got[0] != "msml.conf.asn conf:c" {
				t.Errorf("%s: %q", when, got)
			}
		}
		speak := func() {
			for range 10 { // more than are kept
				o.room.notify(conference.Talk{Member: "conn:a"})
			}
			synctest.Wait()
		}
		speak()
		told("nobody has asked", 0)
		f.must(o.room.modify(element(t, `<modifyconference id="conf:c"><audiomix id="m"><asn ri="2s"/></audiomix></modifyconference>`)))
		speak()
		told("at first", 1)
		speak()
		time.Sleep(1999 * time.Millisecond)
		told("before its time", 0)
		time.Sleep(time.Millisecond)
		told("in time", 1)
		time.Sleep(time.Minute)
		told("of silence", 0)
		speak()
		told("after silence", 1)
	})
}

// What a conference began with, it keeps, and says so.
func TestModifiedMix(t *testing.T) {
	for _, tt := range []struct {
		name, mix string
		watched   bool
		want      int
	}{
		{name: "no mix", want: doc.OK},
		{name: "fewer speakers", mix: `<audiomix id="m"><n-loudest n="2"/></audiomix>`, want: doc.OK},
		{name: "the same rate", mix: `<audiomix id="m" samplerate="8000"/>`, want: doc.OK},
		{name: "another rate", mix: `<audiomix id="m" samplerate="16000"/>`, want: doc.UnsupportedAttribute},
		{name: "speakers", mix: `<audiomix id="m"><asn ri="1s"/></audiomix>`, watched: true, want: doc.OK},
		{name: "speakers, whom nobody watches", mix: `<audiomix id="m"><asn ri="1s"/></audiomix>`, want: doc.UnsupportedAttribute},
	} {
		f := newFloor(t)
		f.conference("c", &room{watched: tt.watched})
		if err := f.modifyConference(element(t, `<modifyconference id="conf:c">`+tt.mix+`</modifyconference>`)); code(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Speakers' threshold is what a client says, or that of silence.
func TestSpeakersReport(t *testing.T) {
	for asn, want := range map[string][]int64{
		`<asn ri="1s"/>`:               {int64(time.Second), quietest},
		`<asn ri="500ms" asth="-40"/>`: {int64(500 * time.Millisecond), -40},
	} {
		var r room
		r.report(element(t, `<createconference><audiomix id="m">`+asn+`</audiomix></createconference>`))
		if got := []int64{r.interval.Load(), r.threshold.Load()}; !slices.Equal(got, want) {
			t.Errorf("%s: %d", asn, got)
		}
	}
}
