package mrcp

import (
	"context"
	"strconv"

	"mcp/speech"
	"mcp/speech/mrcp/wire"
)

// recording is one RECORD request (RFC 6787 section 10). Its session's mu guards
// recorded.
type recording struct {
	*hearing
	recorded speech.Recorded
}

var _ speech.Recording = (*recording)(nil)

// Record is part of speech.Recorder.
func (s *session) Record(ctx context.Context, r speech.RecordRequest) (speech.Recording, error) {
	if err := s.need(ctx, wire.Recorder); err != nil {
		return nil, err
	}
	rec, err := s.beginRecording(r)
	if err != nil {
		return nil, err
	}
	if err := rec.accept(ctx); err != nil {
		return nil, err
	}
	return rec, nil
}

func (s *session) beginRecording(r speech.RecordRequest) (*recording, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case s.recording != nil && s.recording.state != recogEnded:
		return nil, errBusy
	}
	rec := &recording{hearing: newHearing(s, wire.MethodRecord, wire.Recorder)}
	rec.heard, rec.complete = s.bargeInLocked, rec.completedLocked
	if r.MaxTime > 0 { // otherwise it is meant to have no end
		rec.limits = s.hearingLimits(r.StartTimers, r.NoInput, r.MaxTime, r.FinalSilence)
	}
	rec.stopped = func(m *wire.Message) { rec.recorded = readRecorded(m) }
	m := &wire.Message{Name: wire.MethodRecord}
	m.Header.Add(wire.HeaderStartInputTimers, strconv.FormatBool(r.StartTimers))
	m.Header.Add(wire.HeaderCaptureOnSpeech, strconv.FormatBool(r.OnSpeech))
	uri := "" // an empty one asks the server to choose (RFC 6787 section 10.4.7)
	if r.URI != "" {
		uri = "<" + r.URI + ">"
	}
	m.Header.Add(wire.HeaderRecordURI, uri)
	if r.MediaType != "" {
		m.Header.Add(wire.HeaderMediaType, r.MediaType)
	}
	addMillis(m, []timing{{wire.HeaderNoInputTimeout, r.NoInput}, {wire.HeaderMaxTime, r.MaxTime}, {wire.HeaderFinalSilence, r.FinalSilence}})
	if r.Sensitivity > 0 {
		m.Header.Add(wire.HeaderSensitivityLevel, wire.Float(r.Sensitivity))
	}
	s.vendorLocked(wire.Recorder, m, r.Vendor)
	s.recording = rec
	rec.sendLocked(m)
	return rec, nil
}

func (rec *recording) completedLocked(m *wire.Message) error {
	rec.recorded = readRecorded(m)
	cause, _ := m.Cause()
	switch cause.Code {
	case wire.RecordNoInput:
		rec.recorded.NoInput = true
	case wire.RecordMaxtime:
		rec.recorded.MaxTime = true
	case wire.RecordURIFailure:
		return newFailure(wire.MethodRecord, m, speech.ErrFetch)
	case wire.RecordError:
		return newFailure(wire.MethodRecord, m, nil)
	}
	return nil
}

func readRecorded(m *wire.Message) speech.Recorded {
	uri, size, duration := wire.ResourceURI(m.Header.Get(wire.HeaderRecordURI))
	return speech.Recorded{URI: uri, Size: size, Duration: duration}
}

// Recorded is part of speech.Recording. What a stopped one has recorded counts.
func (rec *recording) Recorded() (speech.Recorded, error) {
	rec.session.mu.Lock()
	defer rec.session.mu.Unlock()
	if rec.err != nil && rec.recorded.URI == "" {
		return speech.Recorded{}, rec.err
	}
	return rec.recorded, nil
}
