package node

import (
	"slices"
	"strings"
	"testing"
)

// Pages read the folders of what the operator has calls begin with, and reach no
// port that the platform serves itself.
func TestFetchPolicy(t *testing.T) {
	n := &Node{cfg: Defaults()}
	n.cfg.Application.Default = "main.vxml"
	n.cfg.Application.Numbers = map[string]string{
		"1": "file:///srv/ivr/a.vxml", "2": "/opt/b/c.vxml", "3": "http://web/d.vxml", "4": "annc;play=http://web/a.wav", "5": "conf=room",
	}
	n.cfg.Announcements.Directory = "/srv/annc"
	got := n.readable()
	slices.Sort(got)
	if want := ". /opt/b /srv/annc /srv/ivr"; strings.Join(got, " ") != want {
		t.Errorf("readable %v, want %s", got, want)
	}
	if ports := n.ownPorts(); !slices.Contains(ports, 8300) || !slices.Contains(ports, 5070) {
		t.Errorf("own ports %v", ports)
	}
	if n = (&Node{cfg: Defaults()}); len(n.readable()) != 0 || n.readable() == nil {
		t.Errorf("without files configured, readable are %v", n.readable())
	}
}
