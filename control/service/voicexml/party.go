package voicexml

import (
	"context"
	"errors"
	"sync"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/control/sip/header"
)

// party is who a transfer has called, as the caller meets it.
type party struct {
	*call.Party
	transfer *transfer
	bypassed bool           // the audio does not pass the platform
	keys     sync.WaitGroup // hands keys from one to the other
	heard    bool           // the caller hears it
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
	waiting := t.entertain(ctx)
	defer waiting()
	sounds := called.Early()
	if !early || len(t.req.Audio) > 0 {
		sounds = nil
	}
	for {
		select {
		case <-sounds:
			sounds = nil
			if err := p.hear(); err != nil {
				t.phone.log.Info("early media is not heard", "error", err)
			}
		case <-called.Answered():
			return p, nil
		case <-called.Gone():
			if err := called.Err(); err != nil {
				return nil, err
			}
			return p, nil // it answered, and has gone already
		case <-ctx.Done():
			p.leave()
			return nil, ctx.Err()
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
		err := c.Redirect(ctx, p.Party)
		if p.bypassed = err == nil; p.bypassed {
			return nil
		}
		t.phone.log.Warn("the audio goes through the platform", "error", err)
	}
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
	p.transfer.phone.overhearer.detach()
	if p.bypassed {
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
