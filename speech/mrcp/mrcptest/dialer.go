package mrcptest

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"mcp/speech"
	"mcp/speech/mrcp/sdp"
	"mcp/speech/mrcp/v2"
)

// Dialer takes a client straight to a Server, as if INVITE, 200 and BYE had gone
// over SIP between them.
type Dialer struct {
	Server *Server
	// Servers are further ones, by the URI that leads to them.
	Servers map[string]*Server

	mu      sync.Mutex
	dialogs map[*dialog]struct{}
	byes    int
}

var _ v2.Dialer = (*Dialer)(nil)

type dialog struct {
	dialer  *Dialer
	session *Session
	answer  []byte
	refresh func([]byte) []byte
	once    sync.Once
}

func (d *Dialer) server(target string) *Server {
	if s := d.Servers[target]; s != nil {
		return s
	}
	return d.Server
}

// Dial is part of v2.Dialer.
func (d *Dialer) Dial(ctx context.Context, i v2.Invitation) (v2.Dialog, error) {
	target := i.Target
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	answer, session, err := d.server(target).Answer(i.Offer, netip.MustParseAddr("127.0.0.1"))
	if refusal, ok := err.(*Refusal); ok && refusal.Status == 488 {
		return nil, fmt.Errorf("%w: invite %s: %w", speech.ErrNoCodec, target, err)
	}
	if err != nil {
		return nil, fmt.Errorf("invite %s: %w", target, err)
	}
	g := &dialog{dialer: d, session: session, answer: answer, refresh: i.Answer}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dialogs == nil {
		d.dialogs = make(map[*dialog]struct{})
	}
	d.dialogs[g] = struct{}{}
	return g, nil
}

// Probe is part of v2.Dialer.
func (d *Dialer) Probe(_ context.Context, target string) error { return d.server(target).Available() }

// Dialogs is how many dialogs are open.
func (d *Dialer) Dialogs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dialogs)
}

// Has tells whether any open dialog has a resource.
func (d *Dialer) Has(resource string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.dialogs {
		if g.session.has(resource) {
			return true
		}
	}
	return false
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
		answers = append(answers, g.refresh(g.session.Description(sdp.ConnectionExisting)))
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

// Answer is part of v2.Dialog.
func (g *dialog) Answer() []byte { return g.answer }

// Reoffer is part of v2.Dialog.
func (g *dialog) Reoffer(_ context.Context, offer []byte) ([]byte, error) {
	return g.session.Reoffer(offer)
}

// Done is part of v2.Dialog.
func (g *dialog) Done() <-chan struct{} { return g.session.Done() }

// Bye is part of v2.Dialog.
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
