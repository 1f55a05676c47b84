package sipbench

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestStatIsRead(t *testing.T) {
	const tail = " 17 18 19 20 21"
	tests := []struct {
		name, line string
		want       process
	}{
		{"usual", "42 (mcp) S 7 1 2 3 4 5 6 7 8 9 120 30 0 0" + tail, process{42, 7, 1500 * time.Millisecond}},
		{"a name with brackets", "42 (a) R 9 (b) S 7 1 2 3 4 5 6 7 8 9 1 2 0" + tail, process{42, 7, 30 * time.Millisecond}},
		{"cut off", "42 (mcp) S 7 1", process{}},
		{"nothing", "", process{}},
	}
	for _, tt := range tests {
		if got := readStat(tt.line); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A callee's children count as it does.
func TestUsageIsThatOfChildrenToo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "sh", "-c", "(while :; do :; done) & exec sleep 60")
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd}
	defer func() {
		for _, p := range s.processes() {
			if child, err := os.FindProcess(p.pid); err == nil && p.parent == cmd.Process.Pid {
				_ = child.Kill()
			}
		}
		stop()
		_ = cmd.Wait() // it was killed
	}()
	for ctx.Err() == nil && s.cpu().others == 0 {
		time.Sleep(10 * time.Millisecond) // until a tick of its time is counted
	}
	if m := s.memory(); m.processes <= 0 || m.maps != 0 {
		t.Errorf("its memory is %+v", m)
	}
}
