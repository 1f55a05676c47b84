// Package certs keeps a certificate, its key and the authorities that peers are
// trusted by in step with the files they come from: when a file changes, the
// next handshake uses what is in it, and connections that are open go on.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// recheck is how long files are believed not to have changed.
const recheck = time.Second

// Files name PEM files. A certificate needs its key.
type Files struct {
	Certificate, Key string
	// Authorities are those that peers are trusted by; empty: the system's.
	Authorities string
	// Mutual makes the server ask its clients for a certificate, and refuse
	// those without a good one.
	Mutual bool
}

// Store is what is in the files.
type Store struct {
	files Files
	log   *slog.Logger

	mu      sync.Mutex
	checked time.Time
	stamps  [3]stamp
	loaded  material
}

// stamp tells a file from a later version of it.
type stamp struct {
	modified time.Time
	size     int64
}

type material struct {
	certificate *tls.Certificate // nil: none
	authorities *x509.CertPool   // nil: the system's
}

// Open reads the files; a Store whose files are not in order at first is none.
func Open(files Files, log *slog.Logger) (*Store, error) {
	if (files.Certificate == "") != (files.Key == "") {
		return nil, errors.New("a certificate and its key belong together")
	}
	if files.Mutual && files.Authorities == "" {
		return nil, errors.New("mutual authentication needs the authorities that clients are trusted by")
	}
	s := &Store{files: files, log: log}
	s.stamps = s.look()
	m, err := files.load()
	if err != nil {
		return nil, err
	}
	s.loaded, s.checked = m, time.Now()
	s.warn(m)
	return s, nil
}

// warn tells of a certificate that peers refuse.
func (s *Store) warn(m material) {
	if m.certificate == nil {
		return
	}
	if from, until := m.certificate.Leaf.NotBefore, m.certificate.Leaf.NotAfter; time.Now().Before(from) || time.Now().After(until) {
		s.log.Warn("sip certificate is not in force: peers refuse it; put another in its place", "certificate", s.files.Certificate, "from", from, "until", until)
	}
}

func (f Files) load() (material, error) {
	var m material
	if f.Certificate != "" {
		c, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
		if err != nil {
			return m, fmt.Errorf("certificate %s: %w", f.Certificate, err)
		}
		m.certificate = &c
	}
	if f.Authorities != "" {
		pem, err := os.ReadFile(f.Authorities)
		if err != nil {
			return m, fmt.Errorf("authorities: %w", err)
		}
		m.authorities = x509.NewCertPool()
		if !m.authorities.AppendCertsFromPEM(pem) {
			return m, fmt.Errorf("authorities %s: no certificate in it", f.Authorities)
		}
	}
	return m, nil
}

func (s *Store) look() (stamps [3]stamp) {
	for i, name := range []string{s.files.Certificate, s.files.Key, s.files.Authorities} {
		if info, err := os.Stat(name); name != "" && err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// current is what is in the files now. New content that is not in order is
// logged and not used; what was good before goes on.
func (s *Store) current() material {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.checked) < recheck {
		return s.loaded
	}
	s.checked = time.Now()
	stamps := s.look()
	if stamps == s.stamps {
		return s.loaded
	}
	m, err := s.files.load()
	if err != nil {
		// The key may follow its certificate in a moment: the next look tries again.
		s.log.Warn("sip certificates not reloaded; the former ones stay in use", "error", err)
		return s.loaded
	}
	s.stamps, s.loaded = stamps, m
	s.log.Info("sip certificates reloaded", "certificate", s.files.Certificate)
	s.warn(m)
	return m
}

// Server is how incoming connections are secured; every handshake uses what is
// in the files then.
func (s *Store) Server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := s.current()
		if m.certificate == nil {
			return nil, errors.New("no certificate to serve with")
		}
		// Without tickets a client that is not trusted any more has nothing to resume.
		c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*m.certificate}, SessionTicketsDisabled: true}
		if s.files.Mutual {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, m.authorities
		}
		return c, nil
	}}
}

// Client is how one connection to a peer is secured. Its certificate must be for
// the name, a host name or an address; ours is shown if the peer asks for it.
func (s *Store) Client(name string) *tls.Config {
	m := s.current()
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: m.authorities}
	if m.certificate != nil {
		c.Certificates = []tls.Certificate{*m.certificate}
	}
	return c
}
