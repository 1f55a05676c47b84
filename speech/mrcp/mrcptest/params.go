package mrcptest

import (
	"strconv"
	"strings"
	"time"

	"mcp/speech/mrcp/wire"
)

// params are a resource's parameters by lower-case header name.
type params map[string]string

// of is what a request says, or else what SET-PARAMS said before.
func (p params) of(m *wire.Message, header string) string {
	if m.Header.Has(header) {
		return m.Header.Get(header)
	}
	return p[strings.ToLower(header)]
}

func (p params) duration(m *wire.Message, header string, otherwise time.Duration) time.Duration {
	if ms, err := strconv.Atoi(p.of(m, header)); err == nil && ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return otherwise
}

func (p params) float(m *wire.Message, header string, otherwise float64) float64 {
	if f, err := strconv.ParseFloat(p.of(m, header), 64); err == nil {
		return f
	}
	return otherwise
}

func (p params) count(m *wire.Message, header string, otherwise int) int {
	if n, err := strconv.Atoi(p.of(m, header)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// Checks of header values.
func isFraction(v string) bool {
	f, err := strconv.ParseFloat(v, 64)
	return err == nil && f >= 0 && f <= 1
}

func isMillis(v string) bool {
	_, err := strconv.ParseUint(v, 10, 32)
	return err == nil
}

func isCount(v string) bool {
	n, err := strconv.ParseUint(v, 10, 16)
	return err == nil && n > 0
}

func isBoolean(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") }

func isAnything(string) bool { return true }

// checks are the parameters that each resource knows, with their checks.
func checks(resource string) map[string]func(string) bool {
	known := map[string]func(string) bool{
		"speech-language": isAnything, "logging-tag": isAnything, "vendor-specific-parameters": isAnything,
		"accept-charset": isAnything, "cache-control": isAnything, "fetch-timeout": isMillis, "set-cookie": isAnything,
	}
	if resource == wire.Synthesizer {
		known["kill-on-barge-in"] = isBoolean
		for _, name := range []string{"voice-name", "voice-gender", "voice-variant", "prosody-rate", "prosody-volume"} {
			known[name] = isAnything
		}
		known["voice-age"] = isCount
		return known
	}
	if resource == wire.Recorder {
		known["sensitivity-level"] = isFraction
		for _, name := range []string{"no-input-timeout", "max-time", "final-silence", "trim-length"} {
			known[name] = isMillis
		}
		known["capture-on-speech"], known["start-input-timers"], known["media-type"] = isBoolean, isBoolean, isAnything
		return known
	}
	for _, name := range []string{"confidence-threshold", "sensitivity-level", "speed-vs-accuracy"} {
		known[name] = isFraction
	}
	for _, name := range []string{"no-input-timeout", "recognition-timeout", "speech-complete-timeout",
		"speech-incomplete-timeout", "dtmf-interdigit-timeout", "dtmf-term-timeout"} {
		known[name] = isMillis
	}
	for _, name := range []string{"start-input-timers", "save-waveform", "cancel-if-queue"} {
		known[name] = isBoolean
	}
	known["n-best-list-length"] = isCount
	known["recognition-mode"] = func(v string) bool { return strings.EqualFold(v, "normal") || strings.EqualFold(v, "hotword") }
	known["media-type"] = isAnything
	return known
}

// validate refuses a request that carries a header it cannot hold, with 404 and
// the header as it came. Headers that are unknown are passed over.
func validate(m *wire.Message, resource string) *wire.Message {
	known := checks(resource)
	var refusal *wire.Message
	for _, f := range m.Header {
		check := known[strings.ToLower(f.Name)]
		if check == nil || check(f.Value) {
			continue
		}
		if refusal == nil {
			refusal = wire.NewResponse(m, wire.StatusIllegalValue, wire.Complete)
		}
		refusal.Header = append(refusal.Header, f)
	}
	return refusal
}

// isEntity tells headers that belong to every message from parameters.
func isEntity(name string) bool {
	switch strings.ToLower(name) {
	case "channel-identifier", "content-type", "content-length", "content-id", "accept":
		return true
	}
	return false
}

// handleParams answers SET-PARAMS and GET-PARAMS (RFC 6787 section 6.1).
func (s *Session) handleParams(r request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := map[string]params{wire.Synthesizer: s.synth.params, wire.Recognizer: s.recog.params, wire.Recorder: s.record.params}[r.resource]
	if r.Name == wire.MethodGetParams {
		s.sendLocked(getParams(r.Message, p))
	} else {
		s.sendLocked(setParams(r, p))
	}
}

// getParams tells the parameters asked for, or all that were set.
func getParams(m *wire.Message, p params) *wire.Message {
	response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
	asked := false
	for _, f := range m.Header {
		if !isEntity(f.Name) {
			asked = true
			response.Header.Add(f.Name, p[strings.ToLower(f.Name)])
		}
	}
	if !asked {
		for name, value := range p {
			response.Header.Add(name, value)
		}
	}
	return response
}

// setParams sets all parameters or, if one is at fault, none.
func setParams(r request, p params) *wire.Message {
	if refusal := validate(r.Message, r.resource); refusal != nil {
		return refusal
	}
	known := checks(r.resource)
	refusal := wire.NewResponse(r.Message, wire.StatusUnsupportedHeader, wire.Complete)
	for _, f := range r.Header {
		if !isEntity(f.Name) && known[strings.ToLower(f.Name)] == nil {
			refusal.Header = append(refusal.Header, f)
		}
	}
	if len(refusal.Header) > 1 {
		return refusal
	}
	for _, f := range r.Header {
		if !isEntity(f.Name) {
			p[strings.ToLower(f.Name)] = f.Value
		}
	}
	return wire.NewResponse(r.Message, wire.StatusSuccess, wire.Complete)
}
