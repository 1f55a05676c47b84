package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open serves a hub, and returns a client of it.
func open(t *testing.T) (*Hub, *Client) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	h := &Hub{}
	end, err := h.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
		if left := Sockets(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	sockets := Sockets(dir)
	if len(sockets) != 1 {
		t.Fatalf("sockets %v", sockets)
	}
	if info, err := os.Stat(sockets[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is open to others: %v, %v", info.Mode(), err)
	}
	return h, NewClient(sockets[0])
}

// One who comes late is told what has been, and then what comes, until the end.
func TestFollow(t *testing.T) {
	h, c := open(t)
	d := h.Begin(Call{ID: "one", From: "sip:ann@h", Application: "http://web/a.vxml"})
	other := h.Begin(Call{ID: "two"})
	d.Tell("said", "Hello.")
	calls, err := c.Calls(t.Context())
	if err != nil || len(calls) != 2 || calls[0].ID != "one" || calls[0].Events != 2 {
		t.Errorf("calls %+v, %v", calls, err)
	}
	var got []string
	err = c.Follow(t.Context(), Wanted{Call: "one"}, func(e Event) error {
		got = append(got, e.Kind+" "+e.Text)
		if e.Kind == "said" { // what follows comes while it is followed
			other.Tell("said", "Not for you.")
			d.Tell("heard", "dtmf: 1")
			d.End("exit")
		}
		return nil
	})
	if want := "[begun http://web/a.vxml said Hello. heard dtmf: 1 ended exit]"; fmt.Sprint(got) != want || err != nil {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if err := c.Follow(t.Context(), Wanted{Call: "one"}, nil); err == nil {
		t.Error("a call that is over can be followed")
	}
	other.End("exit")
	if calls, err := c.Calls(t.Context()); err != nil || len(calls) != 0 {
		t.Errorf("calls %v, %v", calls, err)
	}
}

func TestFollowAll(t *testing.T) {
	h, c := open(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	seen := make(chan Event)
	go func() {
		done <- c.Follow(ctx, Wanted{}, func(e Event) error {
			select {
			case seen <- e:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	for first := true; first; {
		d := h.Begin(Call{ID: "one"})
		d.End("exit")
		select {
		case <-seen:
			first = false
		default:
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Variables are told of only to those who ask for them, and it is known whether one does.
func TestVariablesAreAskedFor(t *testing.T) {
	h := &Hub{}
	d, other := h.Begin(Call{ID: "one"}), h.Begin(Call{ID: "two"})
	plain, _ := h.follow("one", false)
	if d.Inspected() {
		t.Error("nobody has asked for variables")
	}
	curious, _ := h.follow("one", true)
	if !d.Inspected() || other.Inspected() {
		t.Errorf("asked for variables of one: %v, two: %v", d.Inspected(), other.Inspected())
	}
	d.Tell(Changed, "dialog.n = 1")
	d.Tell("said", "Hello.")
	late, _ := h.follow("one", false)
	for name, f := range map[string]*follower{"plain": plain, "late": late} {
		if first, second := <-f.events, <-f.events; first.Kind != "begun" || second.Kind != "said" {
			t.Errorf("%s: %s, %s", name, first.Kind, second.Kind)
		}
	}
	if first, second := <-curious.events, <-curious.events; first.Kind != "begun" || second.Text != "dialog.n = 1" {
		t.Errorf("%+v, %+v", first, second)
	}
	h.leave(curious)
	if d.Inspected() || (*Dialogue)(nil).Inspected() {
		t.Error("who asked has left")
	}
}

// One who comes late is told the last events, in order.
func TestPastIsBounded(t *testing.T) {
	h := &Hub{}
	d := h.Begin(Call{ID: "one"})
	defer d.End("exit")
	const told = 2*remembered + 30
	for i := 1; i < told; i++ { // after that of the beginning
		d.Tell("said", fmt.Sprint(i))
	}
	f, ok := h.follow("one", false)
	if !ok || len(f.events) != remembered {
		t.Fatalf("%d events are told of, %v", len(f.events), ok)
	}
	defer h.leave(f)
	for i := told - remembered; i < told; i++ {
		if e := <-f.events; e.Text != fmt.Sprint(i) {
			t.Fatalf("event %s, want %d", e.Text, i)
		}
	}
}

// Who does not keep up holds nobody up, and learns of it.
func TestSlowFollower(t *testing.T) {
	h := &Hub{}
	d := h.Begin(Call{ID: "one"})
	f, _ := h.follow("one", false)
	for i := range 2000 {
		d.Tell("said", fmt.Sprint(i))
	}
	for range cap(f.events) {
		<-f.events
	}
	d.Tell("said", "again")
	if e := <-f.events; e.Kind != "missed" {
		t.Errorf("got %+v", e)
	}
	if e := <-f.events; e.Text != "again" {
		t.Errorf("got %+v", e)
	}
	if len(d.past) > remembered {
		t.Errorf("%d events are remembered", len(d.past))
	}
	(*Hub)(nil).Begin(Call{}).Tell("said", "to nobody")
}

// The socket of a platform that was killed is cleared away by the next.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "trace-1-x.sock")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := (&Hub{}).Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end() }()
	if _, err := os.Stat(stale); err == nil || len(Sockets(dir)) != 1 {
		t.Errorf("sockets %v", Sockets(dir))
	}
}
