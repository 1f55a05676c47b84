package plan

import (
	"errors"
	"testing"

	"mcp/control/media/codec"
)

func TestPlan(t *testing.T) {
	u, a := codec.PCMU, codec.PCMA
	dynamic := codec.Codec{Name: "PCMU", PayloadType: 96, ClockRate: 8000}
	legs := map[string]codec.Codec{"caller": u, "server": u, "dynamic": dynamic, "alaw": a, "unconnected": {}}
	tests := []struct {
		name    string
		edges   []Edge
		playing []string
		fed     []string
		tapped  []string
		aside   string
		want    Rules
		err     error
	}{
		{name: "nothing"},
		{name: "one way", edges: []Edge{{"caller", "server"}}, want: Rules{"caller": {Relay: "server"}}},
		{
			name: "both ways", edges: []Edge{{"caller", "server"}, {"server", "caller"}},
			want: Rules{"caller": {Relay: "server"}, "server": {Relay: "caller"}},
		},
		{
			name: "payload types do not matter", edges: []Edge{{"caller", "dynamic"}},
			want: Rules{"caller": {Relay: "dynamic"}},
		},
		{
			name: "another codec", edges: []Edge{{"caller", "alaw"}, {"alaw", "caller"}},
			want: Rules{"caller": {Forward: []Forward{{"alaw", u, a}}}, "alaw": {Forward: []Forward{{"caller", a, u}}}},
		},
		{
			name: "several hear one", edges: []Edge{{"caller", "alaw"}, {"caller", "server"}, {"caller", "dynamic"}},
			want: Rules{"caller": {Relay: "server", Forward: []Forward{{"alaw", u, a}, {"dynamic", u, dynamic}}}},
		},
		{
			name: "a clip is heard alone", edges: []Edge{{"server", "caller"}, {"caller", "server"}}, playing: []string{"caller"},
			want: Rules{"caller": {Relay: "server"}},
		},
		{
			name: "a clip to one of several", edges: []Edge{{"caller", "server"}, {"caller", "dynamic"}}, playing: []string{"server"},
			want: Rules{"caller": {Relay: "dynamic"}},
		},
		{name: "not connected yet", edges: []Edge{{"caller", "unconnected"}, {"unconnected", "caller"}}, want: Rules{}},
		{name: "a leg that is gone", edges: []Edge{{"caller", "gone"}}, want: Rules{}},
		{
			name: "a tap beside a relay", edges: []Edge{{"caller", "server"}}, tapped: []string{"caller"},
			want: Rules{"caller": {Relay: "server", Tapped: true}},
		},
		{
			name: "a copy alone", edges: []Edge{{"caller", "dynamic"}}, aside: "dynamic",
			want: Rules{"caller": {Relay: "dynamic"}},
		},
		{
			name: "a copy beside a relay", edges: []Edge{{"caller", "dynamic"}, {"caller", "server"}}, aside: "dynamic",
			want: Rules{"caller": {Relay: "server", Forward: []Forward{{"dynamic", u, dynamic}}}},
		},
		{name: "a tap alone", tapped: []string{"caller"}, want: Rules{"caller": {Tapped: true}}},
		{name: "a tap of a leg that is not connected", tapped: []string{"unconnected", "gone"}, want: Rules{}},
		{
			name: "what is fed hears no leg", edges: []Edge{{"server", "caller"}, {"caller", "server"}}, fed: []string{"caller"},
			want: Rules{"caller": {Relay: "server"}},
		},
		{name: "two in a mixer", tapped: []string{"caller", "server"}, fed: []string{"caller", "server"},
			edges: []Edge{{"caller", "server"}, {"server", "caller"}},
			want:  Rules{"caller": {Tapped: true}, "server": {Tapped: true}}},
		{name: "two sources", edges: []Edge{{"server", "caller"}, {"alaw", "caller"}}, err: ErrNeedsMixer},
		{name: "two sources while a clip plays", edges: []Edge{{"server", "caller"}, {"alaw", "caller"}}, playing: []string{"caller"}, err: ErrNeedsMixer},
	}
	for _, tt := range tests {
		g := Graph{Legs: legs, Edges: tt.edges, Playing: map[string]bool{}, Fed: map[string]bool{}, Tapped: map[string]bool{"alaw": false}, Aside: map[string]bool{}}
		if tt.aside != "" {
			g.Aside[tt.aside] = true
		}
		for _, name := range tt.playing {
			g.Playing[name] = true
		}
		for _, name := range tt.fed {
			g.Fed[name] = true
		}
		for _, name := range tt.tapped {
			g.Tapped[name] = true
		}
		got, err := g.Plan()
		if !errors.Is(err, tt.err) || len(got) != len(tt.want) {
			t.Errorf("%s: %+v, %v, want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
		for name := range tt.want {
			if !got[name].Equal(tt.want[name]) {
				t.Errorf("%s: %s: %+v, want %+v", tt.name, name, got[name], tt.want[name])
			}
		}
	}
	if _, err := (Graph{Legs: legs, Edges: []Edge{{"caller", "caller"}}}).Plan(); err == nil {
		t.Error("a leg hears itself")
	}
}
