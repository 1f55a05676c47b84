package msml

import (
	"reflect"
	"testing"

	"mcp/control/media/conference"
	"mcp/control/service/msml/doc"
)

// Streams go both ways where none is named, and those of a direction seen from id1
// (RFC 5707 section 7.2).
func TestWays(t *testing.T) {
	const to, from, both = `<stream media="audio" dir="to-id1"/>`, `<stream media="audio" dir="from-id1"/>`, `<stream media="audio"/>`
	for _, tt := range []struct {
		name, streams string
		forth, back   bool
	}{
		{name: "none", forth: true, back: true},
		{name: "one without a direction", streams: both, forth: true, back: true},
		{name: "from id1", streams: from, forth: true},
		{name: "to id1", streams: to, back: true},
		{name: "each", streams: from + to, forth: true, back: true},
	} {
		w := ways(element(t, `<join id1="conn:a" id2="conn:b">`+tt.streams+`</join>`))
		if w.forth != tt.forth || w.back != tt.back {
			t.Errorf("%s: forth %t, back %t", tt.name, w.forth, w.back)
		}
	}
}

// A property that a request does not name stays as it was.
func TestProperties(t *testing.T) {
	loud := conference.Member{ID: "conn:a", Gain: 6, Preferred: true}
	for _, tt := range []struct {
		name, stream string
		was, want    conference.Member
	}{
		{name: "nothing", stream: `<stream media="audio"/>`, was: loud, want: loud},
		{name: "a gain without an amount", stream: `<stream media="audio"><gain id="g"/></stream>`, was: loud, want: loud},
		{name: "a gain", stream: `<stream media="audio"><gain amt="-12"/></stream>`, was: loud, want: conference.Member{ID: "conn:a", Gain: -12, Preferred: true}},
		{name: "muted", stream: `<stream media="audio"><gain amt="mute"/></stream>`, was: loud, want: conference.Member{ID: "conn:a", Gain: 6, Preferred: true, Mute: true}},
		{name: "unmuted", stream: `<stream media="audio"><gain amt="unmute"/></stream>`, was: conference.Member{Mute: true}, want: conference.Member{}},
		{name: "preferred", stream: `<stream media="audio" preferred="1"/>`, want: conference.Member{Preferred: true}},
		{name: "no more preferred", stream: `<stream media="audio" preferred="false"/>`, was: conference.Member{Preferred: true}},
	} {
		n := element(t, `<modifystream id1="conn:a" id2="conf:b">`+tt.stream+`</modifystream>`)
		if got := properties(n, tt.was); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, not %+v", tt.name, got, tt.want)
		}
	}
}

// What cannot be joined, parted or modified is refused with the code that says why.
func TestRefusedStreams(t *testing.T) {
	f := newFloor(t)
	f.connection("conn:a")
	f.connection("conn:b")
	f.conference("c", &room{})
	f.conference("d", &room{})
	for _, tt := range []struct {
		name, id1, id2, how string
		want                int
	}{
		{name: "with itself", how: "join", id1: "conn:a", id2: "conn:a", want: doc.CannotJoin},
		{name: "two conferences", how: "join", id1: "conf:c", id2: "conf:d", want: doc.CannotJoin},
		{name: "id1 is not there", how: "join", id1: "conn:x", id2: "conn:a", want: doc.NoSuchObject},
		{name: "id2 is not there", how: "join", id1: "conn:a", id2: "conf:x", want: doc.NoSuchObject},
		{name: "not joined", how: "unjoin", id1: "conn:a", id2: "conn:b", want: doc.NoSuchObject},
		{name: "not in the conference", how: "unjoin", id1: "conn:a", id2: "conf:c", want: doc.NoSuchObject},
		{name: "not in the conference, named first", how: "modifystream", id1: "conf:c", id2: "conn:a", want: doc.NoSuchObject},
		{name: "between connections", how: "modifystream", id1: "conn:a", id2: "conn:b", want: doc.UnsupportedElement},
	} {
		err := f.connect(element(t, `<`+tt.how+` id1="`+tt.id1+`" id2="`+tt.id2+`"/>`))
		if got := code(err); got != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Who takes part says and hears less with each direction that ends, and leaves with
// the last.
func TestLeavingByDirections(t *testing.T) {
	f := newFloor(t)
	f.connection("conn:a")
	o := f.conference("c", &room{when: "never"})
	f.join("conn:a", o)
	f.must(f.connect(element(t, `<unjoin id1="conf:c" id2="conn:a"><stream media="audio" dir="from-id1"/></unjoin>`)))
	if m, err := o.room.conf.Member("conn:a"); err != nil || m.Mute || !m.Deaf {
		t.Errorf("whose hearing ended: %+v, %v", m, err)
	}
	f.must(f.connect(element(t, `<modifystream id1="conn:a" id2="conf:c"><stream media="audio"><gain amt="-3"/></stream></modifystream>`)))
	if m, err := o.room.conf.Member("conn:a"); err != nil || m.Gain != -3 || !m.Deaf {
		t.Errorf("whose gain changed: %+v, %v", m, err)
	}
	f.must(f.connect(element(t, `<unjoin id1="conn:a" id2="conf:c"><stream media="audio" dir="from-id1"/></unjoin>`)))
	if all := o.room.members(); len(all) != 0 {
		t.Errorf("%q are left", all)
	}
}

// A conference is not made of what it cannot be called, nor where there are none.
func TestRefusedConferences(t *testing.T) {
	f := newFloor(t)
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{name: "a wildcard", text: `<createconference name="a*"/>`, want: doc.InvalidValue},
		{name: "a path", text: `<createconference name="a/b"/>`, want: doc.InvalidValue},
		{name: "none are here", text: `<createconference name="a"/>`, want: doc.NoResource},
	} {
		var result doc.Result
		p := &program{service: New(Parts{})}
		if err := p.createConference(element(t, tt.text), &result); code(err) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	f.connection("conn:a")
	for _, text := range []string{
		`<modifyconference id="conn:a"><audiomix id="m"/></modifyconference>`, `<modifyconference id="conf:x"/>`,
		`<destroyconference id="conn:a"/>`, `<destroyconference id="conf:x"/>`,
	} {
		n := element(t, text)
		does := f.modifyConference
		if n.Name == "destroyconference" {
			does = f.destroyConference
		}
		if err := does(n); code(err) != doc.NoSuchObject {
			t.Errorf("%s: %v", text, err)
		}
	}
}
