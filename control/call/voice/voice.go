package voice

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/reporting"
	"mcp/speech"
)

// Voice is one call's session with an engine, with its leg if it has one. It opens
// when first needed, and again after the session was lost.
type Voice struct {
	name   string // of the engine
	engine Engine
	of     *Voices

	mu      sync.Mutex
	opened  int // sessions opened so far, for the leg's name
	leg     *media.Leg
	session speech.Session
	listens bool // the session has been used to listen
}

// Use returns the open session, opening it if need be.
func (v *Voice) Use(ctx context.Context) (speech.Session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session != nil {
		select {
		case <-v.session.Done():
			v.of.parts.Log.Debug("speech session has ended; opening another", "engine", v.name)
			v.dropLocked(ctx)
		default:
			return v.session, nil
		}
	}
	if err := v.openLocked(ctx); err != nil {
		return nil, err
	}
	if v.engine.Bot {
		v.of.Used.bots.Add(1)
	}
	return v.session, nil
}

func (v *Voice) openLocked(ctx context.Context) (err error) {
	if v.engine.Attached != nil {
		v.session, err = v.engine.Attached.Attach(ctx, v.of.Line())
		return err
	}
	return v.openLegLocked(ctx)
}

func (v *Voice) openLegLocked(ctx context.Context) error {
	local, err := v.engine.Local(ctx)
	if err != nil {
		return err
	}
	v.opened++
	name := v.of.parts.Legs + v.name
	if v.opened > 1 {
		name = fmt.Sprintf("%s-%d", name, v.opened)
	}
	leg, err := v.of.call.Media().OpenLeg(name, local)
	if err != nil {
		return fmt.Errorf("open speech session: %w", err)
	}
	v.leg = leg
	session, err := v.begin(ctx, speech.Media{Addr: leg.Local(), Codecs: v.offer(), Events: 101})
	if err != nil {
		v.dropLocked(ctx)
		return err
	}
	v.session = session
	if err := v.connectLocked(session.Media()); err != nil {
		v.dropLocked(ctx)
		return err
	}
	return nil
}

// begin opens the session, telling a server that cares whose it is.
func (v *Voice) begin(ctx context.Context, offer speech.Media) (speech.Session, error) {
	particular, ok := v.engine.RTP.(speech.Particular)
	if !ok {
		return v.engine.RTP.Open(ctx, offer)
	}
	own, err := v.of.particulars()
	if err != nil {
		return nil, err
	}
	return particular.OpenFor(ctx, offer, own)
}

// offer lists the codecs with the caller's first: when the server takes that
// one, the audio can stay in the kernel.
func (v *Voice) offer() []speech.Codec {
	first := v.of.call.Codec()
	var codecs, rest []speech.Codec
	for _, c := range v.engine.Codecs {
		if c.Name == first.Name {
			codecs = append(codecs, c)
			continue
		}
		rest = append(rest, c)
	}
	return append(codecs, rest...)
}

func (v *Voice) connectLocked(m speech.Media) error {
	c := m.Codecs[0]
	ptime := m.Ptime
	if ptime == 0 {
		ptime = 20 * time.Millisecond
	}
	return v.leg.Connect(media.FarEnd{
		RTP: m.Addr, PayloadType: c.PayloadType, Events: m.Events, ClockRate: c.ClockRate,
		Ptime: ptime, Send: true, Receive: true,
	}, codec.Codec{Name: c.Name, PayloadType: c.PayloadType, ClockRate: c.ClockRate})
}

// Attend lets the engine hear the caller.
func (v *Voice) Attend() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.listens {
		v.listens = true
		v.of.parts.Step(reporting.StepASROpen, v.name)
	}
	if v.leg == nil {
		return nil
	}
	return v.of.call.Media().Join(v.of.call.Caller(), v.leg)
}

// Silence keeps the synthesizer's audio from the caller at once, without waiting
// for the server to stop; hear lets it through again.
func (v *Voice) Silence() { v.edge(v.of.call.Media().Part) }
func (v *Voice) hear()    { v.edge(v.of.call.Media().Join) }

func (v *Voice) edge(change func(from, to *media.Leg) error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.leg == nil {
		return
	}
	if err := change(v.leg, v.of.call.Caller()); err != nil {
		v.of.parts.Log.Warn("change the synthesizer's route", "error", err)
	}
}

// close ends the session, if one is open.
func (v *Voice) close(ctx context.Context) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dropLocked(ctx)
}

// dropLocked sends the server nothing more before it is told to go: what came
// after its end would be lost, and complained about.
func (v *Voice) dropLocked(ctx context.Context) {
	if v.leg != nil {
		if err := v.of.call.Media().Part(v.of.call.Caller(), v.leg); err != nil {
			v.of.parts.Log.Warn("stop the recognizer's audio", "error", err)
		}
	}
	if v.session != nil {
		if err := v.session.Close(ctx); err != nil && !errors.Is(err, speech.ErrClosed) {
			v.of.parts.Log.Warn("close speech session", "error", err)
		}
		v.session = nil
		if v.listens {
			v.listens = false
			v.of.parts.Step(reporting.StepASRClose, v.name)
		}
	}
	if v.leg != nil {
		if err := v.leg.Close(); err != nil {
			v.of.parts.Log.Warn("close speech leg", "error", err)
		}
		v.leg = nil
	}
}
