package vxml

import (
	"context"
	"strings"
	"time"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/ssml"
)

// queue is the prompts that wait to be played (VoiceXML 2.0 section 4.1.8).
type queue struct {
	prompts []Prompt
	timeout *time.Duration // of the last prompt; nil: it named none
	mark    mark           // the last one in what was played before the current wait ended
	// arriving are recordings of this session that were not there when they were queued.
	arriving []*fetch.Stream
}

// close gives up what has not arrived.
func (q *queue) close() {
	for _, s := range q.arriving {
		s.Close()
	}
}

// mark is a <mark> and how long before the end of the playing it was reached.
type mark struct {
	name string
	ago  time.Duration
}

func (q *queue) drop() { q.prompts, q.timeout = nil, nil }

// take empties the queue.
func (q *queue) take() []Prompt {
	out := q.prompts
	q.prompts = nil
	return out
}

// prompt queues the prompts of an item that are due (section 4.1.6): of those
// whose condition holds, the ones of the highest count not above the item's counter.
func (s *session) prompt(ctx context.Context, item *doc.Common) error {
	d := s.dialog
	count := d.asked.again(item.Name, "")
	var eligible []*doc.Prompt
	best := 0
	for _, p := range item.Prompts {
		if p.Count > count {
			continue
		}
		ok, err := s.holds(ctx, p.Pos, p.Cond)
		if err != nil {
			return err
		}
		if ok {
			eligible = append(eligible, p)
			best = max(best, p.Count)
		}
	}
	for _, p := range eligible {
		if p.Count == best {
			if err := s.enqueue(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// say is a prompt in executable content, whose count says nothing.
func (s *session) say(ctx context.Context, p *doc.Prompt) error {
	ok, err := s.holds(ctx, p.Pos, p.Cond)
	if err != nil || !ok {
		return err
	}
	return s.enqueue(ctx, p)
}

func (s *session) enqueue(ctx context.Context, p *doc.Prompt) error {
	segments := p.Constant
	if segments == nil {
		var err error
		segments, err = ssml.Render(ctx, ssml.Prompt{Content: p.Content, Language: p.Language}, &promptEnv{s, &p.Pos})
		if err != nil {
			return err
		}
	}
	s.queue.timeout = p.Timeout
	if len(segments) == 0 {
		return nil
	}
	set := s.properties()
	out := Prompt{
		Segments: segments, BargeIn: set.Bool("bargein"), BargeType: set.Get("bargeintype"), Language: p.Language, Properties: set,
	}
	if p.BargeIn != "" {
		out.BargeIn = p.BargeIn == "true"
	}
	if p.BargeInType != "" {
		out.BargeType = p.BargeInType
	}
	if s.teller != nil || s.tracer != nil {
		out.text = out.Text()
	}
	s.step(Queued, out.text)
	if s.gone != "" {
		s.trace(TraceEvent{Unheard, out.text})
		return nil
	}
	s.queue.prompts = append(s.queue.prompts, out)
	return nil
}

// Text is what a prompt says, for logs and transcripts: recordings by their address.
func (p Prompt) Text() string {
	if p.text != "" {
		return p.text
	}
	parts := make([]string, 0, 4)
	for _, seg := range p.Segments {
		switch {
		case seg.Audio != nil:
			parts = append(parts, "["+seg.Audio.URI+"]")
		case seg.Text != "":
			parts = append(parts, seg.Text)
		}
	}
	return strings.Join(parts, " ")
}

// promptEnv evaluates what a prompt leaves open.
type promptEnv struct {
	s   *session
	pos *doc.Pos
}

func (e *promptEnv) Value(ctx context.Context, v *ssml.Value) (string, error) {
	pos := *e.pos
	pos.Line = v.Line
	out, err := e.s.eval(ctx, pos, v.Expr)
	return out.String(), err
}

func (e *promptEnv) Mark(ctx context.Context, m *ssml.Mark) (string, error) {
	if m.NameExpr == "" {
		return m.Name, nil
	}
	v, err := e.s.eval(ctx, *e.pos, m.NameExpr)
	return v.String(), err
}

// Audio fetches a recording. An expression that is undefined leaves the element
// out, alternate content and all (VoiceXML 2.0 section 4.1.3).
func (e *promptEnv) Audio(ctx context.Context, a *ssml.Audio) (*ssml.Clip, error) {
	ref := a.Src
	if a.Expr != "" {
		v, err := e.s.eval(ctx, *e.pos, a.Expr)
		if err != nil {
			return nil, err
		}
		if v.Undefined() || v.Null() {
			return nil, nil
		}
		ref = v.String()
	}
	if ref == "" {
		return nil, ssml.ErrUnavailable
	}
	if tape := e.s.tapes[ref]; tape != nil {
		return &ssml.Clip{URI: ref, MediaType: tape.MediaType, Data: tape.Data}, nil
	}
	clip, err := e.s.recording(ctx, *e.pos, ref, doc.Fetch{
		Timeout: a.Source.Attr("fetchtimeout"), MaxAge: a.Source.Attr("maxage"), MaxStale: a.Source.Attr("maxstale"),
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		e.s.log.Warn("audio is not available", "uri", ref, "page", e.pos.URL, "line", a.Source.Line, "error", err)
		return nil, ssml.ErrUnavailable
	}
	return clip, nil
}

// recording gets what <audio> refers to: all of it, or, where the platform can play it
// so, the beginning.
func (s *session) recording(ctx context.Context, pos doc.Pos, ref string, how doc.Fetch) (*ssml.Clip, error) {
	if _, ok := s.platform.(Streamer); !ok {
		r, err := s.fetch(ctx, pos, ref, fetchOf{how, "audio"})
		if err != nil {
			return nil, err
		}
		return &ssml.Clip{URI: r.URL, MediaType: r.MediaType, Data: r.Body}, nil
	}
	req, err := s.reference(pos, ref, fetchOf{how, "audio"})
	if err != nil {
		return nil, err
	}
	s.visit(Fetching, req.URL, nil)
	from, err := s.in.library.open(ctx, req)
	s.visit(Fetched, req.URL, err)
	if err != nil {
		return nil, err
	}
	clip := &ssml.Clip{URI: from.URL, MediaType: from.MediaType}
	if r := from.Whole(); r != nil {
		clip.Data = r.Body
		return clip, from.Close()
	}
	clip.Stream = from
	s.queue.arriving = append(s.queue.arriving, from)
	return clip, nil
}

func (e *promptEnv) Foreach(ctx context.Context, f *ssml.Foreach, body func() error) error {
	pos := *e.pos
	pos.Line = f.Line
	return e.s.iterate(ctx, pos, f.Array, f.Item, body)
}

// Enumerate goes through the choices of the menu, or the options of the field,
// that is being visited (VoiceXML 2.0 section 2.2.4).
func (e *promptEnv) Enumerate(ctx context.Context, en *ssml.Enumerate, body func() error, say func(string)) error {
	var choices []doc.Option
	if e.s.dialog != nil {
		choices = options(e.s.dialog.item)
	}
	if choices == nil {
		return &Event{Name: "error.semantic", Message: e.pos.String() + ": <enumerate> is neither in a menu nor in a field with options"}
	}
	return e.s.anonymously(nil, func() error {
		for _, c := range choices {
			if len(en.Content) == 0 {
				say(" " + c.Text + ". ")
				continue
			}
			for name, text := range map[string]string{"_prompt": c.Text, "_dtmf": c.DTMF} {
				if err := e.s.scope().Declare(name, e.s.machine.Value(text)); err != nil {
					return semantic(ctx, *e.pos, err)
				}
			}
			if err := body(); err != nil {
				return err
			}
		}
		return nil
	})
}

func options(item doc.Item) []doc.Option {
	switch item := item.(type) {
	case *doc.Field:
		return item.Options
	case *doc.Menu:
		var out []doc.Option
		for _, c := range item.Choices {
			out = append(out, doc.Option{Text: c.Text, DTMF: c.DTMF})
		}
		return out
	}
	return nil
}
