package vxml

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/property"
	"mcp/vxml/script"
	"mcp/vxml/secrecy"
)

// dialog is one visit to a form or menu.
type dialog struct {
	form     *doc.Form
	scope    *script.Scope
	inner    *anonymous // scope of what is being executed, or nil
	item     doc.Item   // being visited, or nil
	asked    tally      // how often each item has been prompted
	thrown   tally      // how often each event was, while each was visited
	filled   map[string]bool
	next     string            // of <goto nextitem>
	computed map[string]string // properties of the dialog that are expressions
	visited  map[string]string // and those of the item
	set      *property.Set     // properties in force while setOf is visited; nil: nobody has asked
	setOf    doc.Item
	silent   bool // the last event was handled without <reprompt>
	reprompt bool // <reprompt> was executed in the handler
}

// open begins a visit.
func (s *session) open(form *doc.Form) {
	s.dialog = &dialog{form: form, scope: s.machine.NewScope(s.stage.document, "dialog")}
}

func (d *dialog) properties(set *property.Set) *property.Set {
	set = d.form.Properties.Within(set).Within(d.computed)
	if d.item != nil {
		set = d.item.Base().Properties.Within(set).Within(d.visited)
	}
	return set
}

// inputs are the names of the input items; of those that the page named, or all.
func (d *dialog) inputs(named bool) []string {
	var names []string
	for _, item := range d.form.Items {
		if doc.Input(item) && (item.Base().Visible || !named) {
			names = append(names, item.Base().Name)
		}
	}
	return names
}

// interpret is the form interpretation algorithm (VoiceXML 2.0 appendix C).
// What was said before the dialog was entered, because one of its grammars
// matched, is processed first.
func (s *session) interpret(ctx context.Context, said *input) error {
	name := s.dialog.form.ID
	s.step(DialogEntered, name)
	defer func() {
		s.changes()
		s.step(DialogLeft, name)
	}()
	err := s.initializeForm(ctx)
	if err == nil && said != nil {
		err = s.process(ctx, nil, visit{input: said})
	}
	for {
		if err = s.settle(ctx, err); err != nil {
			return err
		}
		s.changes()
		if err = s.spend(ctx); err != nil {
			continue
		}
		var item doc.Item
		if item, err = s.selectItem(ctx); err != nil {
			continue
		}
		if item == nil {
			return &exited{end: Exited}
		}
		s.step(Selected, item.Base().Name)
		var v visit
		if v, err = s.collect(ctx, item); err == nil {
			err = s.process(ctx, item, v)
		}
	}
}

// maxValue is how long the value of a variable may be that is told of, in bytes.
const maxValue = 200

// changes tells of the variables that have changed since it last did. What a page makes
// of what the caller gives in private it makes mostly at once, so of what has changed
// meanwhile no value is told, and what is an object then is never shown.
func (s *session) changes() {
	if s.values == nil || s.teller == nil || !s.values() {
		return
	}
	hide := s.hushed || s.confidential()
	s.hushed = false
	scopes := []*script.Scope{s.stage.app, s.stage.document}
	if s.dialog != nil {
		scopes = append(scopes, s.dialog.scope)
	}
	for _, scope := range scopes {
		if scope == nil {
			continue
		}
		scope.Changed(func(v script.Value) string { return v.Brief(maxValue, s.secrets.Value) }, func(name string, v script.Value, text string) {
			if hide {
				v.Hide()
				text = secrecy.Mask
			}
			if !strings.Contains(name, " ") { // of an item that the page gave no name
				s.step(Changed, scope.Name()+"."+name+" = "+text)
			}
		})
	}
}

// settle handles the events in err, and whatever their handlers throw, until
// the dialog goes on (nil) or is left.
func (s *session) settle(ctx context.Context, err error) error {
	for err != nil {
		if jump, ok := errors.AsType[*jumped](err); ok {
			s.dialog.next = jump.item
			return nil
		}
		event := asEvent(err)
		if event == nil {
			return err
		}
		err = s.handle(ctx, event)
		if err == nil && s.dialog == nil {
			return &exited{end: Exited}
		}
	}
	return nil
}

// initializeForm declares the form's variables and its items', in document order.
func (s *session) initializeForm(ctx context.Context) error {
	d := s.dialog
	params := s.stage.params
	s.stage.params = nil
	declared := make(map[string]bool)
	for _, a := range d.form.Init {
		v, ok := a.(*doc.Var)
		if !ok {
			if err := s.execute(ctx, a); err != nil {
				return err
			}
			continue
		}
		declared[v.Name] = true
		if given, ok := params[v.Name]; ok {
			if err := d.scope.Declare(v.Name, given); err != nil {
				return semantic(ctx, v.Pos, err)
			}
		} else if err := s.execute(ctx, v); err != nil {
			return err
		}
	}
	var err error
	d.computed, err = s.compute(ctx, d.form.Computed...)
	if d.set = nil; err != nil {
		return err
	}
	for name := range params {
		if !declared[name] {
			return &Event{Name: "error.semantic", Message: d.form.String() + ": declares no variable for the parameter " + name}
		}
	}
	for _, item := range d.form.Items {
		if err := s.initializeItem(ctx, item.Base()); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) initializeItem(ctx context.Context, c *doc.Common) error {
	var v script.Value
	if c.Expr != "" {
		var err error
		if v, err = s.eval(ctx, c.Pos, c.Expr); err != nil {
			return err
		}
	}
	return semantic(ctx, c.Pos, s.dialog.scope.Declare(c.Name, v))
}

// selectItem is the select phase: the item that <goto nextitem> named, or the
// first that has no value and whose condition holds.
func (s *session) selectItem(ctx context.Context) (doc.Item, error) {
	d := s.dialog
	next := d.next
	d.next, d.item = "", nil
	for _, item := range d.form.Items {
		c := item.Base()
		if next != "" {
			if c.Name == next {
				d.item = item
				return item, nil
			}
			continue
		}
		if !d.scope.Get(c.Name).Undefined() {
			continue
		}
		ok, err := s.holds(ctx, c.Pos, c.Cond)
		if err != nil {
			return nil, err
		}
		if ok {
			d.item = item
			return item, nil
		}
	}
	if next != "" {
		return nil, &Event{Name: "error.badfetch", Message: d.form.String() + ": the form has no item " + strconv.Quote(next)}
	}
	return nil, nil
}

// visit is what the collect phase brings: input, or the item's value with its
// shadow, or nothing at all.
type visit struct {
	input   *input
	value   script.Value
	shadow  script.Value
	nothing bool
}

// collect is the collect phase: prompts are queued and the item is executed.
func (s *session) collect(ctx context.Context, item doc.Item) (visit, error) {
	var err error
	s.dialog.visited, err = s.compute(ctx, item.Base().Computed...)
	if s.dialog.set = nil; err != nil {
		return visit{}, err
	}
	if !s.dialog.silent {
		if err := s.prompt(ctx, item.Base()); err != nil {
			return visit{}, err
		}
	}
	s.dialog.silent = false
	clear(s.dialog.filled)
	switch item := item.(type) {
	case *doc.Subdialog:
		v, err := s.subdialog(ctx, item)
		return visit{value: v}, err
	case *doc.Record:
		return s.record(ctx, item)
	case *doc.Transfer:
		return s.transfer(ctx, item)
	case *doc.Object:
		v, err := s.object(ctx, item)
		return visit{value: v}, err
	case *doc.Block:
		return visit{}, nil
	}
	on, err := s.repertoire(ctx, item)
	if err != nil {
		return visit{}, err
	}
	in, err := s.wait(ctx, on)
	return visit{input: in}, err
}

func unsupported(pos doc.Pos) error {
	return &Event{Name: "error.unsupported." + pos.Element, Message: pos.String() + " is not supported"}
}

// process is the process phase: the item gets its value, and <filled> follows.
func (s *session) process(ctx context.Context, item doc.Item, v visit) error {
	clear(s.dialog.filled)
	if v.input != nil {
		return s.understand(ctx, v.input)
	}
	if item, ok := item.(*doc.Block); ok {
		if err := s.dialog.scope.Declare(item.Name, s.machine.Value(true)); err != nil {
			return semantic(ctx, item.Pos, err)
		}
		return s.block(ctx, item.Body)
	}
	if v.nothing || item == nil {
		return nil
	}
	c := item.Base()
	if err := s.give(c.Name, c.Visible, v); err != nil {
		return semantic(ctx, c.Pos, err)
	}
	return s.runFilled(ctx)
}

// fill gives an input item its value.
func (s *session) fill(name string, v script.Value) error {
	if s.dialog.filled == nil {
		s.dialog.filled = make(map[string]bool)
	}
	s.dialog.filled[name] = true
	s.keepSecret(name, v)
	s.trace(TraceEvent{Filled, name + " = " + s.private(v.JSON())})
	return s.dialog.scope.Declare(name, v)
}

// runFilled runs the <filled> elements that what was just filled concerns, in
// document order (VoiceXML 2.0 section 2.4).
func (s *session) runFilled(ctx context.Context) error {
	d := s.dialog
	type due struct {
		item   doc.Item // nil: of the form
		names  []string
		filled *doc.Filled
	}
	var all []due
	for _, item := range d.form.Items {
		for _, f := range item.Base().Filled {
			all = append(all, due{item, []string{item.Base().Name}, f})
		}
	}
	for _, f := range d.form.Filled {
		names := f.Namelist
		if len(names) == 0 {
			names = d.inputs(false)
		}
		all = append(all, due{nil, names, f})
	}
	slices.SortFunc(all, func(a, b due) int { return a.filled.Order - b.filled.Order })
	visited := d.item
	for _, f := range all {
		if !d.concerned(f.names, f.filled.Any) {
			continue
		}
		// What is thrown is thrown where the element stands (section 5.2.4).
		d.item = f.item
		if err := s.runOne(ctx, f.filled, f.names); err != nil {
			return err
		}
	}
	d.item = visited
	return nil
}

func (s *session) runOne(ctx context.Context, f *doc.Filled, items []string) error {
	if s.teller == nil {
		return s.block(ctx, f.Body)
	}
	names := strings.Join(items, " ")
	s.step(FilledEntered, names)
	defer s.step(FilledLeft, names)
	return s.block(ctx, f.Body)
}

// concerned tells whether one of the named items was just filled and, unless
// any is enough, all have values.
func (d *dialog) concerned(names []string, enough bool) bool {
	any, all := false, true
	for _, name := range names {
		any = any || d.filled[name]
		all = all && !d.scope.Get(name).Undefined()
	}
	return any && (all || enough)
}
