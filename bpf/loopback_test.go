package bpf

import (
	"net"
	"slices"
	"testing"
)

// Loopback joins interfaces that are named, once; none named stands for all.
func TestWithLoopback(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(i net.Interface) bool { return isLoopback(i) && i.Flags&net.FlagUp != 0 })
	if i < 0 {
		t.Skip("loopback is down")
	}
	lo := all[i].Name
	if got := WithLoopback(nil); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
	named := []string{"eth7"}
	if got := WithLoopback(named); !slices.Equal(got, []string{"eth7", lo}) || len(named) != 1 {
		t.Errorf("one: %v", got)
	}
	if got := WithLoopback([]string{lo, "eth7"}); !slices.Equal(got, []string{lo, "eth7"}) {
		t.Errorf("loopback itself: %v", got)
	}
}
