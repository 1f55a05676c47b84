package voicexml

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/call/voice"
	"mcp/control/logline"
	"mcp/control/media"
	"mcp/control/service/voicexml/callrec"
	"mcp/control/sip"
	"mcp/speech"
	"mcp/vxml"
	"mcp/vxml/secrecy"
)

// tellServer bounds what is told to a speech server after nobody waits any more.
const tellServer = 5 * time.Second

// phone is a call as a VoiceXML session sees it: vxml.Platform.
type phone struct {
	service *Service
	call    *call.Call
	voices  *voice.Voices
	digits  chan vxml.Digit
	helping assistants
	overhearer
	tape    callrec.Tape // of the whole call, by the page's order
	entered bool         // a page
	mail
	witness
	tasks sync.WaitGroup // playbacks, recognitions, messages on their way

	speaking, hearing queue
}

// mail is the messages from whoever controls the call.
type mail struct {
	mu      sync.Mutex
	over    bool               // nobody takes any more
	waiting chan *vxml.Message // for the page; nil: none has come, and nobody has asked
}

// witness tells others what happens, without what the caller gave in private.
type witness struct {
	log     *slog.Logger // the call's
	secrets secrecy.Secrets
	pace    pace
}

// queue lets what the page begins next wait for what it has stopped: a stopped
// synthesis or recognition lasts until its server has said so, and a session
// does one of each at a time. Only the interpreter's goroutine uses it.
type queue struct{ last turn }

// after makes done the last in the queue and returns what comes before it.
func (q *queue) after(done chan struct{}) (before turn) {
	before, q.last = q.last, done
	return before
}

// turn comes when what is before in the queue has ended.
type turn <-chan struct{} // nil: nothing is

func (t turn) await() {
	if t != nil {
		<-t
	}
}

func (t turn) over() bool {
	select {
	case <-t:
		return true
	default:
		return t == nil
	}
}

func (s *Service) newPhone(c *call.Call) *phone {
	p := &phone{service: s, call: c, digits: make(chan vxml.Digit, keysWaiting)}
	p.log = p.secrets.Logger(c.Log())
	p.voices = voice.New(c, voice.Parts{Engines: s.config.Speech, Clips: s.clips, Step: p.step, Log: p.log})
	return p
}

// press takes a key that the caller presses; false: too many wait.
func (p *phone) press(d media.Digit) bool {
	p.voices.Press(d.Key)
	p.overhearer.press(d)
	select {
	case p.digits <- vxml.Digit{Key: d.Key}:
		return true
	default:
		return false
	}
}

// maxMessages is how many messages may wait for the page.
const maxMessages = 32

// deliver gives the page a message that came as an INFO; one for which there is no
// room is refused. False: there is no page any more.
func (p *phone) deliver(info *sip.Info) bool {
	p.mail.mu.Lock()
	defer p.mail.mu.Unlock()
	if p.mail.over {
		return false
	}
	status := 200
	select {
	case p.mail.lettersLocked() <- &vxml.Message{ContentType: info.ContentType, Content: string(info.Body), SourceType: "sip"}:
	default:
		status = 480
	}
	p.tasks.Go(func() {
		if err := info.Respond(status); err != nil {
			p.log.Warn("answer INFO", "error", err)
		}
	})
	return true
}

func (m *mail) lettersLocked() chan *vxml.Message {
	if m.waiting == nil {
		m.waiting = make(chan *vxml.Message, maxMessages)
	}
	return m.waiting
}

// end has no more messages taken.
func (m *mail) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.over = true
}

// Messages implements vxml.Messenger.
func (p *phone) Messages() <-chan *vxml.Message {
	p.mail.mu.Lock()
	defer p.mail.mu.Unlock()
	return p.mail.lettersLocked()
}

// Send implements vxml.Messenger: a message is an INFO within the call.
func (p *phone) Send(ctx context.Context, m vxml.Message) error {
	send := func() error {
		if err := p.call.Inform(ctx, sip.Content{Type: m.ContentType, Body: []byte(m.Content)}); err != nil {
			p.log.Warn("message not delivered", "error", err)
			return &vxml.Event{Name: "error.noresource", Message: fmt.Sprintf("send a message: %v", err)}
		}
		return nil
	}
	if m.Async {
		p.tasks.Go(func() { _ = send() }) // it is logged, and nobody waits
		return nil
	}
	return send()
}

// Private implements vxml.Discreet: recordings of the call hold silence meanwhile.
func (p *phone) Private(on bool) { p.call.Private(on) }

// Reason implements vxml.Reasoned.
func (p *phone) Reason() string { return p.call.Reason() }

// close ends what is still playing or listening and returns the speech session.
func (p *phone) close() {
	p.mail.end()
	p.tasks.Wait()
	p.tape.Stop()
	p.helping.dismiss()
	p.voices.Close(tellServer)
}

// keysWaiting is how many keys the page, and whoever overhears them, may be behind.
const keysWaiting = 64

// forgetKeys takes from the page what engines have taken: it is not meant for its
// next question.
func (p *phone) forgetKeys() {
	for range p.voices.TakenKeys() {
		select {
		case <-p.digits:
		default:
			return
		}
	}
}

// Digits implements vxml.Connection.
func (p *phone) Digits() <-chan vxml.Digit { return p.digits }

// HungUp implements vxml.Connection.
func (p *phone) HungUp() <-chan struct{} { return p.call.HungUp() }

// Disconnect implements vxml.Connection.
func (p *phone) Disconnect(ctx context.Context, returned vxml.Namelist) error {
	p.call.HangUpWith(farewell("disconnect", returned, nil))
	select {
	case <-p.call.HungUp():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Info implements vxml.Connection.
func (p *phone) Info() vxml.ConnectionInfo {
	about := info(p.call.Invite(), p.call.Codec)
	if _, ours := p.call.Invite().(*call.Placed); ours {
		about.Members["progress"] = vxml.Live(func() any { return progressVars(p.call) })
	}
	return about
}

// genesys is session.com.genesyslab of the call.
func (p *phone) genesys() map[string]any {
	return genesysVars(p.call.Invite(), p.call.ID(), p.call.Overrides())
}

// variables are the session variables besides those of the connection.
func (p *phone) variables() []vxml.Variable {
	return []vxml.Variable{{Name: "com.genesyslab", Make: func() any { return p.genesys() }}}
}

// note logs a step of the dialogue.
func (p *phone) note(what string, attrs ...slog.Attr) { logline.Info(p.log, what, attrs...) }

// discreet is an error without what the caller gave in private.
func (p *phone) discreet(err error) error {
	if err == nil || p.secrets.Conceal(err.Error()) == err.Error() {
		return err
	}
	return errors.New(p.secrets.Conceal(err.Error()))
}

// failed turns a speech engine's error into the event that VoiceXML names for
// it (VoiceXML 2.0 section 5.2.6), and counts it.
func (p *phone) failed(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	p.voices.Used.Failures.Add(1)
	event := &vxml.Event{Name: eventFor(err), Message: fmt.Sprintf("%s: %v", doing, err)}
	p.log.Warn("speech failed", "doing", doing, "event", event.Name, "error", err)
	return event
}

func eventFor(err error) string {
	switch {
	case errors.Is(err, speech.ErrLanguage):
		return "error.unsupported.language"
	case errors.Is(err, speech.ErrGrammar):
		return "error.grammar"
	case errors.Is(err, speech.ErrFetch):
		return "error.badfetch"
	case errors.Is(err, speech.ErrText):
		return "error.semantic"
	}
	return "error.noresource"
}
