// Package callrec obeys what Genesys applications write to the call log: by
// <log gvp:dest="calllog">enable callrec recsrc=mixed type=audio/wav;codec=alaw;</log>
// a page has the whole rest of its call recorded.
package callrec

import (
	"errors"
	"fmt"
	"strings"

	"mcp/control/call"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
)

// Recordings begins recordings; *store.Store is one.
type Recordings interface {
	Begin(q store.Request) (*store.Recording, error)
}

// ErrNowhere says that the platform has no place to keep recordings.
var ErrNowhere = errors.New("recordings cannot be kept")

// Order is a recording that a page has asked for.
type Order struct {
	Format record.Format
	// Ignored are the words of the order that are not heeded: where recordings are
	// kept is the operator's to say.
	Ignored []string
}

// Parse reads a text of the call log. That it is no order to record is not an
// error: ok is false.
func Parse(text string) (order Order, ok bool, err error) {
	words := strings.Fields(text)
	if len(words) < 2 || words[0] != "enable" || strings.TrimRight(words[1], ";") != "callrec" {
		return Order{}, false, nil
	}
	order.Format, err = record.ParseType("audio/wav;codec=alaw")
	for _, word := range words[2:] {
		word = strings.TrimRight(word, ";")
		name, value, _ := strings.Cut(word, "=")
		switch {
		case err != nil || word == "":
		case name == "type":
			order.Format, err = record.ParseType(value)
		case name == "recsrc" && value == "mixed":
		case name == "recsrc":
			err = fmt.Errorf("recsrc %q is not mixed", value)
		default:
			order.Ignored = append(order.Ignored, word)
		}
	}
	return order, true, err
}

// Tape is the recording of one call. Its zero value records nothing yet.
type Tape struct{ recording *store.Recording }

// Obey reads a text of the call log and does what it orders. A call that is being
// recorded already goes on being so.
func (t *Tape) Obey(text string, c *call.Call, keep Recordings) error {
	order, ok, err := Parse(text)
	switch {
	case !ok || t.recording != nil && err == nil:
		return nil
	case err != nil:
		return fmt.Errorf("record the call: %w", err)
	case keep == nil:
		return fmt.Errorf("record the call: %w", ErrNowhere)
	}
	invite := c.Invite()
	r, err := keep.Begin(store.Request{
		ID: c.ID() + "-callrec", Options: record.Options{Format: order.Format},
		Metadata: map[string]any{
			"call": c.ID(), "sip_call_id": invite.CallID(), "from": invite.RemoteURI(), "to": invite.LocalURI(),
			"type": order.Format.MediaType(), "channels": order.Format.Channels,
		},
	})
	if err != nil {
		return err
	}
	if err := errors.Join(r.Hear(0, c.Caller()), r.Overhear(order.Format.Channels-1, c.Caller())); err != nil {
		r.Stop()
		return fmt.Errorf("record the call: %w", err)
	}
	t.recording = r
	c.Keep(r)
	c.Log().Info("call is being recorded, as its page asks", "recording", r.ID, "not_heeded", strings.Join(order.Ignored, " "))
	return nil
}

// Stop ends the recording, if there is one.
func (t *Tape) Stop() {
	if t.recording != nil {
		t.recording.Stop()
	}
}
