package vxml

import (
	"context"
	"errors"
	"strings"

	"mcp/vxml/doc"
	"mcp/vxml/grammar"
	"mcp/vxml/script"
	"mcp/vxml/xmltree"
)

// input is what the caller said or pressed, the likeliest reading first.
type input struct {
	alternatives []alternative
	recorded     *Recorded // what was said, or nil
	tape         string    // and its URI for pages
}

// alternative is one reading of the input.
type alternative struct {
	active         *active
	tree           *grammar.Tree // nil when only the recognizer knows the grammar
	utterance      string
	interpretation string
	confidence     float64
	mode           string // "voice" or "dtmf"
}

// recognized turns the recognizer's result into input, or an event, or neither
// when it is no match.
func (s *session) recognized(r SpeechResult, all []*active) (*input, error) {
	switch r.Outcome {
	case NoMatch:
		return nil, nil
	case NoInput:
		return nil, &Event{Name: "noinput"}
	case MaxSpeech:
		return nil, &Event{Name: "maxspeechtimeout"}
	case Failed:
		var event *Event
		if errors.As(r.Err, &event) {
			return nil, event
		}
		return nil, &Event{Name: "error.noresource", Message: text(r.Err)}
	}
	least := s.properties().Float("confidencelevel")
	most := s.properties().Int("maxnbest")
	in := &input{recorded: r.Recorded}
	for _, a := range r.Alternatives {
		if a.Confidence < least || len(in.alternatives) == most {
			break
		}
		if out, ok := reading(a, all); ok {
			in.alternatives = append(in.alternatives, out)
		}
	}
	if len(in.alternatives) == 0 {
		return nil, nil
	}
	return in, nil
}

// unmatched is nomatch after words. What the engine took them for, if it says,
// pages find in application.lastresult$.
func (s *session) unmatched(r SpeechResult) error {
	in := &input{recorded: r.Recorded}
	for _, a := range r.Alternatives[:min(len(r.Alternatives), s.properties().Int("maxnbest"))] {
		in.alternatives = append(in.alternatives, alternative{
			utterance: a.Utterance, interpretation: a.Interpretation, confidence: a.Confidence, mode: "voice",
		})
	}
	if len(in.alternatives) == 0 {
		in.alternatives = []alternative{{mode: "voice"}}
	}
	return s.nomatch(in)
}

// nomatch is the event of input that belongs to no grammar. It counts as a
// recognition, and so sets application.lastresult$ (VoiceXML 2.0 section 5.1.5).
func (s *session) nomatch(in *input) error {
	if in.recorded != nil {
		in.tape = s.shelve(in.recorded)
	}
	meanings := make([]script.Value, 0, len(in.alternatives))
	for _, a := range in.alternatives {
		s.secret(a.utterance, a.interpretation)
		meanings = append(meanings, s.account(a))
	}
	if err := s.publish(in, meanings); err != nil {
		return err
	}
	return &Event{Name: "nomatch"}
}

func text(err error) string {
	if err == nil {
		return "the recognition failed"
	}
	return err.Error()
}

// reading finds the grammar of an alternative: the one that the engine names, or
// the first whose language the utterance belongs to. Our own reading of an
// utterance is preferred to the engine's account of it.
func reading(a Alternative, all []*active) (alternative, bool) {
	out := alternative{utterance: a.Utterance, interpretation: a.Interpretation, confidence: a.Confidence, mode: a.Mode}
	if out.mode == "" {
		out.mode = "voice"
	}
	var spoken *active
	for _, g := range all {
		if g.mode != grammar.Voice || a.GrammarID != "" && g.speech.ID != a.GrammarID {
			continue
		}
		if spoken == nil {
			spoken = g
		}
		if g.linked == nil {
			continue
		}
		for _, words := range a.spellings() {
			if tree := g.linked.Match(words); tree != nil {
				out.active, out.tree, out.utterance = g, tree, words
				return out, true
			}
		}
	}
	out.active = spoken
	return out, spoken != nil && len(a.Spellings) == 0
}

// spellings are the ways to write the utterance.
func (a Alternative) spellings() []string {
	if len(a.Spellings) > 0 {
		return a.Spellings
	}
	return []string{a.Utterance}
}

// meaning is the semantic value of an alternative.
func (s *session) meaning(ctx context.Context, a alternative) (script.Value, error) {
	switch {
	case a.active.linked == nil && a.tree == nil && a.mode == "dtmf":
		return s.machine.Value(a.utterance), nil
	case a.tree != nil:
		v, err := s.machine.Interpret(ctx, a.tree)
		if err != nil {
			return v, semantic(ctx, doc.Pos{URL: a.active.linked.URI, Element: "grammar"}, err)
		}
		return v, nil
	}
	if v := s.account(a); strings.HasPrefix(a.active.speech.URI, grammar.BuiltinScheme+"grammar/boolean") {
		return s.machine.Value(v.String() == "true"), nil
	}
	return s.account(a), nil
}

// account is the engine's own semantic value of an alternative, or the utterance
// when it gave none.
func (s *session) account(a alternative) script.Value {
	if strings.TrimSpace(a.interpretation) == "" {
		return s.machine.Value(a.utterance)
	}
	return s.machine.Value(instance(a.interpretation))
}

// instance reads the content of an NLSML <instance>: text is a string, elements
// are members of an object, and a repeated element is an array (SISR 1.0 section 7
// read backwards).
func instance(text string) any {
	root, err := xmltree.Parse([]byte("<instance>" + text + "</instance>"))
	if err != nil {
		return strings.TrimSpace(text)
	}
	if inner := root.Elements(); len(inner) == 1 && inner[0].Name == "instance" {
		root = inner[0]
	}
	return value(root)
}

func value(n *xmltree.Node) any {
	elements := n.Elements()
	if len(elements) == 0 {
		return strings.TrimSpace(n.Content())
	}
	object := make(map[string]any)
	for _, e := range elements {
		v := value(e)
		switch before := object[e.Name].(type) {
		case nil:
			object[e.Name] = v
		case []any:
			object[e.Name] = append(before, v)
		default:
			object[e.Name] = []any{before, v}
		}
	}
	return object
}

// understand records the input and gives it to whoever owns its grammar.
func (s *session) understand(ctx context.Context, in *input) error {
	best := in.alternatives[0]
	for _, a := range in.alternatives {
		s.secret(a.utterance, a.interpretation)
	}
	s.trace(TraceEvent{Heard, best.mode + ": " + s.private(best.utterance)})
	v, err := s.remember(ctx, in)
	if err != nil {
		return err
	}
	o := best.active.owner
	switch {
	case o.choice != nil:
		return s.follow(ctx, o.choice.Target)
	case o.link != nil:
		return s.follow(ctx, o.link.Target)
	case o.field != nil:
		return s.fillField(ctx, o.field, in, v)
	case o.form != s.dialog.form:
		return &moved{page: o.page, root: s.stage.rootPage, form: o.form, keep: o.page == s.stage.page, input: in}
	}
	return s.fillForm(ctx, in, v)
}

// remember sets application.lastresult$ (VoiceXML 2.0 section 5.1.5) and returns
// the meaning of the best alternative.
func (s *session) remember(ctx context.Context, in *input) (script.Value, error) {
	if in.recorded != nil {
		in.tape = s.shelve(in.recorded)
	}
	meanings := make([]script.Value, 0, len(in.alternatives))
	for _, a := range in.alternatives {
		v, err := s.meaning(ctx, a)
		if err != nil {
			return v, err
		}
		meanings = append(meanings, v)
	}
	return meanings[0], s.publish(in, meanings)
}

// publish sets application.lastresult$: an array of results that reads as the
// best of them, too. Few pages read it.
func (s *session) publish(in *input, meanings []script.Value) error {
	m := s.queue.mark
	return s.stage.app.DeclareLater("lastresult$", func() script.Value {
		results := make([]script.Value, len(meanings))
		var best []script.Member
		for i, v := range meanings {
			members := shadow(in, i, v, m)
			if results[i] = s.machine.Object(members...); i == 0 {
				best = members
			}
		}
		return s.machine.Array(results, best...)
	})
}

// forget is the other end of application.lastresult$: it is undefined from the
// loading of a root document, and again from each wait for the caller, until there
// is a result (VoiceXML 2.0 section 5.1.5).
func (s *session) forget() error { return s.stage.app.Declare("lastresult$", script.Value{}) }

// shadow is the i-th alternative as pages see it, after the prompts in which mark m was reached.
func shadow(in *input, i int, meaning script.Value, m mark) []script.Member {
	a := in.alternatives[i]
	out := []script.Member{
		{Name: "confidence", Value: a.confidence}, {Name: "utterance", Value: a.utterance},
		{Name: "inputmode", Value: a.mode}, {Name: "interpretation", Value: meaning},
	}
	if m.name != "" {
		out = append(out, script.Member{Name: "markname", Value: m.name}, script.Member{Name: "marktime", Value: m.ago.Milliseconds()})
	}
	if in.recorded != nil { // VoiceXML 2.1 section 7
		out = append(out, script.Member{Name: "recording", Value: in.tape}, script.Member{Name: "recordingsize", Value: len(in.recorded.Data)},
			script.Member{Name: "recordingduration", Value: in.recorded.Duration.Milliseconds()})
	}
	return out
}

// fillField gives a field the result of its own grammar (section 3.1.6.2): the
// member that its slot names, or the whole.
func (s *session) fillField(ctx context.Context, f *doc.Field, in *input, v script.Value) error {
	if err := s.setField(ctx, f, s.shadowed(in, v), slot(v, f.Slot, v)); err != nil {
		return err
	}
	return s.runFilled(ctx)
}

// slot is the member of an object that a dotted name leads to, or otherwise.
func slot(v script.Value, name string, otherwise script.Value) script.Value {
	for _, part := range strings.Split(name, ".") {
		if !v.Has(part) {
			return otherwise
		}
		v = v.Get(part)
	}
	return v
}

// shadowed makes the shadow variable of a field that the best alternative fills.
func (s *session) shadowed(in *input, meaning script.Value) func() script.Value {
	m := s.queue.mark
	return func() script.Value { return s.machine.Object(shadow(in, 0, meaning, m)...) }
}

func (s *session) setField(ctx context.Context, f *doc.Field, shadow func() script.Value, v script.Value) error {
	if err := s.fill(f.Name, v); err != nil {
		return semantic(ctx, f.Pos, err)
	}
	if !f.Visible {
		return nil
	}
	return semantic(ctx, f.Pos, s.dialog.scope.DeclareLater(f.Name+"$", shadow))
}

// fillForm gives every field the member of a form-level result that its slot
// names (section 3.1.6.1); then the form's <initial> has done its work.
func (s *session) fillForm(ctx context.Context, in *input, v script.Value) error {
	d := s.dialog
	for _, item := range d.form.Items {
		f, ok := item.(*doc.Field)
		if !ok {
			continue
		}
		member := slot(v, f.Slot, script.Value{})
		if member.Undefined() {
			continue
		}
		if err := s.setField(ctx, f, s.shadowed(in, v), member); err != nil {
			return err
		}
	}
	if len(d.filled) == 0 {
		return nil
	}
	for _, item := range d.form.Items {
		if initial, ok := item.(*doc.Initial); ok {
			if err := d.scope.Declare(initial.Name, s.machine.Value(true)); err != nil {
				return semantic(ctx, initial.Pos, err)
			}
		}
	}
	return s.runFilled(ctx)
}
