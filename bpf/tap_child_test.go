package bpf

import (
	"context"
	"errors"
	"testing"
	"time"

	"mcp/bpf/tap"
)

var errSeen = errors.New("a packet was captured")

// captureChild captures all legs there are and is ready when it has got a packet.
// It goes on until it is killed.
func captureChild(args []string) error {
	legs, err := InspectLegs(args[0])
	if err != nil {
		return err
	}
	c, err := OpenTap(args[0], legs)
	if err != nil {
		return err
	}
	one := func(tap.Packet) error { return errSeen }
	if err := c.Run(context.Background(), one, func() error { return nil }); !errors.Is(err, errSeen) {
		return err
	}
	return sleep()
}

// Another process captures while this one holds the plane. It needs no capability,
// only to own the pins, and when it is killed its capture ends soon.
func TestCaptureByAnotherProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ns, _, dir := host(t)
	openTo(t, dir)
	p, err := loadIn(ns, Config{Dir: dir, Mode: ModeGeneric, UID: plainUser, GID: plainUser})
	must(t, err)
	t.Cleanup(func() {
		must(t, p.Close())
		must(t, Unload(dir))
	})
	l, err := p.AddLeg(addrPort("10.1.0.1", 20000), 1)
	must(t, err)
	must(t, l.Configure(legConfig(addrPort("10.1.0.2", 4000), nil)))
	captured := func() bool {
		legs, err := InspectLegs(dir)
		must(t, err)
		return legs[0].Captured
	}

	c := startChild(t, ns, []uintptr{}, "capture", dir)
	said := make(chan string, 1)
	go func() {
		line, _ := c.lines.ReadString('\n') // empty if the child has ended
		said <- line
	}()
	for waiting := true; waiting; {
		must(t, l.Send(Packet{PayloadType: audioType, Ticks: frameTicks, Data: []byte("prompt")}))
		select {
		case line := <-said:
			if waiting = false; line != "ready\n" {
				t.Fatalf("child says: %s", line)
			}
		case <-time.After(time.Millisecond):
		}
	}
	if !captured() {
		t.Error("the leg is not captured")
	}
	var busy *TapBusyError
	legs, err := InspectLegs(dir)
	must(t, err)
	if _, err := OpenTap(dir, legs); !errors.As(err, &busy) || busy.PID != uint32(c.cmd.Process.Pid) {
		t.Errorf("second capture: %v", err)
	}
	c.kill()
	killed := time.Now()
	for captured() {
		if time.Since(killed) > patience {
			t.Fatal("the leg is still captured")
		}
		time.Sleep(time.Millisecond)
	}
	if lasted := time.Since(killed); lasted > tapPeriod+time.Second {
		t.Errorf("the capture lasted %s after its process", lasted)
	}
}
