package mixbench

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/control/media"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/record"
	"mcp/control/media/record/store"
)

// recorded is how many calls are recorded at once, each for so many frames.
const (
	recorded = 50
	frames   = 250
)

// product is what the product records a core: 33 to 50 ports of MP3.
const product = 50

// recordings measures recorded calls to files, both sides mixed, encrypted but for
// one.
func recordings() ([]bench.Result, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	var results []bench.Result
	for _, one := range []struct {
		name      string
		mediaType string
		clear     bool
		goal      float64
	}{
		{name: "ports.recording_per_core", mediaType: "audio/wav;codec=ulaw", goal: 500},
		{name: "ports.recording_clear_per_core", mediaType: "audio/wav;codec=ulaw", clear: true},
		{name: "ports.recording_mp3_32_per_core", mediaType: "audio/mpeg;bitrate=32", goal: product},
		{name: "ports.recording_mp3_16_per_core", mediaType: "audio/mpeg;bitrate=16", goal: product},
		{name: "ports.recording_opus_per_core", mediaType: "audio/ogg"},
	} {
		source := func() ([]*x509.Certificate, error) { return []*x509.Certificate{certificate}, nil }
		if one.clear {
			source = nil
		}
		cost, err := recordAll(one.mediaType, source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		results = append(results, bench.Result{
			Name: one.name, Value: perCore(recorded*frames, cost), Unit: "calls", AtLeast: one.goal,
		}.Rate())
	}
	return results, nil
}

// recordAll is the CPU time of recording all calls to their end.
func recordAll(mediaType string, certificates func() ([]*x509.Certificate, error)) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "mixbench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	h, err := newHall()
	if err != nil {
		return 0, err
	}
	s, err := store.New(store.Config{Folder: dir, Certificates: certificates, Clock: new(clock.Clock)}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	format, err := record.ParseType(mediaType)
	if err != nil {
		return 0, err
	}
	legs, speakers, err := h.pairs(recorded)
	if err != nil {
		return 0, err
	}
	from := cpu()
	var all []*store.Recording
	for i := range recorded {
		r, err := s.Begin(store.Request{Options: record.Options{Format: format}})
		if err != nil {
			return 0, err
		}
		all = append(all, r)
		if err := errors.Join(r.Hear(0, legs[2*i]), r.Hear(0, legs[2*i+1])); err != nil {
			return 0, err
		}
	}
	for range frames {
		for _, v := range speakers {
			v.say()
		}
		for _, r := range all {
			r.Tick()
		}
	}
	var missing time.Duration
	for _, r := range all {
		r.Stop()
		<-r.Finished()
		result, err := r.Result()
		if err != nil {
			return 0, err
		}
		missing += result.Missing
	}
	if missing > 0 {
		return 0, fmt.Errorf("%s could not be written in time", missing)
	}
	return cpu() - from, errors.Join(s.Close(), h.close())
}

// pairs opens the legs of calls with two sides.
func (h *hall) pairs(n int) (legs []*media.Leg, speakers []*speaker, err error) {
	for range 2 * n {
		l, v, err := h.leg(codec.PCMU)
		if err != nil {
			return nil, nil, err
		}
		legs, speakers = append(legs, l), append(speakers, v)
	}
	return legs, speakers, nil
}

func selfSigned() (*x509.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "benchmark"}, KeyUsage: x509.KeyUsageKeyEncipherment,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
