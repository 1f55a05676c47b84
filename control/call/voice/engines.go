// Package voice gives a call what it speaks and listens with: sessions with speech
// engines, chosen by name, opened when first needed and kept for the whole call, each
// with the leg that its audio flows through or the connection that carries it.
package voice

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"mcp/speech"
)

// Engines are what applications speak and listen with.
type Engines struct {
	// ByName are the engines as applications know them, whatever the case of the
	// letters; Aliases are more names for them.
	ByName  map[string]Engine
	Aliases map[string]string
	// ASR and TTS name the engines of applications that name none. They may be left
	// out where there is only one.
	ASR, TTS string
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

// Choose finds the engine that an application names, or else the default; it fails
// with speech.ErrUnavailable.
func (e Engines) Choose(named, otherwise string) (string, Engine, error) {
	name := named
	if name == "" {
		name = otherwise
	}
	if len(e.ByName) == 0 {
		return "", Engine{}, fmt.Errorf("%w: none is configured", speech.ErrUnavailable)
	}
	if name == "" && len(e.ByName) == 1 {
		for name, engine := range e.ByName {
			return name, engine, nil
		}
	}
	for alias, of := range e.Aliases {
		if strings.EqualFold(alias, name) {
			name = of
			break
		}
	}
	for known, engine := range e.ByName {
		if strings.EqualFold(known, name) {
			return known, engine, nil
		}
	}
	if name == "" {
		return "", Engine{}, fmt.Errorf("%w: the application names none, and there is no default", speech.ErrUnavailable)
	}
	return "", Engine{}, fmt.Errorf("%w: engine %q is none of %s", speech.ErrUnavailable, name,
		strings.Join(slices.Sorted(maps.Keys(e.ByName)), ", "))
}
