// Package securing is the section of the configuration about protected audio, and
// what is made of it.
package securing

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"mcp/control/call/secure"
	"mcp/control/media"
	"mcp/control/media/socket"
	"mcp/control/media/srtp"
)

// Config is the section of protected audio.
type Config struct {
	Mode        string        `yaml:"mode" doc:"off; optional: as the other side wants, offered but not demanded (RFC 8643); required: calls without are refused"`
	Keys        []string      `yaml:"keys" doc:"how keys are agreed, by preference: dtls, by a handshake beside the audio (RFC 5763); sdes, in the session description (RFC 4568)"`
	Profiles    []string      `yaml:"profiles" doc:"by preference: AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32, AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_256_CM_HMAC_SHA1_80, AES_256_CM_HMAC_SHA1_32"`
	Certificate string        `yaml:"certificate" names:"file" doc:"PEM file of the certificate for dtls; empty: one that is made at start"`
	Key         string        `yaml:"key" names:"file" doc:"PEM file of its key"`
	Handshake   time.Duration `yaml:"handshake" doc:"longest time for a dtls handshake, after which the call is ended"`
	Clear       bool          `yaml:"keys-in-clear" doc:"let sdes keys travel in signalling without TLS, where whoever sees the signalling can hear the call"`
}

// Validate checks the section of protected audio.
func (s Config) Validate() error {
	switch secure.Mode(s.Mode) {
	case secure.Off, secure.Optional, secure.Required:
	default:
		return fmt.Errorf("mode: %q is none of off, optional, required", s.Mode)
	}
	for _, k := range s.Keys {
		if k != "sdes" && k != "dtls" {
			return fmt.Errorf("keys: %q is neither dtls nor sdes", k)
		}
	}
	if (s.Certificate == "") != (s.Key == "") {
		return errors.New("certificate and key go together")
	}
	if s.Handshake <= 0 {
		return errors.New("handshake must be above zero")
	}
	for _, p := range s.Profiles {
		if !srtp.Profile(p).Known() {
			return fmt.Errorf("profiles: %q is unknown", p)
		}
	}
	if secure.Mode(s.Mode) != secure.Off && (len(s.Keys) == 0 || len(s.Profiles) == 0) {
		return errors.New("keys and profiles must not be empty")
	}
	return nil
}

// Defaults protects nothing.
func Defaults() Config {
	s := Config{Mode: string(secure.Off), Keys: []string{"dtls", "sdes"}, Handshake: 10 * time.Second}
	for _, p := range srtp.Profiles() {
		s.Profiles = append(s.Profiles, string(p))
	}
	return s
}

// Policy is what calls go by. It reads the certificate, or makes one.
func (s Config) Policy() (secure.Policy, error) {
	p := secure.Policy{Mode: secure.Mode(s.Mode), SDES: slices.Contains(s.Keys, "sdes"), Clear: s.Clear, Limit: s.Handshake}
	if p.Mode != secure.Off && slices.Contains(s.Keys, "dtls") {
		var err error
		if p.Identity, err = s.identity(); err != nil {
			return p, err
		}
		p.First = s.Keys[0] == "dtls"
	}
	for _, name := range s.Profiles {
		p.Profiles = append(p.Profiles, srtp.Profile(name))
	}
	return p, nil
}

func (s Config) identity() (*srtp.Identity, error) {
	if s.Certificate == "" {
		return srtp.NewIdentity()
	}
	return srtp.LoadIdentity(s.Certificate, s.Key)
}

// Open opens the plane of legs that another cannot carry because their packets are
// protected; nil: there is no need. Whoever opens it closes it.
func (s Config) Open(beside media.Plane, log *slog.Logger) media.Plane {
	if s.Mode == string(secure.Off) {
		return nil
	}
	log.Info("SRTP", "mode", s.Mode, "keys", s.Keys, "profiles", s.Profiles)
	if s.Clear {
		log.Warn("SRTP keys may travel in signalling that is not encrypted", "configured", "media.srtp.keys-in-clear")
	}
	if beside.Mode() == "socket" {
		return nil
	}
	return socket.New("SRTP", log)
}
