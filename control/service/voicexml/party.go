package voicexml

import (
	"context"
	"errors"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/call/progress"
	"mcp/control/media"
	"mcp/control/media/detect"
	"mcp/control/reporting"
	"mcp/control/sip/header"
)

// party is who a transfer has called, as the caller meets it.
type party struct {
	*call.Party
	transfer *transfer
	bypass   <-chan struct{}    // closed when the audio passes the platform again; nil: it does
	keys     sync.WaitGroup     // hands keys from one to the other
	heard    bool               // the caller hears it
	analysis *progress.Analysis // nil: it is not listened to
}

// dial calls the other party and returns when it has answered. Meanwhile the caller
// hears what the page said, or else, if early, what the party's network sends.
func (t *transfer) dial(ctx context.Context, early bool) (*party, error) {
	c := t.phone.call
	var headers map[string]string
	if said := header.TextUUI(t.req.AAI); said != "" {
		headers = map[string]string{header.UUIHeader: said}
	}
	called, err := c.Dial(call.Destination{
		To: t.to, Headers: headers, From: callerAddress(c), Patience: t.req.ConnectTimeout, Log: t.phone.log, Conceal: t.phone.secrets.Conceal,
	})
	if err != nil {
		return nil, err
	}
	t.phone.step(reporting.StepLeg, called.Leg().Name()+" "+t.to)
	p := &party{Party: called, transfer: t}
	if err = p.analyse(); err == nil {
		err = p.await(ctx, early)
	}
	if err != nil {
		p.leave()
		return nil, err
	}
	return p, nil
}

// await returns when the party has answered, and is the one that the page wants.
func (p *party) await(ctx context.Context, early bool) error {
	t := p.transfer
	waiting := sync.OnceFunc(t.entertain(ctx))
	defer waiting()
	sounds, answered, found := p.Early(), p.Answered(), p.found()
	if !early || !t.manner.early(len(t.req.Audio) > 0) {
		sounds = nil
	}
	for {
		select {
		case <-sounds:
			sounds = nil
			if t.manner.when == immediate {
				waiting()
			}
			if err := p.hear(); err != nil {
				t.phone.log.Info("early media is not heard", "error", err)
			}
		case <-answered:
			if t.manner.when != analysis || found == nil {
				return nil
			}
			answered = nil // it is held until more is known
		case <-found:
			found = nil
			if result := p.unwanted(); result != "" {
				return &heardError{result}
			}
			if answered == nil {
				return nil
			}
		case <-p.Gone():
			return p.Err() // none: it answered, and has gone already
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// analyse begins to listen to the party, if the page wants that.
func (p *party) analyse() (err error) {
	t := p.transfer
	if !t.manner.analysed {
		return nil
	}
	p.analysis, err = t.phone.service.config.Transfers.Progress.Begin(progress.Subject{
		Leg: p.Leg(), Clock: t.phone.call.Media().Clock(), Answered: p.Answered(), Trail: t.phone.call.Trail(), Log: t.phone.log,
	}, progress.Options{})
	return err
}

// found is closed when the analysis has ended; nil: there is none.
func (p *party) found() <-chan struct{} {
	if p.analysis == nil {
		return nil
	}
	return p.analysis.Found()
}

// unwanted is the result of a transfer to what the analysis has heard; empty: there
// is nothing against talking to it.
func (p *party) unwanted() string {
	r, _ := p.analysis.Result()
	switch r.Outcome {
	case detect.Busy:
		return "busy"
	case detect.RingBack:
		return "noanswer"
	case detect.FastBusy, detect.NoCircuit, detect.Intercept, detect.Reorder, detect.Vacant:
		return "network_busy"
	case detect.Fax:
		return "far_end_fax"
	case detect.Machine:
		if p.transfer.manner.machines {
			return "far_end_machine"
		}
	}
	return ""
}

// outlast waits for the end of a conversation, and is the transfer's result.
func (p *party) outlast(ctx context.Context, limit <-chan time.Time) string {
	for found := p.found(); ; {
		select {
		case <-p.bypass:
			p.bypass = nil
			if err := p.talk(ctx); err != nil {
				p.transfer.phone.log.Warn("the two do not hear each other any more", "error", err)
			}
		case <-found:
			found = nil
			if result := p.unwanted(); result != "" {
				return result
			}
		case <-p.Gone():
			if p.Lost() {
				return "network_disconnect"
			}
			return "far_end_disconnect"
		case <-limit:
			return "maxtime_disconnect"
		case <-ctx.Done():
			return "near_end_disconnect"
		}
	}
}

// callerAddress lets the other party see who calls.
func callerAddress(c *call.Call) string { return c.Invite().RemoteURI() }

// entertain plays the transfer's audio to the caller until the function it returns
// is called.
func (t *transfer) entertain(ctx context.Context) (stop func()) {
	if len(t.req.Audio) == 0 {
		return func() {}
	}
	playing, err := t.phone.Play(ctx, t.req.Audio)
	if err != nil {
		t.phone.log.Warn("transferaudio is not heard", "error", err)
		return func() {}
	}
	return func() {
		playing.Stop()
		<-playing.Done()
	}
}

// hear lets the caller hear the party.
func (p *party) hear() error {
	if p.heard {
		return nil
	}
	c := p.transfer.phone.call
	p.transfer.phone.voices.Silence()
	if err := c.Media().Join(p.Leg(), c.Caller()); err != nil {
		return err
	}
	p.heard = true
	return nil
}

// meet lets the two talk.
func (p *party) meet(ctx context.Context) error {
	c, t := p.transfer.phone.call, p.transfer
	if t.redirects() {
		over, err := c.Redirect(ctx, p.Party)
		if err == nil {
			p.bypass = over
			return nil
		}
		t.phone.log.Warn("the audio goes through the platform", "error", err)
	}
	return p.talk(ctx)
}

// talk has the audio of the two, and their keys, pass the platform.
func (p *party) talk(ctx context.Context) error {
	c, t := p.transfer.phone.call, p.transfer
	if err := errors.Join(p.hear(), c.Media().Join(c.Caller(), p.Leg())); err != nil {
		if errors.Is(err, media.ErrClosed) {
			return nil // one of them has gone; the wait for it will tell
		}
		return err
	}
	pressed := t.phone.overhearer.attach()
	p.keys.Go(func() { p.handOn(ctx, pressed, p.Leg()) })
	p.keys.Go(func() { p.handOn(ctx, p.Leg().Digits(), c.Caller()) })
	return nil
}

// handOn presses one side's keys towards the other.
func (p *party) handOn(ctx context.Context, keys <-chan media.Digit, to *media.Leg) {
	for {
		select {
		case d := <-keys:
			err := to.SendDigits(ctx, string(rune(d.Key)))
			if err != nil && !errors.Is(err, media.ErrNoEvents) && !errors.Is(err, media.ErrClosed) && ctx.Err() == nil {
				p.transfer.phone.log.Info("key not handed on", "leg", to.Name(), "error", err)
			}
		case <-p.Gone():
			return
		case <-ctx.Done():
			return
		}
	}
}

// redirects tells whether the page, or else the operator, wants the audio to bypass
// the platform.
func (t *transfer) redirects() bool {
	switch method := t.req.Extensions["method"]; method {
	case "mediaredirect":
		return true
	case "bridge":
		return false
	default:
		return t.phone.service.config.Transfers.Redirect
	}
}

// leave hangs the party up and gives the caller back to the page.
func (p *party) leave() {
	c := p.transfer.phone.call
	p.analysis.Close()
	p.transfer.phone.overhearer.detach()
	if p.bypass != nil {
		ctx, cancel := context.WithTimeout(context.Background(), tellServer)
		if err := c.Restore(ctx); err != nil && !hungUp(c) {
			p.transfer.phone.log.Warn("the caller is not heard any more", "error", err)
		}
		cancel()
	}
	p.HangUp()
	<-p.Gone()
	p.keys.Wait()
}

func hungUp(c *call.Call) bool {
	select {
	case <-c.HungUp():
		return true
	default:
		return false
	}
}

// overhearer gets the caller's keys besides the page. Its zero value gets none.
type overhearer struct {
	mu   sync.Mutex
	keys chan media.Digit
}

// attach begins to hand keys to whoever reads the channel.
func (o *overhearer) attach() <-chan media.Digit {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = make(chan media.Digit, keysWaiting)
	return o.keys
}

func (o *overhearer) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys = nil
}

func (o *overhearer) press(d media.Digit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.keys <- d: // never, while it is nil
	default:
	}
}
