// Package plan works out how a call's audio travels: which of it the media plane
// relays by itself, and which userspace has to hear, transcode or send. It is a pure
// function from what the call wants, a graph of legs, to a rule for each leg.
package plan

import (
	"errors"
	"fmt"
	"slices"

	"mcp/control/media/codec"
)

// ErrNeedsMixer says that a graph sends two sources to one leg.
var ErrNeedsMixer = errors.New("two sources for one leg need a mixer")

// Graph is what a call wants of its media: which leg hears which, and what
// userspace hears and says. Legs are known by their names.
type Graph struct {
	// Legs are the connected legs' codecs by name, those of other sessions that
	// a link leads to among them. An edge of a leg that is not there waits.
	Legs map[string]codec.Codec
	// Edges say whose audio goes to whom.
	Edges []Edge
	// Aside names the legs that only take a copy: who else hears the same audio is
	// relayed to before them.
	Aside map[string]bool
	// Playing names the legs that a clip plays to: it is heard alone, and the
	// edges into the leg wait until it has ended.
	Playing map[string]bool
	// Fed names the legs that hear what comes from outside the graph: a mixer's
	// output, another session's leg. Edges into them wait as well.
	Fed map[string]bool
	// Tapped names the legs whose audio userspace listens to: recorders, mixers,
	// detectors, bots.
	Tapped map[string]bool
	// Monitored names the legs whose far ends are listened in on: userspace hears
	// who is heard there.
	Monitored map[string]bool
	// Apart names the legs that another plane carries than the rest, because their
	// packets are protected: no plane relays between the two.
	Apart map[string]bool
	// Hushed names the legs whose far ends may send comfort noise in place of audio,
	// and take it: who does not take it hears noise that userspace makes.
	Hushed map[string]bool
}

// Edge is one leg's audio on its way to another leg's far end.
type Edge struct{ From, To string }

// Rules say how the audio of each leg that somebody hears travels, by its name.
type Rules map[string]Rule

// Rule is how one leg's arriving audio travels.
type Rule struct {
	// Relay names the leg that the plane relays to by itself; empty: none.
	Relay string
	// Forward lists those that userspace sends to: legs of another codec, and
	// all but the first where several hear one leg.
	Forward []Forward
	// Tapped tells that userspace listens.
	Tapped bool
}

// Forward is one leg that userspace sends another's audio to.
type Forward struct {
	To       string
	From, As codec.Codec // transcoded where they differ
}

// Equal tells whether two rules do the same.
func (r Rule) Equal(s Rule) bool {
	return r.Relay == s.Relay && r.Tapped == s.Tapped && slices.Equal(r.Forward, s.Forward)
}

// Copied tells whether userspace needs the audio at all.
func (r Rule) Copied() bool { return r.Tapped || len(r.Forward) > 0 }

// Plan turns a graph into rules. The plane relays wherever both ends speak the
// same codec, comfort noise included, and it carries both; everything else is left to
// userspace.
func (g Graph) Plan() (Rules, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	rules := Rules{}
	for name, tapped := range g.Tapped {
		if tapped && g.Legs[name].Name != "" {
			rules[name] = Rule{Tapped: true}
		}
	}
	for _, e := range g.byRank() {
		from, to := g.Legs[e.From], g.Legs[e.To]
		if from.Name == "" || to.Name == "" || g.Playing[e.To] || g.Fed[e.To] {
			continue
		}
		rule := rules[e.From]
		if rule.Relay == "" && g.relays(e) {
			rule.Relay = e.To
			rule.Tapped = rule.Tapped || g.Monitored[e.To]
		} else {
			rule.Forward = append(rule.Forward, Forward{To: e.To, From: from, As: to})
		}
		rules[e.From] = rule
	}
	return rules, nil
}

// relays tells whether a plane can relay along an edge.
func (g Graph) relays(e Edge) bool {
	return g.Legs[e.From].Same(g.Legs[e.To]) && g.Apart[e.From] == g.Apart[e.To] && (g.Hushed[e.To] || !g.Hushed[e.From])
}

// byRank are the edges in the order in which the plane relays.
func (g Graph) byRank() []Edge {
	if len(g.Aside) == 0 {
		return g.Edges
	}
	return slices.SortedStableFunc(slices.Values(g.Edges), func(a, b Edge) int {
		switch {
		case g.Aside[a.To] == g.Aside[b.To]:
			return 0
		case g.Aside[a.To]:
			return 1
		}
		return -1
	})
}

func (g Graph) check() error {
	heard := make(map[string]string, len(g.Edges))
	for _, e := range g.Edges {
		if e.From == e.To {
			return fmt.Errorf("leg %s cannot hear itself", e.From)
		}
		if other, taken := heard[e.To]; taken {
			return fmt.Errorf("%s and %s to %s: %w", other, e.From, e.To, ErrNeedsMixer)
		}
		heard[e.To] = e.From
	}
	return nil
}
