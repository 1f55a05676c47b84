package voicexml

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"mcp/control/media"
	"mcp/control/media/codec"
	gvp "mcp/control/sip/genesys"
	"mcp/speech"
)

// The properties by which a page chooses its engines.
const (
	asrProperty = "com.genesyslab.asrengine"
	ttsProperty = "com.genesyslab.ttsengine"
)

// choose finds the engine that a page names, or else the default.
func (s Speech) choose(named, otherwise string) (string, Engine, error) {
	name := named
	if name == "" {
		name = otherwise
	}
	if len(s.Engines) == 0 {
		return "", Engine{}, fmt.Errorf("%w: none is configured", speech.ErrUnavailable)
	}
	if name == "" && len(s.Engines) == 1 {
		for name, engine := range s.Engines {
			return name, engine, nil
		}
	}
	for alias, of := range s.Aliases {
		if strings.EqualFold(alias, name) {
			name = of
			break
		}
	}
	for known, engine := range s.Engines {
		if strings.EqualFold(known, name) {
			return known, engine, nil
		}
	}
	if name == "" {
		return "", Engine{}, fmt.Errorf("%w: the page names none, and there is no default", speech.ErrUnavailable)
	}
	return "", Engine{}, fmt.Errorf("%w: engine %q is none of %s", speech.ErrUnavailable, name,
		strings.Join(slices.Sorted(maps.Keys(s.Engines)), ", "))
}

// voices are a call's sessions with engines, one with each that its pages use.
type voices struct {
	speech Speech
	line   *line
	media  *media.Session
	caller *media.Leg
	spoken func() codec.Codec
	own    func() (speech.Particulars, error) // the call's
	watch  watcher
	log    *slog.Logger

	mu   sync.Mutex
	open map[string]*voice
}

// speaker is the voice that prompts are spoken with.
func (v *voices) speaker(page map[string]string) (*voice, error) {
	return v.get(page[ttsProperty], v.speech.TTS)
}

// recognizer is the voice that listens.
func (v *voices) recognizer(page map[string]string) (*voice, error) {
	return v.get(page[asrProperty], v.speech.ASR)
}

func (v *voices) get(named, otherwise string) (*voice, error) {
	name, engine, err := v.speech.choose(named, otherwise)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open[name] == nil {
		v.open[name] = &voice{
			name: name, engine: engine, line: v.line,
			media: v.media, caller: v.caller, spoken: v.spoken, own: v.own, watch: v.watch, log: v.log,
		}
	}
	return v.open[name], nil
}

func (v *voices) all() []*voice {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Collect(maps.Values(v.open))
}

// hear lets one voice through to the caller, and no other.
func (v *voices) hear(one *voice) {
	for _, other := range v.all() {
		if other != one {
			other.silence()
		}
	}
	one.hear()
}

// sessionXML is the option that names the description of the call's sessions with
// speech servers: a file: URL, absolute.
const sessionXML = "vrm.nsssessionxml"

// particulars are what speech servers are told of the call.
func (p *phone) particulars() (speech.Particulars, error) {
	invite := p.call.Invite()
	own := speech.Particulars{Call: sessionID(invite.Headers(), p.call.ID()), Witness: p.spoken}
	taken, refused := gvp.Overrides(invite.RequestURI().Params, p.service.config.Speech.Overrides)
	if slices.Contains(refused, sessionXML) {
		p.log.Warn("the call's session.xml is not among the overrides allowed")
	}
	if file := taken[sessionXML]; file != "" {
		var err error
		if own.Description, err = readDescription(file); err != nil {
			return own, fmt.Errorf("%s: %w", sessionXML, err)
		}
	}
	return own, nil
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

// close ends the sessions that are open.
func (v *voices) close(ctx context.Context) {
	var closing sync.WaitGroup
	for _, one := range v.all() {
		closing.Go(func() { one.close(ctx) })
	}
	closing.Wait()
}
