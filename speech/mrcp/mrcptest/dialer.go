package mrcptest

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"mcp/speech"
	"mcp/speech/mrcp"
)

// Dialer takes a client straight to a Server, as if INVITE, 200 and BYE had gone
// over SIP between them.
type Dialer struct {
	Server *Server

	mu      sync.Mutex
	dialogs map[*dialog]struct{}
	byes    int
}

var _ mrcp.Dialer = (*Dialer)(nil)

type dialog struct {
	dialer  *Dialer
	session *Session
	answer  []byte
	refresh func([]byte) []byte
	once    sync.Once
}

// Dial is part of mrcp.Dialer.
func (d *Dialer) Dial(ctx context.Context, target string, offer []byte, refresh func([]byte) []byte) (mrcp.Dialog, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answer, session, err := d.Server.Answer(offer, netip.MustParseAddr("127.0.0.1"))
	if refusal, ok := err.(*Refusal); ok && refusal.Status == 488 {
		return nil, fmt.Errorf("%w: invite %s: %w", speech.ErrNoCodec, target, err)
	}
	if err != nil {
		return nil, fmt.Errorf("invite %s: %w", target, err)
	}
	g := &dialog{dialer: d, session: session, answer: answer, refresh: refresh}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dialogs == nil {
		d.dialogs = make(map[*dialog]struct{})
	}
	d.dialogs[g] = struct{}{}
	return g, nil
}

// Dialogs is how many dialogs are open.
func (d *Dialer) Dialogs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dialogs)
}

// Byes is how many dialogs the client has ended with a BYE.
func (d *Dialer) Byes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byes
}

// Refresh lets the server send a re-INVITE in every dialog and returns the
// client's answers.
func (d *Dialer) Refresh() [][]byte {
	d.mu.Lock()
	var open []*dialog
	for g := range d.dialogs {
		open = append(open, g)
	}
	d.mu.Unlock()
	var answers [][]byte
	for _, g := range open {
		answers = append(answers, g.refresh(g.session.Description(mrcp.ConnectionExisting)))
	}
	return answers
}

// HangUp lets the server send BYE in every dialog.
func (d *Dialer) HangUp() {
	d.mu.Lock()
	var open []*dialog
	for g := range d.dialogs {
		open = append(open, g)
	}
	d.mu.Unlock()
	for _, g := range open {
		g.session.Close()
	}
}

// Answer is part of mrcp.Dialog.
func (g *dialog) Answer() []byte { return g.answer }

// Done is part of mrcp.Dialog.
func (g *dialog) Done() <-chan struct{} { return g.session.Done() }

// Bye is part of mrcp.Dialog.
func (g *dialog) Bye(context.Context) error {
	g.once.Do(func() {
		g.session.Close()
		g.dialer.mu.Lock()
		defer g.dialer.mu.Unlock()
		g.dialer.byes++
		delete(g.dialer.dialogs, g)
	})
	return nil
}
