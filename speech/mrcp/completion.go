package mrcp

import (
	"fmt"
	"strings"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
	"mcp/speech/nlsml"
)

// Failure is a server's refusal of a request, or the failure of one it accepted.
// errors.Is finds in it the speech errors that its cause amounts to.
type Failure struct {
	Method string
	Status int    // of the response; 200 when the request failed after acceptance
	Cause  string // Completion-Cause, when there was one
	Reason string // Completion-Reason, when there was one
	kind   error
}

func (f *Failure) Error() string {
	text := "speech server: " + f.Method
	if f.Status != wire.StatusSuccess {
		text += fmt.Sprintf(": %d %s", f.Status, wire.StatusText(f.Status))
	}
	for _, detail := range []string{f.Cause, f.Reason} {
		if detail != "" {
			text += ": " + detail
		}
	}
	return text
}

func (f *Failure) Unwrap() error { return f.kind }

func newFailure(method string, m *wire.Message, kind error) *Failure {
	f := &Failure{Method: method, Status: m.Status, Reason: m.Header.Get(wire.HeaderCompletionReason), kind: kind}
	if m.Kind == wire.Event {
		f.Status = wire.StatusSuccess
	}
	if cause, ok := m.Cause(); ok {
		f.Cause = cause.String()
	}
	return f
}

// refusal is the error of a response other than success, nil for success.
func refusal(method string, m *wire.Message) error {
	if m.Status/100 == 2 {
		return nil
	}
	var kind error
	switch {
	case m.Status == wire.StatusNotAllocated || m.Status/100 == 5:
		kind = speech.ErrUnavailable
	case method == wire.MethodSpeak, method == wire.MethodDefineLexicon:
		kind = speakKind(m)
	default:
		kind = recogKind(m)
	}
	return newFailure(method, m, kind)
}

// spoken is the error of a SPEAK that has completed (RFC 6787 section 8.4.3).
// Servers that say no cause mean that all went well.
func spoken(m *wire.Message) error {
	cause, ok := m.Cause()
	if !ok || cause.Code == wire.SpeakNormal || cause.Code == wire.SpeakBargeIn {
		return nil
	}
	return newFailure(wire.MethodSpeak, m, speakKind(m))
}

func speakKind(m *wire.Message) error {
	cause, _ := m.Cause()
	switch cause.Code {
	case wire.SpeakParseFailure:
		return speech.ErrText
	case wire.SpeakURIFailure, wire.SpeakLexiconFailure:
		return speech.ErrFetch
	case wire.SpeakLanguageUnsupported:
		return speech.ErrLanguage
	case wire.SpeakCancelled:
		return speech.ErrClosed
	}
	return nil
}

func recogKind(m *wire.Message) error {
	cause, _ := m.Cause()
	switch cause.Code {
	case wire.RecogGrammarLoad, wire.RecogGrammarCompilation, wire.RecogGrammarDefinition, wire.RecogSemanticsFailure:
		return speech.ErrGrammar
	case wire.RecogURIFailure:
		return speech.ErrFetch
	case wire.RecogLanguageUnsupported:
		return speech.ErrLanguage
	case wire.RecogCancelled:
		return speech.ErrClosed
	}
	return nil
}

// recognized is what a completed RECOGNIZE came to (RFC 6787 section 9.4.11).
func recognized(m *wire.Message, scale nlsml.Scale) (speech.Result, error) {
	cause, known := m.Cause()
	if !known {
		return recognizedByBody(m, scale)
	}
	switch cause.Code {
	case wire.RecogSuccess, wire.RecogSuccessMaxtime:
		return recognizedByBody(m, scale)
	case wire.RecogNoMatch, wire.RecogHotwordMaxtime, wire.RecogTooEarly, wire.RecogPartialMatch:
		return speech.Result{Outcome: speech.NoMatch, Alternatives: rejected(m, scale)}, nil
	case wire.RecogNoInput:
		return speech.Result{Outcome: speech.NoInput}, nil
	case wire.RecogPartialMaxtime, wire.RecogNoMatchMaxtime:
		return speech.Result{Outcome: speech.TooMuchSpeech, Alternatives: rejected(m, scale)}, nil
	}
	return speech.Result{}, newFailure(wire.MethodRecognize, m, recogKind(m))
}

// recognizedByBody trusts the result itself. Some servers send no cause, and
// some call a nomatch a success.
func recognizedByBody(m *wire.Message, scale nlsml.Scale) (speech.Result, error) {
	parsed, err := nlsml.Parse(m.Body, scale)
	if err != nil {
		return speech.Result{}, fmt.Errorf("result of recognition: %w", err)
	}
	alternatives := parsed.Alternatives()
	switch {
	case len(alternatives) > 0:
		return speech.Result{Outcome: speech.Match, Alternatives: alternatives}, nil
	case parsed.NoInput:
		return speech.Result{Outcome: speech.NoInput}, nil
	default:
		return speech.Result{Outcome: speech.NoMatch}, nil
	}
}

// rejected are the interpretations that a server tells although none was good
// enough.
func rejected(m *wire.Message, scale nlsml.Scale) []speech.Alternative {
	if !strings.Contains(strings.ToLower(m.Header.Get(wire.HeaderContentType)), "nlsml") {
		return nil
	}
	parsed, err := nlsml.Parse(m.Body, scale)
	if err != nil {
		return nil
	}
	return parsed.Alternatives()
}
