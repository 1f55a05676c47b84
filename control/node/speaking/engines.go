// Package speaking turns the configuration's section of speech engines into their
// clients: MRCP servers, whose SIP dialogs go through the platform's own agent,
// Google Cloud and bots.
package speaking

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/call/voice"
	"mcp/control/sip"
)

// Config is the section of speech engines. VoiceXML pages choose among them with the
// properties com.genesyslab.asrengine and com.genesyslab.ttsengine; MSML names none and
// has ASR and TTS.
type Config struct {
	ASR     string            `yaml:"asr" doc:"engine that listens where the application names none, as MSML never does; may be empty when there is only one"`
	TTS     string            `yaml:"tts" doc:"engine that speaks where the application names none, as MSML never does; may be empty when there is only one"`
	MRCP    MRCP              `yaml:"mrcp" doc:"MRCPv2 server (RFC 6787): the engine mrcp"`
	Google  Google            `yaml:"google" doc:"Google Cloud speech over gRPC: the engine google"`
	Nexus   Nexus             `yaml:"nexus" doc:"bot over a WebSocket (AudioHook, Audio Connector): the engine nexus"`
	Engines map[string]Engine `yaml:"engines" doc:"more engines by the names that pages know them by"`
	Assist  string            `yaml:"assist" doc:"engine that listens to both sides of every VoiceXML dialogue, transfers included, as an assistant: a nexus one; empty: none, unless a page starts one with the object builtin:assist/start"`
	// Overrides are options of the product's by their names there.
	Overrides []string          `yaml:"overrides" doc:"options that a call's Request-URI may set with gvp.config.OPTION; there is vrm.nsssessionxml, a file: URL of the session.xml of MRCPv2 sessions in place of send-session-xml. Whoever calls can then have any session.xml of the machine sent; default: none"`
	Aliases   map[string]string `yaml:"aliases" doc:"more names that pages know engines by, such as NuanceASRv2: mrcp"`
}

// Engine is one more engine: one of its sections is filled in.
type Engine struct {
	MRCP   MRCP   `yaml:"mrcp" doc:"MRCPv2 server (RFC 6787)"`
	Google Google `yaml:"google" doc:"Google Cloud speech over gRPC"`
	Nexus  Nexus  `yaml:"nexus" doc:"bot over a WebSocket (AudioHook, Audio Connector)"`
}

// Defaults has no engines.
func Defaults() Config { return Config{MRCP: MRCP{Timeout: 5 * time.Second}} }

// Validate checks that the engines named are there.
func (c Config) Validate() error {
	all := c.engines()
	for name, e := range c.Engines {
		if e.kinds() != 1 {
			return fmt.Errorf("engines.%s: exactly one kind of engine is to be configured", name)
		}
	}
	for key, name := range map[string]string{"asr": c.ASR, "tts": c.TTS, "assist": c.Assist} {
		if _, known := all[name]; name != "" && !known && c.Aliases[name] == "" {
			return fmt.Errorf("%s: %q is none of the engines configured: %q", key, name, slices.Sorted(maps.Keys(all)))
		}
	}
	for alias, name := range c.Aliases {
		if _, known := all[name]; !known {
			return fmt.Errorf("aliases.%s: %q is none of the engines configured: %q", alias, name, slices.Sorted(maps.Keys(all)))
		}
	}
	return nil
}

// kinds is how many kinds of engine are configured.
func (e Engine) kinds() (n int) {
	for _, is := range []bool{e.MRCP.URI != "", e.Google.Enabled, e.Nexus.URL != ""} {
		if is {
			n++
		}
	}
	return n
}

// engines are all that are configured, by name.
func (c Config) engines() map[string]Engine {
	all := maps.Clone(c.Engines)
	if all == nil {
		all = map[string]Engine{}
	}
	for name, e := range map[string]Engine{"mrcp": {MRCP: c.MRCP}, "google": {Google: c.Google}, "nexus": {Nexus: c.Nexus}} {
		if _, taken := all[name]; !taken && e.kinds() > 0 {
			all[name] = e
		}
	}
	return all
}

// Engines are the clients of all speech engines.
type Engines struct {
	config  Config
	parts   Parts
	clients map[string]voice.Engine
	closers []func() error
}

// Parts are what the clients are made with.
type Parts struct {
	Agent   *sip.Agent
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Open makes the clients.
func Open(c Config, p Parts) (*Engines, error) {
	e := &Engines{config: c, parts: p, clients: map[string]voice.Engine{}}
	all := c.engines()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		client, err := e.open(name, all[name])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("speech engine %s: %w", name, err), e.Close())
		}
		e.clients[name] = client
	}
	return e, nil
}

// Voices are the engines as dialogues choose among them.
func (e *Engines) Voices() voice.Engines {
	c := e.config
	return voice.Engines{ByName: e.clients, Aliases: c.Aliases, ASR: c.ASR, TTS: c.TTS, Overrides: c.Overrides}
}

// Close ends the clients.
func (e *Engines) Close() error {
	var errs []error
	for _, end := range slices.Backward(e.closers) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// opened remembers how to end a client.
func (e *Engines) opened(name string, end func() error) {
	e.closers = append(e.closers, func() error {
		if err := end(); err != nil {
			return fmt.Errorf("speech engine %s: %w", name, err)
		}
		return nil
	})
}

func (e *Engines) open(name string, cfg Engine) (voice.Engine, error) {
	switch {
	case cfg.MRCP.URI != "":
		return e.openMRCP(name, cfg.MRCP)
	case cfg.Google.Enabled:
		return e.openGoogle(name, cfg.Google)
	case cfg.Nexus.URL != "":
		return e.openNexus(name, cfg.Nexus)
	}
	return voice.Engine{}, errors.New("nothing is configured")
}
