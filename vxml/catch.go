package vxml

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"mcp/vxml/doc"
	"mcp/vxml/script"
)

// handle finds the handler of an event and runs it (VoiceXML 2.0 section 5.2.4).
func (s *session) handle(ctx context.Context, event *Event) error {
	s.last = event
	s.trace(TraceEvent{Thrown, event.Error()})
	level := slog.LevelDebug
	if event.Matches("error") {
		level = slog.LevelWarn // the author of the page will want to know
	}
	if s.log.Enabled(ctx, level) {
		s.log.Log(ctx, level, "event thrown", "event", event.Name, "message", event.Message, "page", s.stage.url())
	}
	if s.dialog != nil {
		s.dialog.thrown.again(s.dialog.visiting(), event.Name)
		s.dialog.reprompt = false
	}
	if err := s.machine.Lost(); err != nil {
		return err
	}
	if s.events++; s.events > s.in.limits.Events {
		return s.exhausted("events thrown without a wait for the caller, the last of them " + event.Error())
	}
	err := s.anonymously(event, func() error {
		h, err := s.handler(ctx, event)
		switch {
		case err != nil:
			return err
		case h == nil:
			return s.unhandled(event)
		}
		return s.handleBy(ctx, h, event)
	})
	if s.dialog != nil {
		s.dialog.silent = !s.dialog.reprompt
	}
	return err
}

// handleBy runs a handler where its variables are in force.
func (s *session) handleBy(ctx context.Context, h *doc.Catch, event *Event) error {
	defer s.adopt(h)()
	s.step(HandlerEntered, event.Name)
	err := s.all(ctx, h.Body)
	s.step(HandlerLeft, event.Name)
	if s.in.defaults.provides(h) {
		return s.byDefault(event, err)
	}
	return err
}

// adopt makes a handler of the application root a part of the page that it is
// inherited by, until the function returned is called.
func (s *session) adopt(h *doc.Catch) func() {
	g := s.stage
	before := g.adopted
	g.adopted = g.rootPage != g.page && h.URL == g.rootURL()
	return func() { g.adopted = before }
}

// announce sets the variables that a handler sees.
func announce(m *script.Machine, scope *script.Scope, event *Event) {
	message := script.Value{}
	if event.Message != "" {
		message = m.Value(event.Message)
	}
	// Where this fails the machine is lost, which whoever asks for the scope is told next.
	_ = scope.Declare("_event", m.Value(event.Name))
	_ = scope.Declare("_message", message)
}

// handler selects among the handlers of the item, the dialog, the document, the
// application root and the platform, in that order: those that match, whose count is reached
// and whose condition holds; of these, those of the highest count; of these, the
// first. Nil means that there is none. It is called where the handler's variables are
// in force.
func (s *session) handler(ctx context.Context, event *Event) (*doc.Catch, error) {
	var best *doc.Catch
	for _, place := range s.handlers() {
		for _, h := range place {
			count := s.reached(h, event)
			if count < h.Count || best != nil && h.Count <= best.Count {
				continue
			}
			ok, err := s.holds(ctx, h.Pos, h.Cond)
			if err != nil {
				return nil, err
			}
			if ok {
				best = h
			}
		}
	}
	return best, nil
}

// handlers are those in force, the innermost first.
func (s *session) handlers() (places [5][]*doc.Catch) {
	if d := s.dialog; d != nil {
		if d.item != nil {
			places[0] = d.item.Base().Catches
		}
		places[1] = d.form.Catches
	}
	if s.stage.page != nil {
		places[2] = s.stage.page.Catches
	}
	if s.stage.rootPage != nil && s.stage.rootPage != s.stage.page {
		places[3] = s.stage.rootPage.Catches
	}
	places[4] = s.in.defaults.page.Catches
	return places
}

// reached is how often the name by which h catches the event has been thrown;
// 0 when h does not catch it.
func (s *session) reached(h *doc.Catch, event *Event) int {
	names := h.Events
	if len(names) == 0 {
		names = []string{""}
	}
	most := 0
	for _, name := range names {
		if event.Matches(name) {
			most = max(most, s.dialog.counted(name))
		}
	}
	return most
}

// tally counts what happens to the items of a form: it lists what has happened.
type tally []counted

// counted is how often an event was thrown while an item was visited or, with no item
// named, none; with no event named, how often the item was prompted.
type counted struct {
	item, event string
	count       int
}

// again counts once more.
func (t *tally) again(item, event string) int {
	for i := range *t {
		if c := &(*t)[i]; c.item == item && c.event == event {
			c.count++
			return c.count
		}
	}
	*t = append(*t, counted{item, event, 1})
	return 1
}

// of is how often what the name catches happened to an item.
func (t tally) of(item, name string) (n int) {
	for _, c := range t {
		if c.item == item && catches(name, c.event) {
			n += c.count
		}
	}
	return n
}

// forget resets the counters of an item.
func (t *tally) forget(item string) {
	*t = slices.DeleteFunc(*t, func(c counted) bool { return c.item == item })
}

// counted is how often what the name catches was thrown, at least once: an event just was.
func (d *dialog) counted(name string) int {
	if d == nil {
		return 1
	}
	return max(1, d.thrown.of(d.visiting(), name))
}

// visiting is the name of the item that is being visited, if one is.
func (d *dialog) visiting() string {
	if d.item == nil {
		return ""
	}
	return d.item.Base().Name
}

// unhandled is the last resort: neither a page nor the platform's defaults page handles the event.
func (s *session) unhandled(event *Event) error {
	s.log.Error("no handler for the event: the session ends", "event", event.Name, "message", event.Message, "page", s.stage.url())
	return &exited{end: s.finished(event)}
}

// finished is how a session ends by the platform's own handler of an event.
func (s *session) finished(event *Event) End {
	switch {
	case event.Name == "exit":
		return Exited
	case event.Matches("connection.disconnect"):
		return cmp.Or(s.gone, HungUp)
	}
	return cmp.Or(s.gone, Errored)
}

// byDefault runs a handler of the platform's defaults page, whose <exit> is the
// platform's and not the application's.
func (s *session) byDefault(event *Event, err error) error {
	left, exits := errors.AsType[*exited](err)
	if !exits {
		return err
	}
	if *left = (exited{end: s.finished(event)}); left.end == Errored {
		return s.unhandled(event)
	}
	return left
}
