// Package dialog performs MSML's dialogs: what plays, collects, records, detects, speaks and
// listens on a connection or a conference (RFC 5707 section 9).
package dialog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp/control/service/msml/doc"
	"mcp/control/service/msml/spoken"
)

// Dialog is an automated participant: it performs the elements of <dialogstart> one
// after the other.
type Dialog struct {
	name   string
	on     *Place
	client *Client
	parts  Parts
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	vars   map[string]string
	active []*running
	ending bool     // the dialog is to end when what is active has ended
	result []string // names of variables for the client
}

// running is a primitive or a group that is being performed.
type running struct {
	kind, id string
	within   *running // the group, if it is in one
	barge    bool     // it is ended by who speaks
	events   chan string
}

// errLeave says that the dialog has come to an <exit> or <disconnect>.
var errLeave = errors.New("the dialog ends itself")

// ID is what the dialog is known by: conn:x/dialog:y.
func (d *Dialog) ID() string { return d.on.ID + "/dialog:" + d.name }

// exit tells the client that the dialog has ended, and what came of it.
func (d *Dialog) exit(err error) {
	d.mu.Lock()
	items := d.itemsLocked(d.result)
	d.mu.Unlock()
	var fault *doc.Fault
	switch {
	case err == nil, errors.Is(err, errLeave), errors.Is(err, context.Canceled):
	case errors.As(err, &fault):
		items = append(items, doc.Item{Name: "dialog.exit.status", Value: fmt.Sprint(fault.Code)},
			doc.Item{Name: "dialog.exit.description", Value: fault.Text})
	default:
		items = append(items, doc.Item{Name: "dialog.exit.status", Value: fmt.Sprint(doc.ServerError)},
			doc.Item{Name: "dialog.exit.description", Value: err.Error()})
	}
	d.client.Tell(doc.Event{Name: "msml.dialog.exit", ID: d.ID(), Items: items})
}

// itemsLocked are the values of variables.
func (d *Dialog) itemsLocked(names []string) (items []doc.Item) {
	for _, name := range names {
		items = append(items, doc.Item{Name: name, Value: d.vars[name], Type: written[name]})
	}
	return items
}

// written are the media types of variables that are documents.
var written = map[string]string{"speech.results": spoken.ResultsType}

// perform executes elements in order, in a group if one is given.
func (d *Dialog) perform(ctx context.Context, nodes []*doc.Node, within *running) error {
	for _, n := range nodes {
		d.mu.Lock()
		ending := d.ending
		d.mu.Unlock()
		if ending && !strings.HasPrefix(n.Name, "send") && n.Name != "exit" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.element(ctx, n, within); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dialog) element(ctx context.Context, n *doc.Node, within *running) error {
	switch n.Name {
	case "moml":
		return d.perform(ctx, n.Elements(), within)
	case "params", "relay":
		return nil
	case "send":
		d.send(n, within)
		return nil
	case "exit", "disconnect":
		d.leave(n)
		return errLeave
	}
	return d.primitive(ctx, n, d.enter(n, within))
}

// primitive performs a primitive or a group that events reach already.
func (d *Dialog) primitive(ctx context.Context, n *doc.Node, r *running) error {
	defer d.quit(r)
	switch n.Name {
	case "group":
		return d.group(ctx, n, r)
	case "play":
		return d.play(ctx, n, r)
	case "dtmf", "collect":
		return d.collect(ctx, n, r)
	case "record":
		return d.record(ctx, n, r)
	case "dtmfgen":
		return d.generateKeys(ctx, n, r)
	case "tonegen":
		return d.generateTones(ctx, n, r)
	case "vad":
		return d.vad(ctx, n, r)
	case "faxdetect":
		return d.faxdetect(ctx, n, r)
	case "speech":
		return d.listen(ctx, n, r)
	case "progress":
		return d.progress(ctx, n, r)
	}
	return d.element(ctx, n, r.within) // an action
}

// group performs primitives at once and ends when all have ended.
func (d *Dialog) group(ctx context.Context, n *doc.Node, self *running) error {
	var members []*doc.Node
	var last *doc.Node
	for _, child := range n.Elements() {
		if child.Name == "groupexit" {
			last = child
			continue
		}
		members = append(members, child)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, len(members))
	var all sync.WaitGroup
	begun := d.enterAll(members, self)
	for i, member := range members {
		all.Go(func() {
			err := d.primitive(ctx, member, begun[i])
			if err != nil {
				cancel()
			}
			failed <- err
		})
	}
	all.Wait()
	close(failed)
	var first error
	for err := range failed {
		if err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	if first != nil || last == nil {
		return first
	}
	return d.perform(ctx, last.Elements(), self.within)
}

// enterAll lets members of a group receive each other's events from the start.
func (d *Dialog) enterAll(members []*doc.Node, group *running) []*running {
	var all []*running
	for _, n := range members {
		all = append(all, d.enter(n, group))
	}
	return all
}

// enter makes an element one that events reach.
func (d *Dialog) enter(n *doc.Node, within *running) *running {
	kind := n.Name
	if kind == "collect" {
		kind = "dtmf"
	}
	r := &running{kind: kind, id: n.Attr("id"), within: within, barge: doc.BoolOf(n, "barge", false), events: make(chan string, 16)}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active = append(d.active, r)
	if d.ending {
		r.events <- "terminate"
	}
	return r
}

func (d *Dialog) quit(r *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active = slices.DeleteFunc(d.active, func(o *running) bool { return o == r })
}

// send is <send> within a dialog: an event for a primitive, the group, or the client.
func (d *Dialog) send(n *doc.Node, within *running) {
	target, event := n.Attr("target"), n.Attr("event")
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deliverLocked(target, event, within) {
		return
	}
	d.client.Tell(doc.Event{Name: event, ID: d.ID(), Items: d.itemsLocked(strings.Fields(n.Attr("namelist")))})
}

// kinds are the targets that events can be sent to within a dialog.
var kinds = []string{"group", "play", "dtmf", "collect", "record", "dtmfgen", "tonegen", "vad", "faxdetect", "speech", "progress"}

// deliverLocked hands an event to what a target names; false: it names nothing in
// the dialog, but the environment.
func (d *Dialog) deliverLocked(target, event string, within *running) bool {
	kind, id, _ := strings.Cut(target, ".")
	if !slices.Contains(kinds, kind) {
		return false
	}
	if kind == "collect" {
		kind = "dtmf"
	}
	for _, r := range d.active {
		named := r.kind == kind && (id == "" || r.id == id)
		if kind == "group" && id == "" {
			named = r == within
		}
		if named {
			d.hintLocked(r, event)
		}
	}
	return true
}

// hintLocked delivers an event; that to a group goes to its members (section 9.8).
func (d *Dialog) hintLocked(r *running, event string) {
	if r.kind != "group" {
		select {
		case r.events <- event:
		default: // one that takes no events does not hold up those that do
		}
		return
	}
	for _, member := range d.active {
		if member.within == r {
			d.hintLocked(member, event)
		}
	}
}

// bargedIn ends the prompts beside an element that may be ended by who speaks: an
// implicit terminate (section 9.7.1).
func (d *Dialog) bargedIn(beside *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.active {
		if r.kind == "play" && r.barge && r.within == beside.within {
			d.hintLocked(r, "terminate")
		}
	}
}

// leave is <exit> or <disconnect>.
func (d *Dialog) leave(n *doc.Node) {
	d.mu.Lock()
	d.result = strings.Fields(n.Attr("namelist"))
	d.mu.Unlock()
	if n.Name == "disconnect" && d.on.Call != nil {
		d.on.Call.HangUp()
	}
}

// Signal takes an event that a client has sent to the dialog, or to what target names in it.
func (d *Dialog) Signal(target, event string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if target != "" {
		d.deliverLocked(target, event, nil)
		return
	}
	if event == "terminate" {
		d.ending = true
	}
	for _, r := range d.active {
		if r.kind != "group" {
			d.hintLocked(r, event)
		}
	}
}

// set sets shadow variables, given in pairs.
func (d *Dialog) set(pairs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := 0; i < len(pairs); i += 2 {
		d.vars[pairs[i]] = pairs[i+1]
	}
}

// finally performs what an element says is to be done at its end.
func (d *Dialog) finally(ctx context.Context, n *doc.Node, name string, r *running) error {
	if c := doc.Child(n, name); c != nil {
		return d.perform(ctx, c.Elements(), r.within)
	}
	return nil
}

// span writes a duration as MSML does.
func span(t time.Duration) string { return fmt.Sprintf("%dms", t.Milliseconds()) }
