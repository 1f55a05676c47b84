package ssml

import (
	"context"
	"errors"
	"strings"

	"mcp/vxml/fetch"
	"mcp/vxml/xmltree"
)

// ErrUnavailable says that a recording cannot be had: the alternate content of
// its <audio> is rendered instead (VoiceXML 2.0 section 4.1.3).
var ErrUnavailable = errors.New("audio is not available")

// Env evaluates what a prompt leaves open.
type Env interface {
	// Value evaluates an expression to text.
	Value(ctx context.Context, v *Value) (string, error)
	// Audio fetches a recording. Nil without an error leaves the element out.
	Audio(ctx context.Context, a *Audio) (*Clip, error)
	// Mark evaluates a mark's name.
	Mark(ctx context.Context, m *Mark) (string, error)
	// Foreach calls body once for each element of the array.
	Foreach(ctx context.Context, f *Foreach, body func() error) error
	// Enumerate calls body once for each choice of the menu or field, or says
	// the choices through say when the element is empty.
	Enumerate(ctx context.Context, e *Enumerate, body func() error, say func(string)) error
}

// Clip is a fetched recording.
type Clip struct {
	URI       string
	MediaType string // as the server said it, parameters included
	Data      []byte
	// Stream is a recording that still arrives, without Data. Who plays it closes it.
	Stream *fetch.Stream
}

// Segment is a piece of a prompt: speech, a recorded audio clip, or a mark. Exactly one of
// SSML, Audio and Mark is set.
type Segment struct {
	// SSML is a complete SSML 1.0 document (<speak>…</speak>).
	SSML string
	// Text is the plain text of SSML, for logs and the simulator.
	Text string
	// Audio is what <audio> named, already fetched.
	Audio *Clip
	// Mark is the name of a <mark> with no speech beside it, which needs no synthesizer.
	Mark string
}

// Prompt is what is rendered.
type Prompt struct {
	Content  []Node
	Language string
}

// Constant renders a prompt that says the same whenever it is said: one of text and
// elements alone. Of any other it is nil.
func Constant(p Prompt) []Segment {
	if !constant(p.Content) {
		return nil
	}
	out, _ := Render(context.Background(), p, nil) // what would fail is not there
	return out
}

func constant(nodes []Node) bool {
	for _, n := range nodes {
		switch n := n.(type) {
		case Text:
		case *Element:
			if !constant(n.Content) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Render evaluates a prompt into segments, in order.
func Render(ctx context.Context, p Prompt, env Env) ([]Segment, error) {
	r := &renderer{language: p.Language, env: env}
	if err := r.all(ctx, p.Content); err != nil {
		return nil, err
	}
	r.flush()
	return r.out, nil
}

type renderer struct {
	language string
	env      Env
	markup   strings.Builder
	text     strings.Builder
	audible  bool   // the segment holds text or a pause
	mark     string // the last one in it
	silent   bool   // within what something else is said for
	open     []*Element
	out      []Segment
}

func (r *renderer) all(ctx context.Context, nodes []Node) error {
	for _, n := range nodes {
		if err := r.node(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(ctx context.Context, n Node) error {
	switch n := n.(type) {
	case Text:
		r.say(string(n))
	case *Element:
		return r.element(ctx, n)
	case *Audio:
		return r.audio(ctx, n)
	case *Value:
		s, err := r.env.Value(ctx, n)
		if err != nil {
			return err
		}
		r.say(s)
	case *Mark:
		name, err := r.env.Mark(ctx, n)
		if err != nil {
			return err
		}
		r.markup.WriteString(`<mark name="` + xmltree.Escape(name) + `"/>`)
		r.mark = name
	case *Foreach:
		return r.env.Foreach(ctx, n, func() error { return r.all(ctx, n.Content) })
	case *Enumerate:
		return r.env.Enumerate(ctx, n, func() error { return r.all(ctx, n.Content) }, r.say)
	}
	return nil
}

func (r *renderer) say(s string) {
	if strings.TrimSpace(s) != "" {
		r.audible = true
	}
	r.markup.WriteString(xmltree.Escape(s))
	if !r.silent {
		r.text.WriteString(s)
	}
}

func (r *renderer) element(ctx context.Context, e *Element) error {
	if e.Name == "break" {
		r.audible = true
	}
	r.start(e)
	r.open = append(r.open, e)
	r.silent = e.Name == "sub"
	err := r.all(ctx, e.Content)
	r.silent = false
	if err != nil {
		return err
	}
	r.open = r.open[:len(r.open)-1]
	r.markup.WriteString("</" + e.Name + ">")
	switch e.Name {
	case "sub":
		r.text.WriteString(e.attr("alias"))
	case "p", "paragraph", "s", "sentence", "break":
		r.text.WriteByte(' ')
	}
	return nil
}

func (r *renderer) start(e *Element) {
	r.markup.WriteString("<" + e.Name)
	for _, a := range e.Attrs {
		r.markup.WriteString(" " + a.Name + `="` + xmltree.Escape(a.Value) + `"`)
	}
	r.markup.WriteByte('>')
}

func (r *renderer) audio(ctx context.Context, a *Audio) error {
	clip, err := r.env.Audio(ctx, a)
	if errors.Is(err, ErrUnavailable) {
		return r.all(ctx, a.Content)
	}
	if err != nil || clip == nil {
		return err
	}
	r.flush()
	r.out = append(r.out, Segment{Audio: clip})
	return nil
}

// flush ends the segment being written. Elements that are open are closed in it
// and opened again in the next.
func (r *renderer) flush() {
	markup, text, audible, mark := r.markup.String(), r.text.String(), r.audible, r.mark
	r.markup.Reset()
	r.text.Reset()
	r.audible, r.mark = false, ""
	switch {
	case audible:
		for i := len(r.open) - 1; i >= 0; i-- {
			markup += "</" + r.open[i].Name + ">"
		}
		r.out = append(r.out, Segment{
			SSML: `<?xml version="1.0"?><speak version="1.0" xmlns="` + Namespace + `" xml:lang="` +
				xmltree.Escape(r.language) + `">` + strings.TrimSpace(markup) + "</speak>",
			Text: strings.Join(strings.Fields(text), " "),
		})
	case mark != "":
		r.out = append(r.out, Segment{Mark: mark})
	}
	for _, e := range r.open {
		r.start(e)
	}
}
