package vxml

import (
	"context"
	"errors"
	"log/slog"
	"strings"

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
	s.log.Log(ctx, level, "event thrown", "event", event.Name, "message", event.Message, "page", s.stage.url())
	if s.dialog != nil {
		s.dialog.count(event.Name)
		s.dialog.reprompt = false
	}
	h, err := s.handler(ctx, event)
	switch {
	case err != nil:
		return err
	case h == nil:
		err = s.unhandled(event)
	default:
		err = s.anonymously(func(scope *script.Scope) error {
			if err := s.announce(scope, event); err != nil {
				return semantic(ctx, h.Pos, err)
			}
			defer s.adopt(h)()
			s.step(HandlerEntered, event.Name)
			defer s.step(HandlerLeft, event.Name)
			return s.all(ctx, h.Body)
		})
		if s.in.defaults.provides(h) {
			err = s.byDefault(event, err)
		}
	}
	if s.dialog != nil {
		s.dialog.silent = !s.dialog.reprompt
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
func (s *session) announce(scope *script.Scope, event *Event) error {
	message := script.Value{}
	if event.Message != "" {
		message = s.machine.Value(event.Message)
	}
	if err := scope.Declare("_event", s.machine.Value(event.Name)); err != nil {
		return err
	}
	return scope.Declare("_message", message)
}

// handler selects among the handlers of the item, the dialog, the document, the
// application root and the platform, in that order: those that match, whose count is reached
// and whose condition holds; of these, those of the highest count; of these, the
// first. Nil means that there is none.
func (s *session) handler(ctx context.Context, event *Event) (*doc.Catch, error) {
	var best *doc.Catch
	err := s.anonymously(func(scope *script.Scope) error {
		if err := s.announce(scope, event); err != nil {
			return err
		}
		for _, h := range s.handlers() {
			count := s.reached(h, event)
			if count < h.Count || best != nil && h.Count <= best.Count {
				continue
			}
			ok, err := s.holds(ctx, h.Pos, h.Cond)
			if err != nil {
				return err
			}
			if ok {
				best = h
			}
		}
		return nil
	})
	return best, err
}

func (s *session) handlers() []*doc.Catch {
	var all []*doc.Catch
	if d := s.dialog; d != nil {
		if d.item != nil {
			all = append(all, d.item.Base().Catches...)
		}
		all = append(all, d.form.Catches...)
	}
	if s.stage.page != nil {
		all = append(all, s.stage.page.Catches...)
	}
	if s.stage.rootPage != nil && s.stage.rootPage != s.stage.page {
		all = append(all, s.stage.rootPage.Catches...)
	}
	return append(all, s.in.defaults.page.Catches...)
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

// count counts an event for the item visited, by its name and by every prefix
// that a handler may catch it by.
func (d *dialog) count(name string) {
	if d.events == nil {
		return
	}
	d.events[d.at("")]++
	for i, r := range name {
		if r == '.' {
			d.events[d.at(name[:i])]++
		}
	}
	d.events[d.at(name)]++
}

// counted is how often the event was thrown, at least once: it just was.
func (d *dialog) counted(name string) int {
	if d == nil || name == "." {
		return 1
	}
	return max(1, d.events[d.at(name)])
}

// at is the key of the item visited and an event.
func (d *dialog) at(event string) string {
	if d.item == nil {
		return "\x00" + event
	}
	return d.item.Base().Name + "\x00" + event
}

// forget resets the event counters of an item.
func (d *dialog) forget(item string) {
	for key := range d.events {
		if strings.HasPrefix(key, item+"\x00") {
			delete(d.events, key)
		}
	}
}

// unhandled is the last resort: neither a page nor the platform's defaults page handles the event.
func (s *session) unhandled(event *Event) error {
	s.log.Error("no handler for the event: the session ends", "event", event.Name, "message", event.Message, "page", s.stage.url())
	return s.finished(event)
}

// finished is the end of a session by the platform's own handler of an event.
func (s *session) finished(event *Event) error {
	switch {
	case event.Name == "exit":
		return &exited{end: Exited}
	case event.Matches("connection.disconnect"):
		return &exited{end: or(s.gone, HungUp)}
	}
	return &exited{end: or(s.gone, Errored)}
}

// byDefault runs a handler of the platform's defaults page, whose <exit> is the
// platform's and not the application's.
func (s *session) byDefault(event *Event, err error) error {
	var left *exited
	if !errors.As(err, &left) {
		return err
	}
	ended := s.finished(event)
	if errors.As(ended, &left) && left.end == Errored {
		return s.unhandled(event)
	}
	return ended
}

func or(e, otherwise End) End {
	if e == "" {
		return otherwise
	}
	return e
}
