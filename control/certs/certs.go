// Package certs gets the certificates that recordings are encrypted to, from where
// an operator keeps them, and keeps them fresh: files, a web server, a database, or
// a gateway to a configuration server (see Gateway for its protocol).
package certs

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrNone is what a Keeper answers that has never got any.
var ErrNone = errors.New("no recording certificates are known")

// Source is where certificates are kept. Whoever uses them judges whether they are
// fit to encrypt to.
type Source interface {
	Fetch(ctx context.Context) ([]*x509.Certificate, error)
}

// Parse reads certificates in PEM form; other blocks are passed over. No certificate
// at all is an error.
func Parse(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate in PEM form")
	}
	return all, nil
}

// Files are PEM files, or directories all of whose files ending in .pem and .crt are,
// as a Kubernetes secret is mounted.
type Files []string

// Fetch implements Source.
func (f Files) Fetch(context.Context) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, path := range f {
		paths := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			pems, _ := filepath.Glob(filepath.Join(path, "*.pem")) // its only error is of the pattern
			crts, _ := filepath.Glob(filepath.Join(path, "*.crt"))
			paths = append(pems, crts...)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				return nil, err
			}
			found, err := Parse(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p, err)
			}
			all = append(all, found...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%v: no certificates", []string(f))
	}
	return all, nil
}

// defaultInterval is between two fetches: how long a rotation may take.
const defaultInterval = time.Minute

// fetchTime bounds one fetch.
const fetchTime = 10 * time.Second

// Keeper has the certificates that a source told last. While the source is away they
// stay in use, until they expire.
type Keeper struct {
	source   Source
	interval time.Duration
	log      *slog.Logger
	failures prometheus.Counter
	expires  *prometheus.Desc

	mu      sync.Mutex // guards what follows
	known   []*x509.Certificate
	trouble string // as last logged
}

// NewKeeper makes a Keeper; an interval of zero is a minute. It knows nothing before
// Refresh or Run.
func NewKeeper(s Source, interval time.Duration, log *slog.Logger) *Keeper {
	if interval <= 0 {
		interval = defaultInterval
	}
	return &Keeper{
		source: s, interval: interval, log: log,
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_certificate_source_failures_total", Help: "Times the source of recording certificates could not be asked.",
		}),
		expires: prometheus.NewDesc("mcp_certificate_expiry_seconds",
			"When the first of the recording certificates expires, in seconds since 1970; absent when none is known.", nil, nil),
	}
}

// Certificates are those that are known. ErrNone: there were never any.
func (k *Keeper) Certificates() ([]*x509.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		return nil, ErrNone
	}
	return k.known, nil
}

// Run refreshes until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(k.interval)
	defer ticker.Stop()
	for {
		k.Refresh(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Refresh asks the source once.
func (k *Keeper) Refresh(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	found, err := k.source.Fetch(limited)
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.failures.Inc()
		if text := err.Error(); text != k.trouble {
			k.log.Warn("connection to the source of recording certificates is lost", "known", len(k.known), "error", err)
			k.trouble = text
		}
		return
	}
	if k.trouble != "" {
		k.log.Info("the source of recording certificates answers again")
		k.trouble = ""
	}
	if !same(k.known, found) {
		for _, c := range found {
			k.log.Info("recording certificate", "subject", c.Subject.String(), "expires", c.NotAfter)
		}
	}
	k.known = found
}

func same(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// Describe implements prometheus.Collector.
func (k *Keeper) Describe(out chan<- *prometheus.Desc) {
	k.failures.Describe(out)
	out <- k.expires
}

// Collect implements prometheus.Collector.
func (k *Keeper) Collect(out chan<- prometheus.Metric) {
	k.failures.Collect(out)
	known, err := k.Certificates()
	if err != nil {
		return
	}
	first := known[0].NotAfter
	for _, c := range known {
		if c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	out <- prometheus.MustNewConstMetric(k.expires, prometheus.GaugeValue, float64(first.Unix()))
}
