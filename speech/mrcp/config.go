// Package mrcp is a client of speech servers: a speech.Engine whose sessions
// each hold a synthesizer, a recognizer and, when asked for, a recorder of one
// server out of a list.
//
// It knows the requests and events of MRCP and how they follow each other, which
// MRCPv2 (RFC 6787) and MRCPv1 (RFC 4463) share. How messages reach a server is
// the business of a Carriage, one for each version, in the folders below; so is
// moving the audio that of whoever opens a session: the package says where RTP
// must flow and touches none.
package mrcp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mcp/speech/mrcp/wire"
)

// Config says which servers to use and how. Only Servers has no default.
type Config struct {
	// Servers are equal ones, of which each session gets one.
	Servers []Server
	// Resources are what a session is opened with; synthesizer and recognizer. One
	// that is not among them is added when it is first needed.
	Resources []string
	// ResponseTimeout bounds the wait for the response to any request; 5 s.
	ResponseTimeout time.Duration
	// OpenTimeout bounds the set-up of a session with one server; 10 s.
	OpenTimeout time.Duration
	// CloseTimeout bounds how long the end of a session may take; 5 s.
	CloseTimeout time.Duration
	// KeepAlive is after how long without a message one is sent, because servers
	// end sessions that they take for dead; 0 sends none.
	KeepAlive time.Duration
	// Idle is after how long without use a resource is given back to the server,
	// and a session none of whose resources is used is ended; 0 keeps them.
	Idle time.Duration
	// HealthInterval is how often each server is asked whether it is there; 0 asks
	// none, and a server that failed is tried again after RetryAfter.
	HealthInterval time.Duration
	// RetryAfter is how long a server that failed is only used when all have; 10 s.
	RetryAfter time.Duration
	// SSMLType is the media type of what is spoken. Empty is what the version of
	// the protocol says; servers older than RFC 6787 want application/synthesis+ssml.
	SSMLType string
	// Manners are how particular servers want to be spoken to.
	Manners Manners
}

// Server is a speech server of a list.
type Server struct {
	// URI is sip:mresources@192.0.2.7:5060;transport=tcp or rtsp://192.0.2.7:4900.
	URI string
	// Weight is how many of the sessions it gets, relative to the others; 1.
	Weight int
}

// Manners are how a kind of servers wants to be spoken to. They are set by
// configuration and named after the product's own options (vrm.client.*).
type Manners struct {
	// NoLanguage leaves Speech-Language out of SPEAK: the document says it.
	NoLanguage bool
	// NoHotword recognizes normally where a hot word was asked for.
	NoHotword bool
	// Percent says that confidences are of 0 to 100 where the protocol wants 0 to 1.
	Percent bool
	// RepeatedURIs sends a grammar's URI once for each time that it is named;
	// otherwise only the first counts.
	RepeatedURIs bool
	// NumberedGrammars names inline grammars by numbers that never repeat within
	// the session, not by the page's identifiers.
	NumberedGrammars bool
	// LoggingTag is sent with SET-PARAMS when a session opens, with the call's name in
	// place of CallInTag; empty sends none.
	LoggingTag string
	// Vendor are Vendor-Specific-Parameters for every recognition, and
	// VendorSpeech those for all speech.
	Vendor, VendorSpeech map[string]string
	// SpeedVsAccuracy is a vendor parameter that takes the place of the header,
	// with values from 0 to 1, such as "swirec_speedvsaccuracy"; empty sends the header.
	SpeedVsAccuracy string
}

// CallInTag stands in a logging tag for whose session it is.
const CallInTag = "{call}"

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	if len(c.Servers) == 0 {
		faults = append(faults, errors.New("no server"))
	}
	for _, s := range c.Servers {
		scheme, rest, _ := strings.Cut(strings.ToLower(s.URI), ":")
		if rest == "" || scheme != "sip" && scheme != "sips" && scheme != "rtsp" && scheme != "rtsps" {
			faults = append(faults, fmt.Errorf("uri %q is no sip or rtsp uri", s.URI))
		}
		if s.Weight < 0 {
			faults = append(faults, fmt.Errorf("weight %d of %s is negative", s.Weight, s.URI))
		}
	}
	for _, r := range c.Resources {
		if r != wire.Synthesizer && r != wire.Recognizer && r != wire.Recorder {
			faults = append(faults, fmt.Errorf("resource %q is none of %s, %s, %s", r, wire.Synthesizer, wire.Recognizer, wire.Recorder))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"response timeout", c.ResponseTimeout}, {"open timeout", c.OpenTimeout}, {"close timeout", c.CloseTimeout},
		{"keep-alive", c.KeepAlive}, {"idle", c.Idle}, {"health interval", c.HealthInterval}, {"retry after", c.RetryAfter}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s %v is negative", d.name, d.value))
		}
	}
	if c.SSMLType != "" && !strings.Contains(c.SSMLType, "/") {
		faults = append(faults, fmt.Errorf("ssml type %q is no media type", c.SSMLType))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults(t Traits) Config {
	if len(c.Resources) == 0 {
		c.Resources = []string{wire.Synthesizer, wire.Recognizer}
	}
	c.ResponseTimeout = orDefault(c.ResponseTimeout, 5*time.Second)
	c.OpenTimeout = orDefault(c.OpenTimeout, 10*time.Second)
	c.CloseTimeout = orDefault(c.CloseTimeout, 5*time.Second)
	c.RetryAfter = orDefault(c.RetryAfter, 10*time.Second)
	c.SSMLType = orDefault(c.SSMLType, t.SSML)
	return c
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
