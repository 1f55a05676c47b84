package msml

import (
	"slices"
	"testing"

	"mcp/control/service/msml/doc"
)

// A conference ends with its last member or with its client, as its creator wanted it.
func TestConferenceIsSettled(t *testing.T) {
	const nomedia, nocontrol, never = "nomedia", "nocontrol", "never"
	for _, tt := range []struct {
		name         string
		when         string
		joined, left bool // a member, and the last one
		uncontrolled bool
		ends         bool
	}{
		{name: "nobody has come yet", when: nomedia},
		{name: "nobody has come, and the client goes", when: nomedia, uncontrolled: true, ends: true},
		{name: "somebody is there", when: nomedia, joined: true},
		{name: "somebody is there when the client goes", when: nomedia, joined: true, uncontrolled: true},
		{name: "the last one leaves", when: nomedia, joined: true, left: true, ends: true},
		{name: "the last one leaves a controlled one", when: nocontrol, joined: true, left: true},
		{name: "the controller goes", when: nocontrol, joined: true, uncontrolled: true, ends: true},
		{name: "everybody leaves one that stays", when: never, joined: true, left: true, uncontrolled: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFloor(t)
			o := f.conference("sales", &room{when: tt.when})
			if tt.joined {
				f.join("conn:a", o)
			}
			if tt.left {
				f.must(o.room.leave("conn:a"))
			}
			f.service.hub.settle(o, tt.uncontrolled)
			if over := f.service.hub.find(o.ID) == nil; over != tt.ends || f.bridge.Find("sales") == nil != tt.ends {
				t.Errorf("it ended: %t", over)
			}
			var want []string
			if tt.ends && tt.when == nomedia {
				want = []string{"msml.conf.nomedia conf:sales"}
			}
			if got := f.told(); !slices.Equal(got, want) {
				t.Errorf("the client is told %q", got)
			}
		})
	}
}

// What an identifier names is found, or is no object.
func TestIdentifiers(t *testing.T) {
	f := newFloor(t)
	h := f.service.hub
	o := f.connection("conn:a")
	if got, err := h.object("conn:a"); got != o || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if h.add(o) {
		t.Error("a name is taken twice")
	}
	if _, err := h.object("conn:b"); code(err) != doc.NoSuchObject {
		t.Errorf("one that is not there: %v", err)
	}
	for _, id := range []string{"conn:b/dialog:x", "conn:a/dialog:x", "conn:a/dialog:x/play:y", "conn:a", ""} {
		if _, _, err := h.dialog(id); code(err) != doc.NoSuchObject {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A conference is deleted once; what is left in the end is, too, but for connections.
func TestConferencesEnd(t *testing.T) {
	f := newFloor(t)
	h := f.service.hub
	conn, first, second := f.connection("conn:a"), f.conference("first", &room{}), f.conference("second", &room{})
	if !h.destroy(first) || h.destroy(first) {
		t.Error("a conference is not deleted once")
	}
	if err := f.destroyConference(element(t, `<destroyconference id="conf:first"/>`)); code(err) != doc.NoSuchObject {
		t.Errorf("one that was deleted: %v", err)
	}
	h.close()
	if h.find(second.ID) != nil || h.find(conn.ID) != conn {
		t.Error("a conference is left, or a connection is not")
	}
}
