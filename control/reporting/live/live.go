// Package live lets people on the machine follow dialogues while they go on: the
// platform serves them on a Unix socket that only its own user may open, and
// "mcp vxml trace" reads there.
//
// The socket speaks HTTP. GET /calls lists the calls as JSON; GET /trace?call=ID
// streams the events of one, or without ID of all, as a JSON object a line: first
// the last few that have been, then those that come; with variables=true those of
// variables that change as well. Nobody who follows slows a
// call down: who cannot keep up misses events, and is told so. What a caller
// gave in private is not there (com.genesyslab.private).
package live

import "mcp/control/reporting/recent"

// missed is the kind of lines that say that some are missing before them.
const missed = "missed"

// reader is one who follows dialogues and may lag behind them.
type reader struct {
	lines  chan recent.Line
	missed int // of who tells
}

func newReader() *reader { return &reader{lines: make(chan recent.Line, 512)} }

// take hands a line on, unless the reader lags.
func (r *reader) take(l recent.Line) {
	if r.missed > 0 && len(r.lines) < cap(r.lines)/2 {
		r.lines <- recent.Line{Time: l.Time, Call: l.Call, Kind: missed}
		r.missed = 0
	}
	select {
	case r.lines <- l:
	default:
		r.missed++
	}
}
