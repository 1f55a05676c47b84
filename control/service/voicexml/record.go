package voicexml

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/detect"
	"mcp/control/media/record"
	"mcp/control/media/tone"
	"mcp/control/reporting"
	"mcp/vxml"
)

var _ vxml.Recorder = (*phone)(nil)

// recordType is what is recorded where the page does not say.
const recordType = "audio/x-wav"

// maxRecord bounds what a page may ask for: the recording is kept in memory.
const maxRecord = time.Hour

// recording is a <record> under way.
type recording struct {
	stop context.CancelFunc
	done chan struct{}

	mu    sync.Mutex // guards what follows
	taken vxml.Recorded
	err   error
}

// Record implements vxml.Recorder.
func (p *phone) Record(ctx context.Context, req vxml.RecordRequest) (vxml.Recording, error) {
	format, err := recordFormat(cmp.Or(req.Type, recordType))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &recording{stop: stop, done: make(chan struct{})}
	p.tasks.Go(func() {
		defer close(r.done)
		defer stop()
		taken, err := p.record(ctx, req, format)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.taken, r.err = taken, err
	})
	return r, nil
}

// recordFormat is the format of a media type, or the event of one that we lack.
func recordFormat(mediaType string) (record.Format, error) {
	format, err := record.ParseType(mediaType)
	if err != nil {
		return format, &vxml.Event{Name: "error.unsupported.format", Message: err.Error()}
	}
	return format, nil
}

// Done implements vxml.Recording.
func (r *recording) Done() <-chan struct{} { return r.done }

// Stop implements vxml.Recording.
func (r *recording) Stop() { r.stop() }

// Take implements vxml.Recording.
func (r *recording) Take() (vxml.Recorded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.taken, r.err
}

// record records until the caller is silent, the limit is reached or ctx ends.
func (p *phone) record(ctx context.Context, req vxml.RecordRequest, f record.Format) (vxml.Recorded, error) {
	if req.Beep {
		if err := p.beep(ctx); err != nil || ctx.Err() != nil {
			return vxml.Recorded{}, err
		}
	}
	judge := &scribe{noInput: req.NoInput, final: req.FinalSilence}
	var tape record.Memory
	r, err := record.New(p.call.Media().Clock(), &tape, record.Options{
		Format: f, Limit: min(cmp.Or(req.MaxTime, maxRecord), maxRecord), Judge: judge.judge,
	})
	if err != nil {
		return vxml.Recorded{}, noResource("record", err)
	}
	if err := r.Hear(0, p.call.Caller()); err != nil {
		r.Stop()
		<-r.Done()
		return vxml.Recorded{}, noResource("record", err)
	}
	select {
	case <-r.Done():
	case <-ctx.Done():
		r.Stop()
		<-r.Done()
	}
	result, err := r.Result()
	if err != nil {
		return vxml.Recorded{}, noResource("record", err)
	}
	p.note("recorded", slog.Duration("duration", result.Duration), slog.Any("end", result.End), slog.Bool("spoken", judge.spoken))
	if !judge.spoken {
		return vxml.Recorded{}, nil
	}
	p.call.Trail().Recorded(reporting.Recording{Duration: result.Duration.Milliseconds()})
	return vxml.Recorded{
		Data: tape.Bytes(), MediaType: f.MediaType(), Duration: result.Duration, MaxTime: result.End == record.Limited,
	}, nil
}

// beep says that the recording begins.
func (p *phone) beep(ctx context.Context) error {
	clip, err := media.NewClip(tone.PCM(8000, tone.Beep()), p.call.Codec())
	if err != nil {
		return noResource("beep", err)
	}
	playing, err := p.call.Media().Play(p.call.Caller(), clip)
	if errors.Is(err, media.ErrClosed) {
		return nil // the caller has gone
	}
	if err != nil {
		return noResource("beep", err)
	}
	select {
	case <-playing.Done():
	case <-ctx.Done():
		playing.Stop()
		<-playing.Done()
	}
	return nil
}

// scribe judges when the caller has said what is to be recorded (VoiceXML 2.0
// section 2.3.6).
type scribe struct {
	noInput time.Duration // zero: the caller must speak at once
	final   time.Duration // zero: for ever
	voice   detect.Voice
	spoken  bool
	silent  time.Duration
}

// startOfSpeech is how long there must be voice before it counts as speech.
const startOfSpeech = 60 * time.Millisecond

// judge takes 20 ms; false ends the recording.
func (s *scribe) judge(pcm []int16) bool {
	const frame = 20 * time.Millisecond
	if s.voice.Frame(pcm) {
		s.spoken = s.spoken || s.voice.Lasts() >= startOfSpeech
		s.silent = 0
		return true
	}
	s.silent += frame
	if s.spoken {
		return s.final <= 0 || s.silent < s.final
	}
	return s.silent < s.noInput
}
