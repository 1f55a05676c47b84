// Package msml lets a far end steer the media of its calls: it executes MSML
// (RFC 5707), which arrives in INFO requests and with the INVITE, on calls,
// conferences and the dialogs between them, and tells what happens by INFO.
package msml

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/call/voice"
	"mcp/control/media/conference"
	"mcp/control/reporting"
	"mcp/control/service/msml/dialog"
	"mcp/control/service/msml/doc"
	"mcp/control/sip"
)

// Caller makes calls; *call.Server is one.
type Caller interface {
	Place(ctx context.Context, p call.Placement) (*call.Placed, error)
}

// Parts is what the service works with. Without conferences, recordings, pages or
// speech engines, call progress analysis, or a caller, what needs them is refused.
type Parts struct {
	Fetcher     dialog.Fetcher
	Conferences *conference.Bridge
	Recordings  dialog.Recordings
	Pages       dialog.Pages
	Speech      voice.Engines
	Progress    *progress.Lab
	Caller      Caller
	Patience    time.Duration // until a called party answers, where a client does not say; 0: for ever
	Log         *slog.Logger
}

// Service is the MSML service. It implements call.Service.
type Service struct {
	parts Parts
	hub   *hub
	clips *voice.Clips
}

// New makes the service.
func New(parts Parts) *Service { return &Service{parts: parts, hub: newHub(), clips: voice.NewClips()} }

// dialogs is what dialogs work with.
func (s *Service) dialogs() dialog.Parts {
	return dialog.Parts{Fetcher: s.parts.Fetcher, Recordings: s.parts.Recordings, Pages: s.parts.Pages, Progress: s.parts.Progress}
}

// Name implements call.Service.
func (s *Service) Name() string { return "msml" }

// Close deletes the conferences that outlived the calls.
func (s *Service) Close() error {
	s.hub.close()
	return nil
}

// Prepare implements call.Service. A request that came with the INVITE is read
// now, so that a call is refused whose request cannot be. The party of a call that a
// client has had made steers nothing.
func (s *Service) Prepare(_ context.Context, c *call.Call) (call.Program, error) {
	if o := s.hub.ordered(c.Invite(), c.Request().ID); o != nil {
		return &served{o, c}, nil
	}
	p := s.newProgram(c)
	p.infos, p.events, p.mediaType = make(chan *sip.Info, 16), make(chan doc.Event, 64), doc.MediaType
	for _, part := range c.Bodies() {
		if !doc.Is(part.Type) {
			continue
		}
		ops, err := doc.Parse(part.Body)
		if err != nil {
			return nil, &call.Refusal{Status: 400, Reason: "Bad Request", Warning: err.Error()}
		}
		p.mediaType, p.first = part.Type, ops
	}
	// The client may name the call as soon as it hears of the answer.
	p.self = s.hub.connect(p, "conn:"+c.Tag()) // RFC 5707 section 6.2
	return p, nil
}

func (s *Service) newProgram(c *call.Call) *program {
	p := &program{service: s, call: c}
	p.agent = &dialog.Client{Call: c.ID(), Log: c.Log(), Tell: p.tell}
	p.voices = voice.New(c, voice.Parts{Engines: s.parts.Speech, Clips: s.clips, Legs: "msml-", Step: c.Trail().Step, Log: c.Log()})
	return p
}

// Abandon implements call.Abandoner.
func (p *program) Abandon() { p.service.hub.disconnect(p) }

// program obeys one client: the far end of one dialog. That of a connection which a
// client has had made obeys nobody.
type program struct {
	service *Service
	client  *program // who has had the connection made; nil: the far end is a client
	call    *call.Call
	self    *object // the call as MSML knows it
	first   []*doc.Node
	infos   chan *sip.Info
	events  chan doc.Event
	agent   *dialog.Client // the client, as dialogs know it
	orders  sync.WaitGroup // connections that this client has had made
	voices  *voice.Voices

	mu        sync.Mutex // guards what follows
	mediaType string     // what the client speaks
	over      bool
}

// Application implements call.Program.
func (p *program) Application() string { return "msml:" + p.call.Request().ID }

// Heard implements call.Listener: MSML in INFO is taken.
func (p *program) Heard(ev sip.Event) bool {
	info, ok := ev.(*sip.Info)
	if !ok || !doc.Is(info.ContentType) {
		return false
	}
	select {
	case p.infos <- info:
		return true
	default:
		return false
	}
}

// Run implements call.Program: it ends when the far end has hung up.
func (p *program) Run(ctx context.Context) call.Ending {
	telling := make(chan struct{})
	go func() {
		defer close(telling)
		for e := range p.events {
			p.send(e)
		}
	}()
	if p.first != nil {
		result := p.execute(p.first)
		p.inform(p.speaks(), result.Body())
	}
	p.obey(ctx)
	p.service.hub.hangUp(p)
	p.orders.Wait()
	p.service.hub.disconnect(p)
	p.agent.Wait()
	p.silence()
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	close(p.events)
	<-telling
	return call.Ending{Cause: reporting.Completed, Speech: p.voices.Used.Report()}
}

// endSpeech bounds how long speech servers may take to let go of a call.
const endSpeech = 5 * time.Second

// silence ends the call's sessions with speech engines.
func (p *program) silence() { p.voices.Close(endSpeech) }

// obey takes requests until the call is over.
func (p *program) obey(ctx context.Context) {
	for {
		select {
		case info := <-p.infos:
			p.request(info)
		case <-p.call.HungUp():
			return
		case <-ctx.Done():
			return
		}
	}
}

// request executes one request and answers it. What cannot be read is answered
// with 200, too: the request was understood as SIP, and the result says what is
// wrong with it.
func (p *program) request(info *sip.Info) {
	p.mu.Lock()
	p.mediaType = info.ContentType
	p.mu.Unlock()
	var result doc.Result
	ops, err := doc.Parse(info.Body)
	if err != nil {
		result = failed(err)
	} else {
		result = p.execute(ops)
	}
	if result.Code != doc.OK {
		p.call.Log().Warn("msml request failed", "code", result.Code, "error", result.Text)
	}
	err = info.Reply(200, sip.Content{Type: info.ContentType, Body: result.Body()})
	if err != nil && !errors.Is(err, sip.ErrEnded) {
		p.call.Log().Warn("answer an msml request", "error", err)
	}
}

func failed(err error) doc.Result {
	var fault *doc.Fault
	if !errors.As(err, &fault) {
		fault = &doc.Fault{Code: doc.ServerError, Text: err.Error()}
	}
	return doc.Result{Code: fault.Code, Text: fault.Text}
}

// tell queues an event for the client. One that does not listen loses events
// rather than holding up what goes on.
func (p *program) tell(e doc.Event) {
	if p.client != nil {
		p.client.tell(e)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	select {
	case p.events <- e:
	default:
		p.call.Log().Warn("msml event lost: the client is too slow", "event", e.Name, "id", e.ID)
	}
}

func (p *program) send(e doc.Event) {
	p.call.Log().Info("msml event", "event", e.Name, "id", e.ID)
	p.inform(e.Content(p.speaks()))
}

// informTime bounds an INFO: SIP's own bound for a request over UDP.
const informTime = 32 * time.Second

// speaks is the media type of MSML that the client understands.
func (p *program) speaks() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mediaType
}

func (p *program) inform(mediaType string, body []byte) {
	select {
	case <-p.call.HungUp():
		return // nobody is there to be told
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), informTime)
	var heeding sync.WaitGroup
	defer heeding.Wait()
	defer cancel()
	heeding.Go(func() {
		select {
		case <-p.call.HungUp():
			cancel() // one that has hung up need not answer
		case <-ctx.Done():
		}
	})
	err := p.call.Inform(ctx, sip.Content{Type: mediaType, Body: body})
	if err != nil && !errors.Is(err, sip.ErrEnded) && !errors.Is(err, context.Canceled) {
		p.call.Log().Warn("msml event not delivered", "error", err)
	}
}
