package vxml

import (
	"context"
	"strconv"
	"strings"
	"time"

	"mcp/vxml/doc"
	"mcp/vxml/keypad"
	"mcp/vxml/property"
	"mcp/vxml/script"
)

// The platform's own limits of a recording, for pages that name none.
const (
	recordMaxTime      = time.Minute
	recordFinalSilence = 3 * time.Second
)

// tapeScheme begins the URIs by which pages know recordings.
const tapeScheme = "recording:"

// record is <record> (VoiceXML 2.0 section 2.3.6): prompts are played, and then
// the caller is recorded until silence, a key, the limit or a hang-up ends it.
func (s *session) record(ctx context.Context, item *doc.Record) (visit, error) {
	recorder, ok := s.platform.(Recorder)
	if !ok {
		return visit{}, unsupported(item.Pos)
	}
	keys, err := s.recordGrammars(ctx, item)
	if err != nil {
		return visit{}, err
	}
	set := s.properties()
	req := RecordRequest{
		Type: item.Type, Beep: item.Beep, NoInput: s.patience(),
		MaxTime: duration(item.MaxTime, recordMaxTime), FinalSilence: duration(item.FinalSilence, recordFinalSilence),
		Properties: set,
	}
	if req.Extensions, err = s.extensions(ctx, item.Pos, item.Extensions); err != nil {
		return visit{}, err
	}
	defer s.openly(s.discreet())
	w, err := s.occupy(ctx, keys, item.DTMFTerm)
	if w == nil || err != nil {
		return visit{}, err
	}
	defer w.timer.Stop()
	if w.before != nil { // a key ended the prompt, and the recording with it
		return s.recorded(ctx, item, Recorded{}, *w.before)
	}
	recording, err := recorder.Record(ctx, req)
	if err != nil {
		return visit{}, err
	}
	defer func() {
		recording.Stop()
		<-recording.Done()
	}()
	w.what = "record"
	in, key, left := w.until(ctx, recording.Done())
	if ctx.Err() != nil {
		return visit{}, ctx.Err()
	}
	recording.Stop()
	<-recording.Done()
	tape, err := recording.Take()
	if err != nil {
		return visit{}, err
	}
	return s.recorded(ctx, item, tape, stopped{in, key, left})
}

// extensions evaluates those that are expressions, and names them by what they are
// of: destexpr becomes dest.
func (s *session) extensions(ctx context.Context, pos doc.Pos, all doc.Extensions) (map[string]string, error) {
	var out map[string]string
	for name, value := range all {
		if plain, ok := strings.CutSuffix(name, "expr"); ok {
			v, err := s.eval(ctx, pos, value)
			if err != nil {
				return nil, err
			}
			name, value = plain, v.String()
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[name] = value
	}
	return out, nil
}

// patience is how long the caller may stay silent after the queued prompts.
func (s *session) patience() time.Duration {
	if s.queue.timeout != nil {
		return *s.queue.timeout
	}
	return s.properties().Duration("timeout")
}

func duration(text string, otherwise time.Duration) time.Duration {
	if d, err := property.ParseDuration(text); err == nil {
		return d
	}
	return otherwise
}

// recordGrammars are the grammars for keys that are active during a recording:
// the record's own, and unless it is modal, those around it. Nobody listens for
// words while the caller is recorded.
func (s *session) recordGrammars(ctx context.Context, item *doc.Record) ([]*active, error) {
	c := &activation{s: s}
	c.add(ctx, owner{item: item}, item.Grammars)
	if !item.Modal {
		c.links(ctx, item.Links)
	}
	c.within()
	if !item.Modal {
		c.surroundings(ctx)
	}
	return c.out, c.err
}

// stopped is what ended a recording or transfer, apart from itself: input, a
// key that no grammar knows, or the caller's leaving.
type stopped struct {
	input *input
	key   string
	left  error
}

// recorded gives the item what was recorded. What a key ended before the caller
// said anything is not there, and is no silence either.
func (s *session) recorded(ctx context.Context, item *doc.Record, tape Recorded, why stopped) (visit, error) {
	if why.input != nil && why.input.alternatives[0].active.owner.item != item {
		return visit{input: why.input}, nil
	}
	if why.key != "" {
		// The key is a match of a grammar that the page did not write.
		own := &active{owner: owner{item: item}}
		why.input = &input{alternatives: []alternative{{active: own, utterance: why.key, mode: "dtmf", confidence: 1}}}
	}
	if why.input != nil {
		if _, err := s.remember(ctx, why.input); err != nil {
			return visit{}, err
		}
	}
	switch {
	case len(tape.Data) == 0 && why.left != nil:
		return visit{}, why.left
	case len(tape.Data) == 0 && why.input != nil:
		return visit{nothing: true}, nil
	case len(tape.Data) == 0:
		return visit{}, &Event{Name: "noinput"}
	}
	uri := s.shelve(&tape)
	shadow := map[string]any{
		"duration": tape.Duration.Milliseconds(), "size": len(tape.Data), "maxtime": tape.MaxTime, "termchar": nil,
	}
	if why.key != "" {
		shadow["termchar"] = why.key
	} else if why.input != nil {
		utterance := why.input.alternatives[0].utterance
		shadow["utterance"], shadow["inputmode"], shadow["confidence"] = utterance, "dtmf", 1.0
		shadow["termchar"] = utterance[max(0, len(utterance)-1):]
	}
	v := visit{value: s.machine.Value(uri), shadow: s.machine.Value(shadow)}
	if why.left == nil {
		return v, nil
	}
	return visit{}, s.keep(&item.Common, v, why.left)
}

// shelve keeps a recording for as long as the session lasts, and returns the URI
// by which pages know it.
func (s *session) shelve(tape *Recorded) string {
	if s.tapes == nil {
		s.tapes = make(map[string]*Recorded)
	}
	uri := tapeScheme + strconv.Itoa(len(s.tapes)+1)
	s.tapes[uri] = tape
	return uri
}

// keep gives an item its value when the caller has gone: handlers can use it.
func (s *session) keep(item *doc.Common, v visit, left error) error {
	if err := s.give(item.Name, item.Visible, v); err != nil {
		return semantic(context.Background(), item.Pos, err)
	}
	return left
}

// give sets an item's variable and, when the page can name it, its shadow.
func (s *session) give(name string, visible bool, v visit) error {
	if err := s.fill(name, v.value); err != nil || !visible || v.shadow.Undefined() {
		return err
	}
	return s.dialog.scope.Declare(name+"$", v.shadow)
}

// tape is the recording that a page's value stands for, or nil.
func (s *session) tape(v script.Value) *Recorded {
	if v.IsObject() || len(s.tapes) == 0 {
		return nil
	}
	return s.tapes[strings.TrimSpace(v.String())]
}

// occupied is a time in which the platform is busy with the caller and keys may
// end it.
type occupied struct {
	s      *session
	keys   []*active
	keypad keypad.Keypad
	what   string // record or transfer; empty when it needs nobody to do anything
	any    bool   // a key that no grammar knows ends it, too
	timer  Timer
	before *stopped // what ended it before it began, or nil

	active    []*active
	listening Listening          // nil when nobody listens for words
	events    <-chan ListenEvent // nil likewise
	speaking  bool               // the caller has begun to speak
}

// occupy plays what is queued, and prepares for keys: those of the grammars or
// any, which end the prompts, too.
func (s *session) occupy(ctx context.Context, all []*active, anyKey bool) (*occupied, error) {
	if s.gone != "" {
		return nil, &exited{end: s.gone}
	}
	if err := s.forget(); err != nil {
		return nil, err
	}
	s.waited()
	s.queue.timeout = nil
	w := &occupied{s: s, active: all, any: anyKey, timer: s.clock.NewTimer()}
	w.keys, w.keypad = s.keypad(all)
	if w.keypad.Deaf() && !anyKey {
		return w, s.flush(ctx)
	}
	for rest := s.queue.take(); ; {
		now, later, err := s.uninterrupted(ctx, rest)
		if err != nil || len(now) == 0 {
			return w, err
		}
		if barged, err := w.prompt(ctx, now); err != nil || barged {
			return w, err
		}
		rest = later
	}
}

// prompt plays prompts to their end, or until a key is pressed.
func (w *occupied) prompt(ctx context.Context, prompts []Prompt) (barged bool, err error) {
	playback, err := w.s.play(ctx, prompts)
	if err != nil {
		return false, err
	}
	defer stop(playback)
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-w.s.platform.HungUp():
		return false, w.s.hungUp()
	case <-playback.Done():
		w.s.passed(playback)
		return false, playback.Err()
	case d, ok := <-w.s.platform.Digits():
		if !ok {
			return false, w.s.hungUp()
		}
		v := w.keypad.Press(string(d.Key))
		if !v.Decided {
			w.timer.Reset(v.Wait)
			return true, nil
		}
		if in, key := w.taken(string(d.Key)); in != nil || key != "" {
			w.before = &stopped{input: in, key: key}
		}
		return true, nil
	}
}

// taken is the input that the keys so far are, or else the last of them where any
// key counts. What is neither is forgotten.
func (w *occupied) taken(last string) (in *input, key string) {
	switch in = pressed(w.keys, &w.keypad); {
	case in != nil:
		return in, ""
	case w.any:
		return nil, last
	}
	_, w.keypad = w.s.keypad(w.keys)
	return nil, ""
}

// until waits until it is done, keys end it or the caller goes.
func (w *occupied) until(ctx context.Context, done <-chan struct{}) (in *input, key string, left error) {
	for {
		key = ""
		w.idle()
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case e := <-w.events:
			if in = w.heard(ctx, e); in != nil {
				return in, "", nil
			}
			continue
		case <-w.s.platform.HungUp():
			return nil, "", w.s.hungUp()
		case <-done:
			return nil, "", nil
		case d, ok := <-w.s.platform.Digits():
			if !ok {
				return nil, "", w.s.hungUp()
			}
			v := w.keypad.Press(string(d.Key))
			if !v.Decided {
				w.timer.Reset(v.Wait)
				w.s.trace(TraceEvent{Typing, w.s.private(w.keypad.Keys())})
				continue
			}
			key = string(d.Key)
		case <-w.timer.C():
		}
		if in, key = w.taken(key); in != nil || key != "" {
			return in, key, nil
		}
	}
}

// idle tells that nothing happens unless the caller does something.
func (w *occupied) idle() {
	if w.what != "" && !w.speaking && !w.keypad.Begun() && len(w.s.platform.Digits()) == 0 {
		w.s.trace(TraceEvent{Waiting, w.what})
	}
}

// overhear listens for the words of the active grammars.
func (w *occupied) overhear(ctx context.Context) error {
	req := w.s.listenRequest(w.active)
	if len(req.Grammars) == 0 {
		return nil
	}
	listening, err := w.s.platform.Listen(ctx, req)
	if err != nil {
		return err
	}
	w.listening, w.events = listening, listening.Events()
	return nil
}

// heard takes what the recognizer reports. What is no match is between the
// caller and the other party, and one listens on.
func (w *occupied) heard(ctx context.Context, e ListenEvent) *input {
	result, ok := e.(SpeechResult)
	if w.speaking = !ok && e != nil; w.speaking {
		return nil
	}
	w.deaf()
	if !ok || result.Outcome == Failed {
		return nil
	}
	if in, err := w.s.recognized(result, w.active); in != nil && err == nil {
		return in
	}
	if err := w.overhear(ctx); err != nil {
		w.s.log.Debug("nobody listens for words any more", "error", err)
	}
	return nil
}

func (w *occupied) deaf() {
	if w.listening != nil {
		w.listening.Stop()
		w.listening, w.events = nil, nil
	}
}
