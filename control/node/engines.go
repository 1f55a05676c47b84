package node

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"mcp/control/service/voicexml"
)

// Speech is the section of speech engines. Pages choose among them with the
// properties com.genesyslab.asrengine and com.genesyslab.ttsengine.
type Speech struct {
	ASR     string            `yaml:"asr" doc:"engine that listens where a page names none; may be empty when there is only one"`
	TTS     string            `yaml:"tts" doc:"engine that speaks where a page names none; may be empty when there is only one"`
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

// Validate checks that the engines named are there.
func (s Speech) Validate() error {
	all := s.engines()
	for name, e := range s.Engines {
		if e.kinds() != 1 {
			return fmt.Errorf("engines.%s: exactly one kind of engine is to be configured", name)
		}
	}
	for key, name := range map[string]string{"asr": s.ASR, "tts": s.TTS, "assist": s.Assist} {
		if _, known := all[name]; name != "" && !known && s.Aliases[name] == "" {
			return fmt.Errorf("%s: %q is none of the engines configured: %q", key, name, slices.Sorted(maps.Keys(all)))
		}
	}
	for alias, name := range s.Aliases {
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
func (s Speech) engines() map[string]Engine {
	all := maps.Clone(s.Engines)
	if all == nil {
		all = map[string]Engine{}
	}
	for name, e := range map[string]Engine{"mrcp": {MRCP: s.MRCP}, "google": {Google: s.Google}, "nexus": {Nexus: s.Nexus}} {
		if _, taken := all[name]; !taken && e.kinds() > 0 {
			all[name] = e
		}
	}
	return all
}

// openSpeech makes the clients of all engines.
func (n *Node) openSpeech() (voicexml.Speech, error) {
	cfg := n.cfg.Speech
	out := voicexml.Speech{ASR: cfg.ASR, TTS: cfg.TTS, Assist: cfg.Assist, Aliases: cfg.Aliases, Overrides: cfg.Overrides, Engines: map[string]voicexml.Engine{}}
	all := cfg.engines()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		engine, err := n.openEngine(name, all[name])
		if err != nil {
			return voicexml.Speech{}, fmt.Errorf("speech engine %s: %w", name, err)
		}
		out.Engines[name] = engine
	}
	return out, nil
}

func (n *Node) openEngine(name string, cfg Engine) (voicexml.Engine, error) {
	if cfg.MRCP.URI != "" {
		return n.openMRCP(name, cfg.MRCP)
	}
	if cfg.Google.Enabled {
		return n.openGoogle(name, cfg.Google)
	}
	if cfg.Nexus.URL != "" {
		return n.openNexus(name, cfg.Nexus)
	}
	return voicexml.Engine{}, errors.New("nothing is configured")
}
