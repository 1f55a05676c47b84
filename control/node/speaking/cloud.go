package speaking

import (
	"fmt"
	"os"
	"strings"
	"time"

	"mcp/control/call/voice"
	"mcp/speech/google"
	"mcp/speech/nexus"
	"mcp/speech/nexus/audiohook"
)

// Google is one account of Google Cloud's speech services.
type Google struct {
	Enabled     bool              `yaml:"enabled" doc:"use Google Cloud speech as the engine google"`
	Credentials string            `yaml:"credentials" names:"file" doc:"file with the account's credentials; empty: those that GOOGLE_APPLICATION_CREDENTIALS names"`
	Tenants     map[string]string `yaml:"tenants" names:"file" doc:"credential files of tenants, by gvp-tenant-id"`
	TTSEndpoint string            `yaml:"tts-endpoint" doc:"HOST:PORT of Text-to-Speech; empty: the public one"`
	ASREndpoint string            `yaml:"asr-endpoint" doc:"HOST:PORT of Speech-to-Text; empty: the public one"`
	CA          string            `yaml:"ca" names:"file" trust:"alone" doc:"PEM file of root certificates; empty: the system's"`
	Insecure    bool              `yaml:"insecure" doc:"neither TLS nor credentials: for tests, on loopback addresses only"`
	Budget      time.Duration     `yaml:"budget" doc:"how long a prompt may stay without audio, retries included; 0: 10s"`
	Voice       GoogleVoice       `yaml:"voice" doc:"how prompts sound where the application does not say"`
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

func (e *Engines) openGoogle(name string, cfg Google) (voice.Engine, error) {
	engine, err := google.New(cfg.engine(name), e.parts.Log)
	if err != nil {
		return voice.Engine{}, err
	}
	e.opened(name, engine.Close)
	e.parts.Metrics.MustRegister(engine)
	return voice.Engine{Attached: engine}, nil
}

// Nexus is one far end of the AudioHook and Audio Connector protocol.
type Nexus struct {
	URL          string            `yaml:"url" doc:"wss URL of the bot, or ws on loopback; empty: none"`
	Organization string            `yaml:"organization" doc:"UUID of the organization; empty: the nil UUID"`
	APIKey       string            `yaml:"api-key" secret:"true" doc:"sent with every request; the page's com.genesyslab.asr.x-api-key goes before it"`
	APIKeyFile   string            `yaml:"api-key-file" names:"file" doc:"file that holds the API key instead"`
	Secret       string            `yaml:"secret" secret:"true" doc:"base64; requests are signed with it"`
	SecretFile   string            `yaml:"secret-file" names:"file" doc:"file that holds the secret instead"`
	CA           string            `yaml:"ca" names:"file" trust:"alone" doc:"PEM file of root certificates; empty: the system's"`
	L16          bool              `yaml:"l16" doc:"offer 16-bit audio alone, rather than mu-law too"`
	Custom       map[string]string `yaml:"custom" doc:"customConfig of every session"`
	Timeout      time.Duration     `yaml:"timeout" doc:"how long opening a session may take; 0: 5s"`
	Ping         time.Duration     `yaml:"ping" doc:"how often the far end is asked whether it is there; 0: 5s"`
	Settle       time.Duration     `yaml:"settle" doc:"how long an answer waits for the bot to begin to say it; 0: 300ms"`
	Answer       time.Duration     `yaml:"answer" doc:"how long a field waits for a bot that says and reports nothing; 0: 1m"`
}

// Validate checks the section.
func (n Nexus) Validate() error {
	if n.URL == "" {
		return nil
	}
	c := n.client()
	if n.APIKeyFile != "" {
		c.APIKey = "in a file"
	}
	return c.Validate()
}

// client is the section in the words of package audiohook, its files unread.
func (n Nexus) client() audiohook.Config {
	return audiohook.Config{
		URL: n.URL, Organization: n.Organization, APIKey: n.APIKey, Secret: n.Secret, CA: n.CA, L16: n.L16,
		Custom: n.Custom, OpenTimeout: n.Timeout, Ping: n.Ping,
	}
}

func (e *Engines) openNexus(name string, cfg Nexus) (voice.Engine, error) {
	config := cfg.client()
	for file, to := range map[string]*string{cfg.APIKeyFile: &config.APIKey, cfg.SecretFile: &config.Secret} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return voice.Engine{}, err
		}
		*to = strings.TrimSpace(string(text))
	}
	if err := config.Validate(); err != nil {
		return voice.Engine{}, err
	}
	client, err := audiohook.New(config, e.parts.Log)
	if err != nil {
		return voice.Engine{}, fmt.Errorf("connect to bots: %w", err)
	}
	e.opened(name, client.Close)
	engine := nexus.New(nexus.Config{Name: name, Settle: cfg.Settle, Answer: cfg.Answer}, client, e.parts.Log)
	e.parts.Metrics.MustRegister(engine)
	return voice.Engine{Attached: engine, Bot: true}, nil
}
