package voice

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/reporting"
	gvp "mcp/control/sip/genesys"
	"mcp/speech"
)

// Parts are what a call's voices work with.
type Parts struct {
	Engines Engines
	Clips   *Clips
	// Legs begins the names of the legs that engines get, so that several Voices of one
	// call do not quarrel over them.
	Legs string
	// Step is told what happens, for the call's trail.
	Step func(name reporting.Step, text string)
	Log  *slog.Logger // the call's
}

// Voices are a call's sessions with engines, one with each that is used. Its methods
// may be called from any goroutine.
type Voices struct {
	Used Usage

	call  *call.Call
	parts Parts
	keys  keys

	mu   sync.Mutex
	open map[string]*Voice // nil: none has been asked for
}

// New makes them; nothing is opened yet.
func New(c *call.Call, p Parts) *Voices { return &Voices{call: c, parts: p} }

// Speaker is the voice that speaks, of the engine named or else the default.
func (v *Voices) Speaker(named string) (*Voice, error) { return v.get(named, v.parts.Engines.TTS) }

// Recognizer is the voice that listens.
func (v *Voices) Recognizer(named string) (*Voice, error) { return v.get(named, v.parts.Engines.ASR) }

func (v *Voices) get(named, otherwise string) (*Voice, error) {
	name, engine, err := v.parts.Engines.Choose(named, otherwise)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil {
		v.open = make(map[string]*Voice)
	}
	if v.open[name] == nil {
		v.open[name] = &Voice{name: name, engine: engine, of: v}
	}
	return v.open[name], nil
}

func (v *Voices) all() []*Voice {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Values(v.open))
}

// Hear lets one voice through to the caller, and no other.
func (v *Voices) Hear(one *Voice) {
	for _, other := range v.all() {
		if other != one {
			other.Silence()
		}
	}
	one.hear()
}

// Silence keeps all voices from the caller.
func (v *Voices) Silence() {
	for _, one := range v.all() {
		one.Silence()
	}
}

// Line is the call as engines have it whose audio travels over a connection of their
// own.
func (v *Voices) Line() *Line { return &Line{v} }

// Press hands a key to the engines that take keys.
func (v *Voices) Press(key byte) { v.keys.press(key) }

// TakenKeys is how many keys engines have taken since it was asked last.
func (v *Voices) TakenKeys() int { return v.keys.forget() }

// Close ends the sessions that are open. Their servers are told for so long at most.
func (v *Voices) Close(patience time.Duration) {
	all := v.all()
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var closing sync.WaitGroup
	for _, one := range all {
		closing.Go(func() { one.close(ctx) })
	}
	closing.Wait()
}

// sessionXML is the option that names the description of the call's sessions with
// speech servers: a file: URL, absolute.
const sessionXML = "vrm.nsssessionxml"

// particulars are what speech servers are told of the call.
func (v *Voices) particulars() (speech.Particulars, error) {
	invite := v.call.Invite()
	own := speech.Particulars{Call: session(invite, v.call.ID()), Witness: v.witness}
	taken, refused := gvp.Overrides(invite.RequestURI().Params, v.parts.Engines.Overrides)
	if slices.Contains(refused, sessionXML) {
		v.parts.Log.Warn("the call's session.xml is not among the overrides allowed")
	}
	if file := taken[sessionXML]; file != "" {
		var err error
		if own.Description, err = readDescription(file); err != nil {
			return own, fmt.Errorf("%s: %w", sessionXML, err)
		}
	}
	return own, nil
}

// witness reports the messages between the platform and a speech server.
func (v *Voices) witness(received bool, message string) {
	step := reporting.StepSpeechSent
	if received {
		step = reporting.StepSpeechReceived
	}
	v.parts.Step(step, message)
}

// maxDescription bounds a session.xml, octets.
const maxDescription = 64 << 10

func readDescription(from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || !path.IsAbs(u.Path) {
		return nil, fmt.Errorf("%q is no absolute file: URL", from)
	}
	info, err := os.Stat(u.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > maxDescription {
		return nil, fmt.Errorf("%s is no file of 1 to %d octets", u.Path, maxDescription)
	}
	return os.ReadFile(u.Path)
}
