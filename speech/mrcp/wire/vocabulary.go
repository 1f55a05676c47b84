package wire

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// The two versions of the protocol have different words for the same things.
// MRCPv2's are used throughout; these are MRCPv1's (RFC 4463).

var namesV1 = map[string]string{
	MethodStartInputTimers: "RECOGNITION-START-TIMERS",
	EventStartOfInput:      EventStartOfSpeech,
}

var headersV1 = map[string]string{
	HeaderStartInputTimers: "Recognizer-Start-Timers",
	HeaderWaveformURI:      "Waveform-URL",
}

// percentages are of 0 to 100 in MRCPv1 and of 0 to 1 in MRCPv2.
var percentages = []string{HeaderConfidenceThreshold, HeaderSensitivityLevel, HeaderSpeedVsAccuracy}

// onlyV2 are the fields that MRCPv1 does not have.
var onlyV2 = []string{HeaderChannelIdentifier, "Accept", HeaderCancelIfQueue, HeaderInputType, HeaderMediaType,
	HeaderRecognitionMode, HeaderHotwordMin, HeaderHotwordMax, HeaderCompletionReason, "DTMF-Buffer-Time", "Clear-DTMF-Buffer",
	"Early-No-Match", "Ver-Buffer-Utterance", "Input-Waveform-URI"}

// causesToV1 are the recognizer's causes of MRCPv2 that MRCPv1 numbers otherwise
// (RFC 4463 section 8.4.10), or does not know.
var causesToV1 = map[int]Cause{
	RecogHotwordMaxtime: {1, "no-match"}, RecogGrammarLoad: {4, "gram-load-failure"}, RecogGrammarCompilation: {5, "gram-comp-failure"},
	RecogError: {6, "error"}, RecogSuccessMaxtime: {0, "success"}, RecogCancelled: {6, "error"}, RecogSemanticsFailure: {6, "error"},
	RecogPartialMatch: {1, "no-match"}, RecogPartialMaxtime: {8, "too-much-speech-timeout"}, RecogNoMatchMaxtime: {8, "too-much-speech-timeout"},
	RecogGrammarDefinition: {5, "gram-comp-failure"},
}

// MRCPv1's own causes: the recognizer took too long, and the caller did.
const (
	v1RecognitionTimeout = 3
	v1TooMuchSpeech      = 8
)

// ToV1 puts a message into the words of MRCPv1, as far as it has any. The
// original is left as it is.
func ToV1(m *Message, resource string) *Message {
	out := *m
	if name, differs := namesV1[m.Name]; differs {
		out.Name = name
	}
	out.Header = nil
	for _, f := range m.Header {
		if !slices.ContainsFunc(onlyV2, f.is) {
			out.Header = append(out.Header, f.toV1())
		}
	}
	if cause, known := m.Cause(); known && resource == Recognizer {
		if differs, does := causesToV1[cause.Code]; does {
			out.Header.Set(HeaderCompletionCause, differs.String())
		}
	}
	return &out
}

// FromV1 puts a message of MRCPv1 into the words of MRCPv2.
func FromV1(m *Message, resource string) *Message {
	out := *m
	for name, v1 := range namesV1 {
		if m.Name == v1 {
			out.Name = name
		}
	}
	out.Header = nil
	for _, f := range m.Header {
		out.Header = append(out.Header, f.fromV1())
	}
	if cause, known := m.Cause(); known && resource == Recognizer && m.Kind != Request {
		if cause.Code == v1RecognitionTimeout || cause.Code == v1TooMuchSpeech {
			out.Header.Set(HeaderCompletionCause, RecogCause(RecogNoMatchMaxtime).String())
		}
	}
	return &out
}

func (f Field) is(name string) bool { return strings.EqualFold(f.Name, name) }

func (f Field) toV1() Field {
	for name, v1 := range headersV1 {
		if f.is(name) {
			f.Name = v1
		}
	}
	switch {
	case slices.ContainsFunc(percentages, f.is):
		if v, err := strconv.ParseFloat(f.Value, 64); err == nil && v >= 0 && v <= 1 {
			f.Value = strconv.Itoa(int(math.Round(v * 100)))
		}
	case f.is(HeaderSpeechMarker):
		f.Value = Mark(f.Value)
	}
	return f
}

func (f Field) fromV1() Field {
	for name, v1 := range headersV1 {
		if f.is(v1) {
			f.Name = name
		}
	}
	switch {
	case f.is("Jump-Target"): // RFC 4463 calls it so in one place and Jump-Size in another
		f.Name = HeaderJumpSize
	case slices.ContainsFunc(percentages, f.is):
		if v, err := strconv.ParseUint(f.Value, 10, 32); err == nil && v <= 100 {
			f.Value = Float(float64(v) / 100)
		}
	}
	return f
}
