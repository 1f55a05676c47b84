package dialog

import (
	"context"
	"slices"
	"sync"

	"mcp/control/call/voice"
	"mcp/control/reporting"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// The media types of dialogs.
const (
	moml      = "application/moml+xml"
	vxmlOfOld = "application/vxml+xml" // as RFC 5707 calls it
	vxmlType  = "application/voicexml+xml"
)

// Start begins the dialog of a <dialogstart> and performs it until it has ended.
func (p *Place) Start(parts Parts, client *Client, name string, n *doc.Node) (*Dialog, error) {
	d := &Dialog{name: name, on: p, client: client, parts: parts, done: make(chan struct{}), vars: map[string]string{}}
	perform, err := d.performance(n)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(reporting.WithCall(context.Background(), client.Call))
	d.cancel = cancel
	if err := p.add(d); err != nil {
		cancel()
		return nil, err
	}
	client.Log.Info("msml dialog", "id", d.ID())
	client.tasks.Go(func() {
		defer close(d.done)
		defer cancel()
		err := perform(ctx)
		p.remove(d)
		d.exit(err)
	})
	return d, nil
}

// performance is what a dialog does, by its language.
func (d *Dialog) performance(n *doc.Node) (func(context.Context) error, error) {
	src, external := n.Lookup("src")
	switch kind := n.Attr("type"); {
	case kind == vxmlType || kind == vxmlOfOld:
		if d.parts.Pages == nil || d.on.Call == nil {
			return nil, doc.Faultf(doc.UnsupportedLanguage, "VoiceXML does not run on %s", d.on.ID)
		}
		return func(ctx context.Context) error { return d.page(ctx, src) }, nil
	case kind != "" && kind != moml:
		return nil, doc.Faultf(doc.UnsupportedLanguage, "dialogs in %s are not supported", kind)
	case external:
		return func(ctx context.Context) error { return d.external(ctx, src) }, nil
	}
	if err := d.precheck(n); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return d.perform(ctx, n.Elements(), nil) }, nil
}

// precheck refuses at once what could not be performed later.
func (d *Dialog) precheck(n *doc.Node) (err error) {
	switch n.Name {
	case "collect", "dtmf":
		_, err = compile(n)
	case "tts":
		_, err = d.engine(n, (*voice.Voices).Speaker)
	case "speech":
		if _, err = d.engine(n, (*voice.Voices).Recognizer); err == nil {
			err = precompile(n)
		}
	case "progress":
		err = d.analysable(n)
	}
	if err != nil {
		return err
	}
	for _, c := range n.Elements() {
		if err := d.precheck(c); err != nil {
			return err
		}
	}
	return nil
}

// external performs a dialog that is somewhere else.
func (d *Dialog) external(ctx context.Context, src string) error {
	r, err := d.parts.Fetcher.Get(ctx, fetch.Request{URL: src})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return doc.Faultf(doc.FetchError, "%v", err)
	}
	root, err := doc.ParseDialog(r.Body)
	if err == nil {
		err = d.precheck(root)
	}
	if err != nil {
		return err
	}
	return d.perform(ctx, root.Elements(), nil)
}

// page performs a VoiceXML page. What it exits with goes to the client.
func (d *Dialog) page(ctx context.Context, src string) error {
	c := d.on.Call
	d.on.Speech.voices.Silence()
	back := d.on.Keys.lend(c.Caller().Digits())
	defer back()
	program, err := d.parts.Pages.Open(ctx, c, map[string]string{"voicexml": src})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return doc.Faultf(doc.FetchError, "%v", err)
	}
	d.mu.Lock()
	page := &running{kind: "page", events: make(chan string, 16)}
	d.active = append(d.active, page)
	d.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	var heeding sync.WaitGroup
	heeding.Go(func() { page.heed(ctx, stop) })
	defer heeding.Wait()
	defer stop()
	ending := program.Run(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if ending.Dialogue != nil {
		for name, value := range ending.Dialogue.Exit {
			d.vars[name] = value
			d.result = append(d.result, name)
		}
		slices.Sort(d.result)
	}
	if ending.Err != nil && ctx.Err() == nil {
		return doc.Faultf(doc.ForeignError, "%v", ending.Err)
	}
	return nil
}

// heed ends a page that the client terminates, until its context ends.
func (r *running) heed(ctx context.Context, end func()) {
	for {
		select {
		case event := <-r.events:
			if event == "terminate" {
				end()
			}
		case <-ctx.Done():
			return
		}
	}
}
