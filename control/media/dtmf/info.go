package dtmf

import (
	"errors"
	"mime"
	"strconv"
	"strings"
)

// The media types of an INFO's body that is a key press. No RFC has them; gateways
// and phones have long sent the first as "Signal=5" and "Duration=160", a line each,
// the second as the key alone.
const (
	RelayType = "application/dtmf-relay"
	PlainType = "application/dtmf"
)

// ErrNoKey is of a body that names none of Keys.
var ErrNoKey = errors.New("the body names no key")

// InInfo tells whether a media type is that of a key press.
func InInfo(mediaType string) bool {
	name, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (name == RelayType || name == PlainType)
}

// ParseInfo is the key that a body of such a type names, by itself or by its event
// code (RFC 4733 section 3.2).
func ParseInfo(body string) (byte, error) {
	signal := body
	for line := range strings.Lines(body) {
		if name, value, found := strings.Cut(line, "="); found {
			signal = ""
			if strings.EqualFold(strings.TrimSpace(name), "signal") {
				signal = value
				break
			}
		}
	}
	signal = strings.ToUpper(strings.TrimSpace(signal))
	if code, err := strconv.ParseUint(signal, 10, 8); err == nil && int(code) < len(Keys) {
		return Keys[code], nil
	}
	if len(signal) != 1 || !strings.Contains(Keys, signal) {
		return 0, ErrNoKey
	}
	return signal[0], nil
}
