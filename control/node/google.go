package node

import (
	"time"

	"mcp/control/service/voicexml"
	"mcp/speech/google"
)

// Google is one account of Google Cloud's speech services.
type Google struct {
	Enabled     bool              `yaml:"enabled" doc:"use Google Cloud speech as the engine google"`
	Credentials string            `yaml:"credentials" doc:"file with the account's credentials; empty: those that GOOGLE_APPLICATION_CREDENTIALS names"`
	Tenants     map[string]string `yaml:"tenants" doc:"credential files of tenants, by gvp-tenant-id"`
	TTSEndpoint string            `yaml:"tts-endpoint" doc:"HOST:PORT of Text-to-Speech; empty: the public one"`
	ASREndpoint string            `yaml:"asr-endpoint" doc:"HOST:PORT of Speech-to-Text; empty: the public one"`
	CA          string            `yaml:"ca" doc:"PEM file of root certificates; empty: the system's"`
	Insecure    bool              `yaml:"insecure" doc:"neither TLS nor credentials: for tests, on loopback addresses only"`
	Budget      time.Duration     `yaml:"budget" doc:"how long a prompt may stay without audio, retries included; 0: 10s"`
	Voice       GoogleVoice       `yaml:"voice" doc:"how prompts sound where a page does not say"`
	Recognizer  GoogleRecognizer  `yaml:"recognizer" doc:"how callers are listened to"`
}

// GoogleVoice is how prompts sound.
type GoogleVoice struct {
	Name   string            `yaml:"name" doc:"such as en-US-Neural2-C; empty: the service's choice for the language"`
	Names  map[string]string `yaml:"names" doc:"voices by language tag, such as de-DE"`
	Rate   float64           `yaml:"rate" doc:"0.25 to 2; 0: the voice's own"`
	Pitch  float64           `yaml:"pitch" doc:"semitones, -20 to 20"`
	Gain   float64           `yaml:"gain" doc:"dB, -96 to 16"`
	Effect string            `yaml:"effect" doc:"audio profile; empty: telephony-class-application; none"`
	Stream string            `yaml:"stream" doc:"hear prompts while they are made: auto (empty) with voices that can, always, never"`
}

// GoogleRecognizer is how callers are listened to.
type GoogleRecognizer struct {
	Model    string  `yaml:"model" doc:"empty: phone_call"`
	Standard bool    `yaml:"standard" doc:"do without the enhanced model"`
	Boost    float64 `yaml:"boost" doc:"of what grammars expect, 0 to 20; 0: 10"`
}

// engine is the section in the words of package google.
func (g Google) engine(name string) google.Config {
	return google.Config{
		Name: name, Credentials: g.Credentials, Tenants: g.Tenants,
		TTSEndpoint: g.TTSEndpoint, ASREndpoint: g.ASREndpoint, CA: g.CA, Insecure: g.Insecure, Budget: g.Budget,
		Voice: google.Voice{
			Name: g.Voice.Name, Names: g.Voice.Names, Rate: g.Voice.Rate, Pitch: g.Voice.Pitch, Gain: g.Voice.Gain,
			Effect: g.Voice.Effect, Stream: g.Voice.Stream,
		},
		Ears: google.Ears{Model: g.Recognizer.Model, Standard: g.Recognizer.Standard, Boost: g.Recognizer.Boost},
	}
}

// Validate checks the section.
func (g Google) Validate() error { return g.engine("").Validate() }

func (n *Node) openGoogle(name string, cfg Google) (voicexml.Engine, error) {
	engine, err := google.New(cfg.engine(name), n.log)
	if err != nil {
		return voicexml.Engine{}, err
	}
	n.opened("speech engine "+name, engine.Close)
	n.metrics.MustRegister(engine)
	return voicexml.Engine{Attached: engine}, nil
}
