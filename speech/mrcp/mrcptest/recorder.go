package mrcptest

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/speech/mrcp/mrcptest/line"
	"mcp/speech/mrcp/wire"
)

// recorder is a session's recorder resource (RFC 6787 section 10). The session's
// mu guards it, but for its ear.
type recorder struct {
	session *Session
	params  params
	ear     *ear
	running *recording
}

// recording is a RECORD request.
type recording struct {
	recorder *recorder
	request  *wire.Message
	turn     *line.Turn
	onSpeech bool
	audio    []int16
	limit    int // samples
	timer    chan struct{}
	ctx      context.Context
	cancel   context.CancelFunc
}

func newRecorder(s *Session) *recorder {
	return &recorder{session: s, params: make(params), ear: newEar()}
}

func (r *recorder) cancelLocked() {
	if r.running != nil {
		r.running.cancel()
		r.running = nil
	}
}

func (r *recorder) handle(m *wire.Message) {
	s := r.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.Name == wire.MethodRecord && r.running == nil:
		r.beginLocked(m)
	case m.Name == wire.MethodStop && r.running == nil:
		s.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.Complete))
	case m.Name == wire.MethodStop:
		r.stopLocked(m)
	case m.Name == wire.MethodStartInputTimers && r.running != nil:
		select {
		case r.running.timer <- struct{}{}:
		default:
		}
		s.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.Complete))
	case m.Name == wire.MethodRecord || m.Name == wire.MethodStartInputTimers:
		s.sendLocked(wire.NewResponse(m, wire.StatusNotValidInState, wire.Complete))
	default:
		s.sendLocked(wire.NewResponse(m, wire.StatusMethodNotAllowed, wire.Complete))
	}
}

func (r *recorder) beginLocked(m *wire.Message) {
	s := r.session
	if refusal := validate(m, wire.Recorder); refusal != nil {
		s.sendLocked(refusal)
		return
	}
	if !m.Header.Has(wire.HeaderRecordURI) {
		s.sendLocked(wire.NewResponse(m, wire.StatusMissingHeader, wire.Complete))
		return
	}
	p, usual := r.params, s.server.cfg.Timeouts
	silence := p.duration(m, wire.HeaderFinalSilence, usual.Incomplete)
	limit := p.duration(m, wire.HeaderMaxTime, time.Hour)
	ctx, cancel := context.WithCancel(s.ctx)
	r.ear.flush()
	r.running = &recording{recorder: r, request: m, ctx: ctx, cancel: cancel, timer: make(chan struct{}, 1),
		onSpeech: strings.EqualFold(p.of(m, wire.HeaderCaptureOnSpeech), "true"),
		limit:    int(limit * line.Rate / time.Second),
		turn: line.NewTurn(line.Timeouts{NoInput: p.duration(m, wire.HeaderNoInputTimeout, usual.NoInput),
			Complete: silence, Incomplete: silence, MaxSpeech: limit},
			!strings.EqualFold(m.Header.Get(wire.HeaderStartInputTimers), "false"), p.float(m, wire.HeaderSensitivityLevel, 0.5))}
	s.sendLocked(wire.NewResponse(m, wire.StatusSuccess, wire.InProgress))
	s.wg.Go(r.running.run)
}

// run records until something ends it.
func (r *recording) run() {
	ticker := time.NewTicker(line.Frame)
	defer ticker.Stop()
	begun, elapsed := time.Now(), time.Duration(0) // of the silence since the last frame
	for {
		var next heard
		select {
		case <-r.ctx.Done():
			return
		case <-r.timer:
			r.turn.StartTimer()
			continue
		case next = <-r.recorder.ear.frames:
			begun, elapsed = time.Now(), 0
		case <-ticker.C:
			if time.Since(begun)-elapsed <= slack || len(r.recorder.ear.frames) > 0 {
				continue
			}
			next.frame = make([]int16, line.FrameSamples)
			elapsed += line.Frame
		}
		if cause, over := r.feed(next); over {
			r.complete(cause)
			return
		}
	}
}

// feed takes a frame and tells whether, and why, the recording is over.
func (r *recording) feed(h heard) (cause int, over bool) {
	moment := r.turn.Feed(h.frame, h.excess)
	r.keep(h.frame, moment == line.Started)
	switch moment {
	case line.Started:
		r.tellStart()
	case line.Paused, line.Finished:
		return wire.RecordSilence, true
	case line.TooLong:
		return wire.RecordMaxtime, true
	case line.NoInput:
		return wire.RecordNoInput, true
	}
	return wire.RecordMaxtime, len(r.audio) >= r.limit
}

// keep adds a frame to the recording, or all that the turn has heard since speech
// began.
func (r *recording) keep(frame []int16, started bool) {
	r.recorder.session.mu.Lock()
	defer r.recorder.session.mu.Unlock()
	switch {
	case !r.onSpeech, len(r.audio) > 0:
		r.audio = append(r.audio, frame...)
	case started:
		r.audio = slices.Clone(r.turn.Audio())
	}
}

func (r *recording) tellStart() {
	event := wire.NewEvent(wire.EventStartOfInput, r.request.ID, wire.InProgress, r.request.Channel())
	event.Header.Add(wire.HeaderInputType, "speech")
	event.Header.Add(wire.HeaderProxySyncID, strconv.FormatUint(uint64(r.request.ID), 10))
	s := r.recorder.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ctx.Err() == nil {
		s.sendLocked(event)
	}
}

func (r *recording) complete(cause int) {
	s := r.recorder.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.ctx.Err() != nil {
		return
	}
	event := wire.NewEvent(wire.EventRecordComplete, r.request.ID, wire.Complete, r.request.Channel())
	uri, err := "", error(nil)
	if cause != wire.RecordNoInput {
		uri, err = r.writeLocked()
	}
	if err != nil {
		cause = wire.RecordURIFailure
		event.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
	}
	event.Header.Add(wire.HeaderCompletionCause, wire.RecordCause(cause).String())
	event.Header.Add(wire.HeaderRecordURI, uri)
	r.recorder.cancelLocked()
	s.sendLocked(event)
}

// stopLocked ends the recording; what it has is kept (RFC 6787 section 10.6).
func (r *recorder) stopLocked(m *wire.Message) {
	response := wire.NewResponse(m, wire.StatusSuccess, wire.Complete)
	response.Header.Add(wire.HeaderActiveRequestIDList, wire.FormatRequestIDs([]uint32{r.running.request.ID}))
	if uri, err := r.running.writeLocked(); err == nil {
		response.Header.Add(wire.HeaderRecordURI, uri)
	} else {
		response.Header.Add(wire.HeaderCompletionReason, strconv.Quote(err.Error()))
	}
	r.cancelLocked()
	r.session.sendLocked(response)
}

// writeLocked writes a WAV file into the server's folder. It lets no client choose
// where.
func (r *recording) writeLocked() (string, error) {
	if uri, _, _ := wire.ResourceURI(r.request.Header.Get(wire.HeaderRecordURI)); uri != "" {
		return "", fmt.Errorf("cannot record to %s: the server chooses the place", uri)
	}
	samples := r.audio
	file, err := os.CreateTemp(r.recorder.session.server.cfg.Recordings, "recording-*.wav")
	if err != nil {
		return "", err
	}
	size := 44 + 2*len(samples)
	_, err = file.Write(wav(samples))
	if closed := file.Close(); err == nil {
		err = closed
	}
	ms := len(samples) * 1000 / line.Rate
	return fmt.Sprintf("<file://%s>;size=%d;duration=%d", file.Name(), size, ms), err
}

// wav is a WAV file of 16 bit, mono.
func wav(samples []int16) []byte {
	out := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	out = binary.LittleEndian.AppendUint32(out, line.Rate)
	out = binary.LittleEndian.AppendUint32(out, 2*line.Rate)
	out = append(out, "\x02\x00\x10\x00data"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(2*len(samples)))
	for _, s := range samples {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}
