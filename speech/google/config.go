// Package google is a client of Google Cloud's Text-to-Speech and Speech-to-Text
// over gRPC: a speech.Attacher. Audio is asked for and given in the codec of the
// call, so that nothing need be transcoded but A-law for the recognizer, which does
// not know it.
package google

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Config says whose the services are and how they speak and listen. Its zero value
// uses the public endpoints with application default credentials.
type Config struct {
	Name string // of the engine, in metrics

	// Credentials is a file with the credentials of a service account or another
	// kind; empty: the application default credentials, which the environment names
	// (GOOGLE_APPLICATION_CREDENTIALS). Tenants maps tenants to files of their own.
	Credentials string
	Tenants     map[string]string

	// TTSEndpoint and ASREndpoint are HOST:PORT of the services.
	TTSEndpoint, ASREndpoint string
	// CA is a PEM file of root certificates; empty: the system's.
	CA string
	// Insecure speaks without TLS and credentials, to loopback addresses only.
	Insecure bool
	// Budget bounds how long a prompt may stay without audio, retries included, and a
	// recognition without an open stream; 10 s.
	Budget time.Duration

	Voice Voice
	Ears  Ears
}

// Voice is how prompts sound where a page does not say.
type Voice struct {
	Name   string            // such as en-US-Neural2-C; empty: the service's choice for the language
	Names  map[string]string // voices by language tag, such as de-DE
	Rate   float64           // 0.25 to 2; 0 and 1 are the voice's own
	Pitch  float64           // semitones, -20 to 20
	Gain   float64           // dB, -96 to 16
	Effect string            // audio profile; telephony-class-application, "none" for none
	// Stream is auto, always or never: whether text is synthesized while it is heard.
	// auto does so with the voices that can, Chirp; they take no SSML.
	Stream string
}

// Ears are how callers are listened to.
type Ears struct {
	Model    string  // phone_call, latest_short, …; empty: phone_call
	Standard bool    // do without the enhanced model
	Boost    float64 // of what grammars expect, 0 to 20; 10
}

// The public endpoints.
const (
	publicTTS = "texttospeech.googleapis.com:443"
	publicASR = "speech.googleapis.com:443"
)

func (c Config) withDefaults() Config {
	set := func(to *string, otherwise string) {
		if *to == "" {
			*to = otherwise
		}
	}
	set(&c.Name, "google")
	set(&c.TTSEndpoint, publicTTS)
	set(&c.ASREndpoint, publicASR)
	set(&c.Voice.Effect, "telephony-class-application")
	set(&c.Voice.Stream, "auto")
	set(&c.Ears.Model, "phone_call")
	if c.Budget <= 0 {
		c.Budget = 10 * time.Second
	}
	if c.Ears.Boost == 0 {
		c.Ears.Boost = 10
	}
	return c
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	for key, endpoint := range map[string]string{"tts-endpoint": c.TTSEndpoint, "asr-endpoint": c.ASREndpoint} {
		host, _, err := net.SplitHostPort(endpoint)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
			continue
		}
		if addr, err := netip.ParseAddr(host); c.Insecure && (err != nil || !addr.IsLoopback()) {
			faults = append(faults, fmt.Errorf("%s: %s is no loopback address, and insecure allows none else", key, host))
		}
	}
	for _, limit := range []struct {
		key         string
		value       float64
		least, most float64
	}{
		{"rate", c.Voice.Rate, 0.25, 2}, {"pitch", c.Voice.Pitch, -20, 20},
		{"gain", c.Voice.Gain, -96, 16}, {"boost", c.Ears.Boost, 0, 20},
	} {
		if limit.value != 0 && (limit.value < limit.least || limit.value > limit.most) {
			faults = append(faults, fmt.Errorf("%s: %v is not from %v to %v", limit.key, limit.value, limit.least, limit.most))
		}
	}
	switch c.Voice.Stream {
	case "auto", "always", "never":
	default:
		faults = append(faults, fmt.Errorf("stream: %q is none of auto, always, never", c.Voice.Stream))
	}
	return errors.Join(faults...)
}
