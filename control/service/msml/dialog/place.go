package dialog

import (
	"context"
	"log/slog"
	"sync"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/call/prompt"
	"mcp/control/media/record/store"
	"mcp/control/reporting"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// Fetcher gets recordings, grammars and dialogs; *fetch.Fetcher is one.
type Fetcher interface {
	prompt.Opener
	Get(ctx context.Context, req fetch.Request) (*fetch.Resource, error)
}

// Recordings begins recordings; *store.Store is one.
type Recordings interface {
	Begin(store.Request) (*store.Recording, error)
}

// Pages runs VoiceXML pages as dialogs.
type Pages interface {
	// Open makes a page ready on a call that is up; parameters are those of RFC
	// 5552, voicexml among them.
	Open(ctx context.Context, c *call.Call, params map[string]string) (call.Program, error)
}

// Parts is what dialogs work with. Without recordings, pages or call progress analysis,
// what needs them is refused.
type Parts struct {
	Fetcher    Fetcher
	Recordings Recordings
	Pages      Pages
	Progress   *progress.Lab
}

// Client is who begins dialogs, and is told of them.
type Client struct {
	Call  string // by its identifier
	Log   *slog.Logger
	Tell  func(doc.Event) // must not block
	tasks sync.WaitGroup
}

// Wait waits for the end of all dialogs that the client has begun.
func (c *Client) Wait() { c.tasks.Wait() }

// Place is where dialogs are: a connection or a conference. Call, Keys and Speech are nil
// of a conference.
type Place struct {
	ID     string // conn:x or conf:x
	Stage  Stage
	Call   *call.Call
	Keys   *Keys
	Speech *Speech
	Trail  *reporting.Trail // of who keeps its recordings

	mu      sync.Mutex // guards what follows
	dialogs map[string]*Dialog
	over    bool
}

// Find is the dialog of a name; nil: there is none.
func (p *Place) Find(name string) *Dialog {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialogs[name]
}

// Forsake ends the dialogs that a client has begun here.
func (p *Place) Forsake(c *Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.dialogs {
		if d.client == c {
			d.cancel()
		}
	}
}

// Close ends all dialogs, for good, and waits for their ends.
func (p *Place) Close() {
	p.mu.Lock()
	p.over = true
	var all []*Dialog
	for _, d := range p.dialogs {
		d.cancel()
		all = append(all, d)
	}
	p.mu.Unlock()
	for _, d := range all {
		<-d.done
	}
}

// add puts a dialog here.
func (p *Place) add(d *Dialog) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		return doc.Faultf(doc.NoSuchObject, "%s is over", p.ID)
	case p.dialogs[d.name] != nil:
		return doc.Faultf(doc.NameInUse, "%s is there already", d.ID())
	case p.dialogs == nil:
		p.dialogs = map[string]*Dialog{}
	}
	p.dialogs[d.name] = d
	return nil
}

func (p *Place) remove(d *Dialog) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.dialogs, d.name)
}
