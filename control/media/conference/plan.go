package conference

import "mcp/control/media/codec"

// side is a member as the plan sees it.
type side struct {
	codec      codec.Codec // zero: not connected
	mute, deaf bool
	gain       bool // other than 0 dB
	private    bool // heard by some only
}

// shape is what a conference's media depend on.
type shape struct {
	sides   []side
	watched bool // who talks is wanted, the mix is listened to, or a sound is played
}

// way is the audio of one member on its way to another, by their places.
type way struct{ from, to int }

// plan says how a conference is carried.
type plan struct {
	mixed bool
	ways  []way // relayed; unless mixed
}

// course is the plan that is carried out. For some frames after a relay the plane goes on
// with it while the mixer listens already.
type course struct {
	plan
	beside int // frames that are left of that
}

// plan lets two members who speak the same codec be relayed by the plane, unless
// somebody listens in or the audio must be changed. All else is mixed.
func (s shape) plan() plan {
	if len(s.sides) != 2 || s.watched {
		return plan{mixed: len(s.sides) > 0}
	}
	a, b := s.sides[0], s.sides[1]
	if a.codec.Name == "" || !a.codec.Same(b.codec) || a.gain || b.gain || a.private || b.private {
		return plan{mixed: true}
	}
	var p plan
	if !a.mute && !b.deaf {
		p.ways = append(p.ways, way{0, 1})
	}
	if !b.mute && !a.deaf {
		p.ways = append(p.ways, way{1, 0})
	}
	return p
}
