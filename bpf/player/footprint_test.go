package player

import (
	"testing"

	"mcp/bpf/bpftest"
)

// The program's size on the running kernel is seen, and bounded.
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
}
