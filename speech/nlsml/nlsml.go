// Package nlsml reads and writes the Natural Language Semantics Markup Language
// in which recognizers report results (RFC 6787 sections 6.3.1 and 9.6).
//
// Servers disagree about its namespace, its confidence scale and which elements
// may be left out, so elements are known by their local names alone.
package nlsml

import (
	"errors"
	"math"
	"slices"

	"mcp/speech"
)

// ErrNotNLSML says that a document is not an NLSML result.
var ErrNotNLSML = errors.New("not an nlsml result")

// Scale says how confidences are written.
type Scale uint8

const (
	// Fraction is MRCPv2's 0.0 to 1.0. A document in which any confidence
	// exceeds 1 is read as Percent all the same: MRCPv2 servers send that too.
	Fraction Scale = iota
	// Percent is MRCPv1's 0 to 100. A document in which no confidence exceeds 1 and
	// some are broken is read as Fraction: MRCPv1 servers send that too.
	Percent
)

// Result is what one <result> says.
type Result struct {
	// Interpretations, best first, without those that are a nomatch or noinput.
	Interpretations []Interpretation
	NoMatch         bool // a <nomatch> was in it
	NoInput         bool // a <noinput> was in it
}

// Interpretation is one <interpretation>.
type Interpretation struct {
	Grammar    string // the grammar's URI, from here or from <result>
	Confidence float64
	Instance   string // inner XML when it has elements, else its text
	Input      string // text, white space collapsed
	Mode       string // "voice", "dtmf" or as the server said
}

// Alternatives are the interpretations as speech knows them. GrammarID is the
// grammar's URI as the server wrote it; the engine turns it into an identifier.
func (r Result) Alternatives() []speech.Alternative {
	var all []speech.Alternative
	for _, in := range r.Interpretations {
		all = append(all, speech.Alternative{
			GrammarID:  in.Grammar,
			Utterance:  in.Input,
			Confidence: in.Confidence,
			Instance:   in.Instance,
			Mode:       in.Mode,
		})
	}
	return all
}

// rank puts the scale right and the best interpretation first. Equal ones keep
// the server's order.
func (r *Result) rank(scale Scale) {
	most, broken := 0.0, false
	for _, in := range r.Interpretations {
		most = max(most, in.Confidence)
		broken = broken || in.Confidence != math.Trunc(in.Confidence)
	}
	switch {
	case most > 1:
		scale = Percent
	case broken:
		scale = Fraction
	}
	for i := range r.Interpretations {
		in := &r.Interpretations[i]
		if scale == Percent {
			in.Confidence /= 100
		}
		in.Confidence = min(max(in.Confidence, 0), 1)
	}
	slices.SortStableFunc(r.Interpretations, func(a, b Interpretation) int {
		switch {
		case a.Confidence > b.Confidence:
			return -1
		case a.Confidence < b.Confidence:
			return 1
		}
		return 0
	})
}
