package amr

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// The parameters of a payload format (RFC 4867 section 8.1) that bear on its payloads.
const (
	alignParameter = "octet-align"
	modesParameter = "mode-set"
)

// Aligned tells whether payloads are octet-aligned, by what was agreed as fmtp has it.
func Aligned(fmtp string) bool { return parameter(fmtp, alignParameter) == "1" }

// Modes are those that may be spoken in, rising: all of them unless a set was agreed
// that makes sense.
func Modes(fmtp string) []uint8 {
	var modes []uint8
	for text := range strings.SplitSeq(parameter(fmtp, modesParameter), ",") {
		mode, err := strconv.ParseUint(strings.TrimSpace(text), 10, 8)
		if err != nil || mode > HighestMode {
			return []uint8{0, 1, 2, 3, 4, 5, 6, 7}
		}
		modes = append(modes, uint8(mode))
	}
	slices.Sort(modes)
	return slices.Compact(modes)
}

func parameter(fmtp, wanted string) string {
	for fmtp != "" {
		var each string
		each, fmtp, _ = strings.Cut(fmtp, ";")
		if name, value, _ := strings.Cut(strings.TrimSpace(each), "="); strings.EqualFold(name, wanted) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Request is the mode that a far end asks for (CMR), told by who reads its payloads to
// who writes payloads for it. Its zero value is no request.
type Request struct{ above atomic.Uint32 } // the mode and one

// Hear takes the request of a payload. Values that are none do not count (RFC 4867
// section 4.3.1).
func (r *Request) Hear(mode uint8) {
	switch {
	case mode <= HighestMode:
		r.above.Store(uint32(mode) + 1)
	case mode == NoData:
		r.above.Store(0)
	}
}

// Highest is the highest mode that may be spoken in.
func (r *Request) Highest() uint8 {
	if above := r.above.Load(); above > 0 {
		return uint8(above - 1)
	}
	return HighestMode
}

// Pace is in which mode each frame is spoken: the highest that is agreed and asked
// for. It changes with every other frame at the most, and to a neighbour, which suits
// every far end (RFC 4867 section 8.1: mode-change-period and mode-change-neighbor).
type Pace struct {
	modes []uint8
	at    int
	odd   bool
}

// NewPace begins in the highest of the modes, which rise.
func NewPace(modes []uint8) *Pace { return &Pace{modes: modes, at: len(modes) - 1} }

// Next is the mode of the next frame.
func (p *Pace) Next(highest uint8) uint8 {
	if !p.odd {
		switch {
		case p.modes[p.at] > highest && p.at > 0:
			p.at--
		case p.at+1 < len(p.modes) && p.modes[p.at+1] <= highest:
			p.at++
		}
	}
	p.odd = !p.odd
	return p.modes[p.at]
}
