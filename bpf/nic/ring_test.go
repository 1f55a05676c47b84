package nic

import (
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// ethtool prints a ring's greatest length first, and then its present one.
var transmits = regexp.MustCompile(`(?s)Current hardware settings:.*?\nTX:\s+(\d+)`)

// A ring is as long as ethtool says, and who has none has no length.
func TestTransmitRing(t *testing.T) {
	if _, err := exec.LookPath("ethtool"); err != nil {
		t.Skip("needs ethtool")
	}
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		want := 0
		out, failed := exec.Command("ethtool", "-g", i.Name).Output()
		if found := transmits.FindSubmatch(out); failed == nil && found != nil {
			want, _ = strconv.Atoi(string(found[1]))
		}
		if got, err := TransmitRing(i.Name); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", i.Name, got, err, want)
		}
	}
	if _, err := TransmitRing("nosuch"); err == nil {
		t.Error("an interface that is not there has a ring")
	}
}
