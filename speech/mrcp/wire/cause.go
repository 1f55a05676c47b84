package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Cause is a Completion-Cause. Its meaning depends on the resource; causes are
// told apart by number, because the names differ between servers.
type Cause struct {
	Code int
	Name string
}

// Completion causes of the synthesizer (RFC 6787 section 8.4.3).
const (
	SpeakNormal              = 0
	SpeakBargeIn             = 1
	SpeakParseFailure        = 2
	SpeakURIFailure          = 3
	SpeakError               = 4
	SpeakLanguageUnsupported = 5
	SpeakLexiconFailure      = 6
	SpeakCancelled           = 7
)

// Completion causes of the recognizer (RFC 6787 section 9.4.11).
const (
	RecogSuccess             = 0
	RecogNoMatch             = 1
	RecogNoInput             = 2
	RecogHotwordMaxtime      = 3
	RecogGrammarLoad         = 4
	RecogGrammarCompilation  = 5
	RecogError               = 6
	RecogTooEarly            = 7
	RecogSuccessMaxtime      = 8
	RecogURIFailure          = 9
	RecogLanguageUnsupported = 10
	RecogCancelled           = 11
	RecogSemanticsFailure    = 12
	RecogPartialMatch        = 13
	RecogPartialMaxtime      = 14
	RecogNoMatchMaxtime      = 15
	RecogGrammarDefinition   = 16
)

// Completion causes of the recorder (RFC 6787 section 10.4.3).
const (
	RecordSilence    = 0
	RecordMaxtime    = 1
	RecordNoInput    = 2
	RecordURIFailure = 3
	RecordError      = 4
)

var speakCauses = [...]string{"normal", "barge-in", "parse-failure", "uri-failure", "error",
	"language-unsupported", "lexicon-load-failure", "cancelled"}

var recogCauses = [...]string{"success", "no-match", "no-input-timeout", "hotword-maxtime",
	"grammar-load-failure", "grammar-compilation-failure", "recognizer-error", "speech-too-early",
	"success-maxtime", "uri-failure", "language-unsupported", "cancelled", "semantics-failure",
	"partial-match", "partial-match-maxtime", "no-match-maxtime", "grammar-definition-failure"}

var recordCauses = [...]string{"success-silence", "success-maxtime", "no-input-timeout", "uri-failure", "error"}

// SpeakCause is a synthesizer's cause by number.
func SpeakCause(code int) Cause { return Cause{code, speakCauses[code]} }

// RecogCause is a recognizer's cause by number.
func RecogCause(code int) Cause { return Cause{code, recogCauses[code]} }

// RecordCause is a recorder's cause by number.
func RecordCause(code int) Cause { return Cause{code, recordCauses[code]} }

// String writes the cause as it stands in the header.
func (c Cause) String() string { return fmt.Sprintf("%03d %s", c.Code, c.Name) }

// Cause reads the message's Completion-Cause; there may be none.
func (m *Message) Cause() (Cause, bool) {
	number, name, _ := strings.Cut(strings.TrimSpace(m.Header.Get(HeaderCompletionCause)), " ")
	code, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return Cause{}, false
	}
	return Cause{int(code), strings.TrimSpace(name)}, true
}
