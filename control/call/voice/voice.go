package voicexml

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/reporting"
	"mcp/speech"
)

// Speech is what applications speak and listen with.
type Speech struct {
	// Engines are known to pages by their names, whatever the case of the letters;
	// Aliases are more names for them.
	Engines map[string]Engine
	Aliases map[string]string
	// ASR and TTS name the engines of pages that name none. They may be left out
	// where there is only one.
	ASR, TTS string
	// Assist names the engine that listens to both sides of every dialogue, to help who
	// has the call; empty: none does, unless the page asks for one.
	Assist string
	// Overrides are the options of the section vrm that Request-URIs may set.
	Overrides []string
}

// Engine is a speech engine: one of RTP and Attached is set.
type Engine struct {
	// RTP is an engine whose audio comes as RTP to a leg of its own.
	RTP speech.Engine
	// Local is the local address that its audio should come to, and Codecs are what
	// the platform can offer it, by preference; the caller's own codec goes first, so
	// that the kernel can relay.
	Local  func(ctx context.Context) (netip.Addr, error)
	Codecs []speech.Codec
	// Attached is an engine that has the call's audio over a connection of its own.
	Attached speech.Attacher
	// Bot says that a session with the engine is a conversation with a voicebot.
	Bot bool
}

// watcher is told of sessions with engines.
type watcher interface {
	step(name reporting.Step, text string)
	conversing() // with a voicebot
}

// voice is one call's session with an engine, with its leg if it has one. It opens
// when first needed, and again after the session was lost.
type voice struct {
	name   string // of the engine
	engine Engine
	line   speech.Line
	media  *media.Session
	caller *media.Leg
	spoken func() codec.Codec // what the caller speaks
	own    func() (speech.Particulars, error)
	watch  watcher
	log    *slog.Logger

	mu      sync.Mutex
	opened  int // sessions opened so far, for the leg's name
	leg     *media.Leg
	session speech.Session
	listens bool // the session has been used to listen
}

// use returns the open session, opening it if need be.
func (v *voice) use(ctx context.Context) (speech.Session, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.session != nil {
		select {
		case <-v.session.Done():
			v.log.Debug("speech session has ended; opening another", "engine", v.name)
			v.dropLocked(ctx)
		default:
			return v.session, nil
		}
	}
	if err := v.openLocked(ctx); err != nil {
		return nil, err
	}
	if v.engine.Bot {
		v.watch.conversing()
	}
	return v.session, nil
}

func (v *voice) openLocked(ctx context.Context) (err error) {
	if v.engine.Attached != nil {
		v.session, err = v.engine.Attached.Attach(ctx, v.line)
		return err
	}
	return v.openLegLocked(ctx)
}

func (v *voice) openLegLocked(ctx context.Context) error {
	local, err := v.engine.Local(ctx)
	if err != nil {
		return err
	}
	v.opened++
	name := v.name
	if v.opened > 1 {
		name = fmt.Sprintf("%s-%d", v.name, v.opened)
	}
	leg, err := v.media.OpenLeg(name, local)
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
func (v *voice) begin(ctx context.Context, offer speech.Media) (speech.Session, error) {
	particular, ok := v.engine.RTP.(speech.Particular)
	if !ok {
		return v.engine.RTP.Open(ctx, offer)
	}
	own, err := v.own()
	if err != nil {
		return nil, err
	}
	return particular.OpenFor(ctx, offer, own)
}

// offer lists the codecs with the caller's first: when the server takes that
// one, the audio can stay in the kernel.
func (v *voice) offer() []speech.Codec {
	first := v.spoken()
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

func (v *voice) connectLocked(m speech.Media) error {
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

// attend lets the engine hear the caller.
func (v *voice) attend() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.listens {
		v.listens = true
		v.watch.step(reporting.StepASROpen, v.name)
	}
	if v.leg == nil {
		return nil
	}
	return v.media.Join(v.caller, v.leg)
}

// silence keeps the synthesizer's audio from the caller at once, without waiting
// for the server to stop; hear lets it through again.
func (v *voice) silence() { v.edge(v.media.Part) }
func (v *voice) hear()    { v.edge(v.media.Join) }

func (v *voice) edge(change func(from, to *media.Leg) error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.leg == nil {
		return
	}
	if err := change(v.leg, v.caller); err != nil {
		v.log.Warn("change the synthesizer's route", "error", err)
	}
}

// close ends the session, if one is open.
func (v *voice) close(ctx context.Context) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dropLocked(ctx)
}

// dropLocked sends the server nothing more before it is told to go: what came
// after its end would be lost, and complained about.
func (v *voice) dropLocked(ctx context.Context) {
	if v.leg != nil {
		if err := v.media.Part(v.caller, v.leg); err != nil {
			v.log.Warn("stop the recognizer's audio", "error", err)
		}
	}
	if v.session != nil {
		if err := v.session.Close(ctx); err != nil && !errors.Is(err, speech.ErrClosed) {
			v.log.Warn("close speech session", "error", err)
		}
		v.session = nil
		if v.listens {
			v.listens = false
			v.watch.step(reporting.StepASRClose, v.name)
		}
	}
	if v.leg != nil {
		if err := v.leg.Close(); err != nil {
			v.log.Warn("close speech leg", "error", err)
		}
		v.leg = nil
	}
}
