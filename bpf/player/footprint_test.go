package player

import (
	"testing"

	"github.com/cilium/ebpf"

	"mcp/bpf/bpftest"
)

// What the program and its maps take on the running kernel is seen, and bounded.
func TestFootprint(t *testing.T) {
	bpftest.RequireRoot(t)
	var o playerObjects
	if err := loadPlayerObjects(&o, nil); err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	info, err := o.Play.Info()
	if err != nil {
		t.Fatal(err)
	}
	verified, _ := info.VerifiedInstructions()
	jited, err := info.JitedSize()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("play: %d instructions verified, %d octets of code", verified, jited)
	if verified == 0 || verified > 20_000 || jited > 8192 {
		t.Error("it has grown, or the kernel does not tell")
	}
	memory := uint64(0)
	for _, m := range []*ebpf.Map{o.Prompts, o.Rings, o.Pages, o.Reports, o.Slots, o.Paces} {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		octets, _ := info.Memlock()
		memory += octets
	}
	t.Logf("maps for %d streams, with room for recordings: %d KiB", o.Prompts.MaxEntries(), memory>>10)
	if memory == 0 || memory > 64<<20 {
		t.Error("the maps have grown, or the kernel does not tell")
	}
}
