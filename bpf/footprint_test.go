package bpf

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"mcp/bpf/bpftest"
)

// budget is the most a program may cost, or a map with the default sizes. The
// kernel's verifier gives up at a million instructions; other versions of it walk
// more of them than the one at hand.
type budget struct {
	verified uint32 // instructions the verifier walks
	jited    uint32 // bytes of machine code
}

const mapBudget = 64 << 20 // bytes, all maps together

func programBudget(name string) budget {
	switch name {
	case "relay", "relay_skb":
		return budget{verified: 300_000, jited: 32 << 10}
	default:
		return budget{verified: 30_000, jited: 8 << 10}
	}
}

// TestFootprint shows with -v what the programs and maps cost on the running
// kernel, so that growth is seen, and fails when one leaves its budget.
func TestFootprint(t *testing.T) {
	bpftest.RequireRoot(t)
	var objects relayObjects
	must(t, loadObjects(Config{}.withDefaults(), &objects))
	defer objects.Close()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\nprogram\tverified\tbudget\ttranslated B\tJITed B\tbudget\t\n")
	reportPrograms(t, w, &objects)
	fmt.Fprintf(w, "\nmap\tentries\tvalue B\tmemory KiB\t\n")
	total := reportMaps(t, w, &objects)
	fmt.Fprintf(w, "all\t\t\t%d of %d\t\n", total>>10, mapBudget>>10)
	must(t, w.Flush())
	t.Logf("Linux %s%s", kernelRelease(t), out.String())
	if total > mapBudget {
		t.Errorf("maps take %d bytes, more than %d", total, mapBudget)
	}
}

func reportPrograms(t *testing.T, w *tabwriter.Writer, o *relayObjects) {
	t.Helper()
	programs := pinnedPrograms(&o.relayPrograms)
	for _, name := range sortedKeys(programs) {
		info, err := (*programs[name]).Info()
		must(t, err)
		verified, ok := info.VerifiedInstructions()
		if !ok {
			t.Fatalf("the kernel does not tell what it verified of %s", name)
		}
		translated, err := info.TranslatedSize()
		must(t, err)
		jited, err := info.JitedSize()
		must(t, err)
		most := programBudget(name)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, verified, most.verified, translated, jited, most.jited)
		if verified > most.verified || jited > most.jited {
			t.Errorf("%s: %d instructions verified and %d bytes of code, more than %+v", name, verified, jited, most)
		}
	}
}

func reportMaps(t *testing.T, w *tabwriter.Writer, o *relayObjects) (total uint64) {
	t.Helper()
	all := pinnedMaps(&o.relayMaps)
	for _, name := range sortedKeys(all) {
		m := *all[name]
		info, err := m.Info()
		must(t, err)
		memory, ok := info.Memlock()
		if !ok {
			t.Fatalf("the kernel does not tell how much memory %s takes", name)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", name, m.MaxEntries(), m.ValueSize(), memory>>10)
		total += memory
	}
	return total
}

// TestManyLegs opens as many legs as a machine is to have, as pairs that relay to
// each other, each owned. All is found again, nothing is left in the
// end, and the maps stay far below what is allowed.
func TestManyLegs(t *testing.T) {
	const legs, allowed = 25_000, 512 << 20
	ns, _, dir := host(t)
	p, err := loadIn(ns, Config{Dir: dir})
	must(t, err)
	defer func() { must(t, errors.Join(p.Close(), Unload(dir))) }()
	all := make([]*Leg, legs)
	for i := range all {
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i % 2), 1}), uint16(20000+i&^1))
		all[i], err = p.AddLeg(local, uint32(i))
		must(t, err)
		must(t, all[i].Own(Owner{Call: fmt.Sprint(i / 2)}))
		if i%2 == 1 {
			must(t, all[i].Configure(legConfig(addrPort("10.9.0.1", 4000), all[i-1])))
			must(t, all[i-1].Configure(legConfig(addrPort("10.9.0.2", 4000), all[i])))
		}
	}
	memory := mapMemory(t, &p.objects)
	t.Logf("%d legs: the maps take %d KiB", legs, memory>>10)
	if memory > allowed {
		t.Errorf("maps take %d bytes, more than %d", memory, allowed)
	}
	heard := 0
	must(t, p.Heard(func(uint64, time.Time) { heard++ }))
	if heard != legs || p.Legs() != legs {
		t.Errorf("%d legs are found, %d are open", heard, p.Legs())
	}
	for _, l := range all {
		_, err := l.Close()
		must(t, err)
	}
	left, err := p.Orphans()
	must(t, err)
	if status, err := Inspect(dir); err != nil || status.Legs != 0 || len(left) != 0 {
		t.Errorf("%d legs and %d orphans are left: %v", status.Legs, len(left), err)
	}
}

func mapMemory(t *testing.T, o *relayObjects) (total uint64) {
	t.Helper()
	for name, m := range pinnedMaps(&o.relayMaps) {
		info, err := (*m).Info()
		must(t, err)
		memory, ok := info.Memlock()
		if !ok {
			t.Fatalf("the kernel does not tell how much memory %s takes", name)
		}
		total += memory
	}
	return total
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

func kernelRelease(t *testing.T) string {
	t.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	must(t, err)
	return strings.TrimSpace(string(release))
}
