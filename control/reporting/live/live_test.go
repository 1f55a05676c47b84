package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mcp/control/reporting"
	"mcp/control/reporting/recent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open serves calls, and returns a client.
func open(t *testing.T) (*recent.Calls, *Client) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	calls := &recent.Calls{}
	end, err := Listen(dir, calls)
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
	return calls, NewClient(sockets[0])
}

// talk begins a dialogue, and shows what happens in it.
func talk(calls *recent.Calls, id string) (show func(what, text string), end func()) {
	r := reporting.Begin(id, time.Now())
	r.Parties.Remote = "sip:ann@h"
	happened := calls.Begun(r)
	show = func(what, text string) {
		happened(&reporting.Event{Head: reporting.Head{Kind: reporting.KindShown}, Name: what, Text: text, At: time.Now()})
	}
	show(recent.Begun, "http://web/a.vxml")
	return show, func() { calls.Ended(r) }
}

// One who comes late is told what has been, and then what comes, until the end.
func TestFollow(t *testing.T) {
	served, c := open(t)
	show, end := talk(served, "one")
	other, _ := talk(served, "two")
	show("said", "Hello.")
	calls, err := c.Calls(t.Context())
	if err != nil || len(calls) != 2 || calls[0].ID != "one" || calls[0].Events != 2 || calls[0].From != "sip:ann@h" {
		t.Errorf("calls %+v, %v", calls, err)
	}
	var got []string
	err = c.Follow(t.Context(), recent.Wanted{Call: "one"}, func(l recent.Line) error {
		got = append(got, l.Kind+" "+l.Text)
		if l.Kind == "said" { // what follows comes while it is followed
			other("said", "Not for you.")
			show("heard", "voice: yes")
			show(recent.Ended, "exit")
		}
		return nil
	})
	if want := "[begun http://web/a.vxml said Hello. heard voice: yes ended exit]"; fmt.Sprint(got) != want || err != nil {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if err := c.Follow(t.Context(), recent.Wanted{Call: "one"}, nil); err == nil {
		t.Error("a dialogue that is over can be followed")
	}
	end()
	other(recent.Ended, "exit")
	if calls, err := c.Calls(t.Context()); err != nil || len(calls) != 0 {
		t.Errorf("calls %v, %v", calls, err)
	}
}

func TestFollowAll(t *testing.T) {
	served, c := open(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	seen := make(chan recent.Line)
	go func() {
		done <- c.Follow(ctx, recent.Wanted{}, func(l recent.Line) error {
			select {
			case seen <- l:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	for first := true; first; {
		_, end := talk(served, "one")
		end()
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

// Who does not keep up holds nobody up, and learns of it.
func TestSlowReader(t *testing.T) {
	r := newReader()
	for i := range 2000 {
		r.take(recent.Line{Text: fmt.Sprint(i)})
	}
	for range cap(r.lines) {
		<-r.lines
	}
	r.take(recent.Line{Text: "again"})
	if l := <-r.lines; l.Kind != missed {
		t.Errorf("got %+v", l)
	}
	if l := <-r.lines; l.Text != "again" {
		t.Errorf("got %+v", l)
	}
}

// The socket of a platform that was killed is cleared away by the next.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "trace-1-x.sock")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := Listen(dir, &recent.Calls{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end() }()
	if _, err := os.Stat(stale); err == nil || len(Sockets(dir)) != 1 {
		t.Errorf("sockets %v", Sockets(dir))
	}
}
