package call

import "testing"

// A call that is given up as its party answers ends all the same.
func TestGivenUpWhileAnswered(t *testing.T) {
	p := newPlaced(nil, Placement{})
	c := &Call{dialog: p, inbox: make(chan message, 1)}
	c.givenUp()
	if len(c.inbox) > 0 {
		t.Error("a call that is wanted is hung up")
	}
	p.up()
	c.givenUp()
	select {
	case m := <-c.inbox:
		if m.trigger != HangUp {
			t.Errorf("%s", m.trigger)
		}
	default:
		t.Error("nobody hangs up")
	}
}
