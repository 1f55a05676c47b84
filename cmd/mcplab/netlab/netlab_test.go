package netlab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs root")
	}
	t.Skip("needs root to make network namespaces")
}

func prefix() string { return fmt.Sprintf("t%d-%04x-", os.Getpid(), rand.Uint32()&0xffff) }

func left(t *testing.T, prefix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(namespaces, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLabIsBuiltAndTakenDown(t *testing.T) {
	needRoot(t)
	p := prefix()
	lab, err := Build(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, ping := range []struct {
		from string
		to   netip.Addr
	}{{lab.SBC, MCPToSBC}, {lab.MCP, NuanceAddr}} {
		// A closed port refuses at once where the way is open.
		if _, err := lab.Dial(t.Context(), ping.from, "tcp", netip.AddrPortFrom(ping.to, 9)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s does not reach %s: %v", ping.from, ping.to, err)
		}
	}
	if out, err := lab.Command(t.Context(), lab.SBC, "ethtool", "-k", ToMCP).Output(); err != nil || !strings.Contains(string(out), "generic-receive-offload: on") {
		t.Errorf("GRO: %v\n%s", err, out)
	}
	if _, err := Build(t.Context(), p); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	if found := left(t, p); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func TestFailedLabLeavesNothing(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // ethtool will not run
	p := prefix()
	if _, err := Build(ctx, p); err == nil {
		t.Fatal("built without ethtool")
	}
	if found := left(t, p); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}
