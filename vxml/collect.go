package vxml

import (
	"context"
	"slices"
	"strings"
	"time"

	"mcp/vxml/grammar"
	"mcp/vxml/keypad"
)

// waiting is the waiting state: queued prompts play, the caller may speak or
// press keys, and one of them, the silence or a hang-up ends it (VoiceXML 2.0
// sections 4.1.8 and 6.3).
type waiting struct {
	s         *session
	active    []*active
	keys      []*active // those of them that are for keys
	keypad    keypad.Keypad
	timeout   time.Duration
	hotword   bool
	playback  Playback // nil when nothing is being played
	listening Listening
	events    <-chan ListenEvent // nil when nobody listens
	timer     Timer              // nil: it has not run yet
	speaking  bool               // the caller has begun to speak
	messages  <-chan *Message    // nil when they are of no interest
	rest      []Prompt           // to play after the present ones
}

// backstop is how much later than the recognizer, whose timer it is, the interpreter
// notices that nothing was said, and asks what has become of it.
const backstop = 3 * time.Second

// wait plays what is queued and waits for input that matches a grammar.
func (s *session) wait(ctx context.Context, on *repertoire) (*input, error) {
	s.waited()
	if s.gone != "" {
		return nil, &exited{end: s.gone}
	}
	if err := s.forget(); err != nil {
		return nil, err
	}
	w := &waiting{s: s, active: on.all, keys: on.keys, keypad: on.keypad, timeout: s.patience()}
	if m, ok := s.platform.(Messenger); ok && s.properties().Bool("com.genesyslab.externalevents.enable") {
		w.messages = m.Messages()
	}
	defer s.openly(s.discreet())
	defer w.close()
	s.queue.mark = mark{}
	w.rest = s.queue.take()
	s.step(InputBegun, on.modes)
	in, done, err := w.begin(ctx)
	for !done && err == nil {
		in, done, err = w.next(ctx)
	}
	s.step(InputEnded, how(in, err))
	return in, err
}

// modes are those of grammars.
func modes(all []*active) string {
	var out []string
	for _, g := range all {
		if mode := g.mode.String(); !slices.Contains(out, mode) {
			out = append(out, mode)
		}
	}
	return strings.Join(out, " ")
}

// how is how a wait for input ended.
func how(in *input, err error) string {
	if event := asEvent(err); event != nil {
		return event.Name
	}
	if in == nil || len(in.alternatives) == 0 {
		return "stopped"
	}
	return in.alternatives[0].mode
}

// uninterrupted plays the leading prompts without barge-in to their end; keys
// pressed before or meanwhile are forgotten. It returns those that can be
// interrupted now, and what follows them: each prompt decides while it plays, and
// when one is interrupted, none that follows is played (section 4.1.5).
func (s *session) uninterrupted(ctx context.Context, all []Prompt) (now, later []Prompt, err error) {
	now, later = alike(all)
	if len(now) > 0 && !now[0].BargeIn {
		err = s.playOut(ctx, now, s.platform.Digits())
		now, later = alike(later)
	}
	return now, later, err
}

// alike splits off the leading prompts that all have barge-in, or all have not.
func alike(all []Prompt) (these, rest []Prompt) {
	for i, p := range all {
		if p.BargeIn != all[0].BargeIn {
			return all[:i], all[i:]
		}
	}
	return all, nil
}

// flush plays the queue to its end. Keys wait for the next question.
func (s *session) flush(ctx context.Context) error {
	return s.playOut(ctx, s.queue.take(), nil)
}

// playOut plays prompts to their end, swallowing keys when given them.
func (s *session) playOut(ctx context.Context, prompts []Prompt, keys <-chan Digit) error {
	if len(prompts) == 0 || s.gone != "" {
		return nil
	}
	playback, err := s.play(ctx, prompts)
	if err != nil {
		return err
	}
	defer stop(playback)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.platform.HungUp():
			return s.hungUp()
		case _, ok := <-keys:
			if !ok {
				keys = nil
			}
		case <-playback.Done():
			drain(keys)
			s.passed(playback)
			return playback.Err()
		}
	}
}

func drain(keys <-chan Digit) {
	for {
		select {
		case _, ok := <-keys:
			if ok {
				continue
			}
		default:
		}
		return
	}
}

func (s *session) play(ctx context.Context, prompts []Prompt) (Playback, error) {
	for _, p := range prompts {
		s.trace(TraceEvent{Said, p.Text()})
	}
	return s.platform.Play(ctx, prompts)
}

// stop ends a playback and waits until it has.
func stop(p Playback) {
	p.Stop()
	<-p.Done()
}

// begin starts listening and playing. Listening comes first, so that barge-in
// works from the first word; keys already pressed make the prompts unnecessary.
func (w *waiting) begin(ctx context.Context) (*input, bool, error) {
	prompts, rest, err := w.s.uninterrupted(ctx, w.rest)
	if w.rest = rest; err != nil {
		return nil, true, err
	}
	if len(prompts) > 0 {
		w.hotword = prompts[len(prompts)-1].BargeType == "hotword"
	} else {
		w.hotword = w.s.properties().Get("bargeintype") == "hotword"
	}
	if !w.hotword {
		select {
		case d, ok := <-w.digits():
			if ok {
				return w.press(string(d.Key))
			}
		default:
		}
	}
	if err := w.listen(ctx); err != nil {
		return nil, false, err
	}
	if len(prompts) == 0 {
		w.quiet()
		return nil, false, nil
	}
	w.playback, err = w.s.play(ctx, prompts)
	return nil, false, err
}

// listen starts a recognition when a voice grammar is active.
func (w *waiting) listen(ctx context.Context) error {
	if !slices.ContainsFunc(w.active, func(a *active) bool { return a.mode == grammar.Voice }) {
		return nil
	}
	req := w.s.listenRequest(w.active)
	req.NoInput, req.Hotword = w.timeout, w.hotword
	var err error
	if w.listening, err = w.s.platform.Listen(ctx, req); err != nil {
		w.listening = nil
		return err
	}
	w.events = w.listening.Events()
	return nil
}

// listenRequest asks for the voice grammars among the active ones.
func (s *session) listenRequest(all []*active) ListenRequest {
	set := s.properties()
	req := ListenRequest{
		Language: s.language(), Complete: set.Duration("completetimeout"), Incomplete: set.Duration("incompletetimeout"),
		MaxSpeech: set.Duration("maxspeechtimeout"), Confidence: set.Float("confidencelevel"),
		Sensitivity: set.Float("sensitivity"), SpeedAccuracy: set.Float("speedvsaccuracy"),
		NBest: set.Int("maxnbest"), Record: set.Bool("recordutterance"), Properties: set,
	}
	if req.Record {
		req.RecordType = set.Get("recordutterancetype")
	}
	for _, a := range all {
		if a.mode == grammar.Voice {
			req.Grammars = append(req.Grammars, a.speech)
		}
	}
	return req
}

// quiet is the moment from which silence counts. A recognizer times it itself,
// and is asked when it takes too long.
func (w *waiting) quiet() {
	if w.listening != nil {
		w.listening.StartTimers()
	}
	w.awaitSilence()
}

// awaitSilence has something happen when nothing is said or pressed.
func (w *waiting) awaitSilence() {
	limit := w.timeout
	if w.listening != nil && limit > 0 { // for nothing it need not be asked
		limit += backstop
	}
	if !w.keypad.Begun() && !w.speaking {
		w.startTimer(limit)
		w.s.trace(TraceEvent{Waiting, w.expected()})
	}
}

// startTimer has something happen after a time: nobody has said anything, or no key was pressed.
func (w *waiting) startTimer(after time.Duration) {
	if w.timer == nil {
		w.timer = w.s.clock.NewTimer()
	}
	w.timer.Reset(after)
}

// stopTimer has it not happen.
func (w *waiting) stopTimer() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// expected says what is listened for.
func (w *waiting) expected() string {
	var all []string
	if !w.keypad.Deaf() {
		all = append(all, "dtmf")
	}
	if w.listening != nil {
		all = append(all, "voice")
	}
	if w.messages != nil {
		all = append(all, "message")
	}
	return strings.Join(all, " ")
}

// next waits for one thing to happen.
func (w *waiting) next(ctx context.Context) (in *input, done bool, err error) {
	var played <-chan struct{}
	if w.playback != nil {
		played = w.playback.Done()
	}
	var silent <-chan time.Time
	if w.timer != nil {
		silent = w.timer.C()
	}
	select {
	case <-ctx.Done():
		return nil, true, ctx.Err()
	case <-w.s.platform.HungUp():
		return nil, true, w.s.hungUp()
	case <-played:
		err = w.playback.Err()
		w.s.passed(w.playback)
		if w.playback = nil; err != nil {
			return nil, true, err
		}
		return w.played(ctx)
	case d, ok := <-w.digits():
		if !ok {
			return nil, true, w.s.hungUp()
		}
		return w.press(string(d.Key))
	case e, ok := <-w.events:
		return w.heard(ctx, e, ok)
	case m := <-w.messages:
		if err := w.s.received(m); err != nil {
			return nil, true, err
		}
		return nil, true, &Event{Name: "externalmessage", Message: m.Content}
	case <-silent:
		return w.expired()
	}
}

// played goes on after prompts: with those that follow, during the first of which
// nobody listens, or with the silence.
func (w *waiting) played(ctx context.Context) (*input, bool, error) {
	if len(w.rest) == 0 {
		w.quiet()
		return nil, false, nil
	}
	w.deaf()
	w.speaking = false
	return w.begin(ctx)
}

// digits are of interest only when a DTMF grammar is active.
func (w *waiting) digits() <-chan Digit {
	if w.keypad.Deaf() {
		return nil
	}
	return w.s.platform.Digits()
}

// press takes a key: it ends prompt and recognition, and counts. With hot words it
// does so when it completes a match (section 4.1.5.1).
func (w *waiting) press(key string) (*input, bool, error) {
	if !w.hotword {
		w.hush()
		w.deaf()
	}
	v := w.keypad.Press(key)
	if v.Decided {
		return w.decide()
	}
	w.startTimer(v.Wait)
	w.s.trace(TraceEvent{Typing, w.s.private(w.keypad.Keys())})
	return nil, false, nil
}

// decide ends the input of keys.
func (w *waiting) decide() (*input, bool, error) {
	if in := pressed(w.keys, &w.keypad); in != nil {
		w.hush()
		w.deaf()
		return in, true, nil
	}
	if w.hotword {
		w.keypad.Forget()
		if w.stopTimer(); w.playback == nil {
			w.awaitSilence()
		}
		return nil, false, nil
	}
	return nil, true, w.s.nomatch(&input{alternatives: []alternative{{
		mode: "dtmf", confidence: 1, utterance: w.keypad.Keys(),
	}}})
}

// expired is the end of a time of silence: after keys, they are all there is. A
// recognizer tells whether the silence was the caller's or its own.
func (w *waiting) expired() (*input, bool, error) {
	switch {
	case w.keypad.Begun():
		return w.decide()
	case w.listening != nil:
		w.listening.Conclude()
		return nil, false, nil
	}
	return nil, true, &Event{Name: "noinput"}
}

// heard takes what the recognizer reports.
func (w *waiting) heard(ctx context.Context, e ListenEvent, ok bool) (*input, bool, error) {
	if !ok {
		w.events = nil
		return nil, true, &Event{Name: "error.noresource", Message: "the recognizer gave no result"}
	}
	if _, started := e.(SpeechStarted); started {
		w.speaking = true
		w.stopTimer()
		if !w.hotword {
			w.hush()
		}
		return nil, false, nil
	}
	result, _ := e.(SpeechResult)
	w.events = nil
	if result.Outcome == NoInput && w.keypad.Begun() { // it did not hear the keys
		w.deaf()
		return nil, false, nil
	}
	in, err := w.s.recognized(result, w.active)
	if in == nil && err == nil {
		if w.hotword {
			return w.ignored(ctx)
		}
		err = w.s.unmatched(result)
	}
	w.hush()
	return in, true, err
}

// ignored goes on after words that are none of the hot ones: they disturb
// neither the prompt nor the silence after it (section 4.1.5.1).
func (w *waiting) ignored(ctx context.Context) (*input, bool, error) {
	w.deaf()
	w.speaking = false
	if err := w.listen(ctx); err != nil {
		return nil, true, err
	}
	if w.playback == nil {
		w.quiet()
	}
	return nil, false, nil
}

// hush ends the prompts.
func (w *waiting) hush() {
	w.rest = nil
	if w.playback != nil {
		stop(w.playback)
		w.s.passed(w.playback)
		w.playback = nil
	}
}

// passed notes the last <mark> of a playback that has ended.
func (s *session) passed(p Playback) {
	if m, ok := p.(Marked); ok {
		if name, ago := m.Mark(); name != "" {
			s.queue.mark = mark{name, ago}
		}
	}
}

// deaf ends the recognition.
func (w *waiting) deaf() {
	if w.listening != nil {
		w.listening.Stop()
		w.listening, w.events = nil, nil
	}
}

func (w *waiting) close() {
	w.hush()
	w.deaf()
	w.stopTimer()
	w.s.queue.drop()
}

// language is the one spoken on the page.
func (s *session) language() string {
	if s.stage.page.Language != "" {
		return s.stage.page.Language
	}
	return "en-US"
}
