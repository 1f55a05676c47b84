package dialog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"mcp/control/media/record"
	"mcp/control/media/record/store"
	"mcp/control/reporting"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// take is one <record> (RFC 5707 section 9.7.4).
type take struct {
	d         *Dialog
	n         *doc.Node
	recording *store.Recording
	unhear    func()
	suspended bool
	away      time.Duration // suspended so far
	since     time.Time     // of the suspension

	pre, post time.Duration
	spoken    atomic.Bool
	quiet     time.Duration // used by the recorder only
	why       atomic.Value  // string: what the recorder saw
}

func (d *Dialog) record(ctx context.Context, n *doc.Node, r *running) error {
	if d.parts.Recordings == nil {
		return doc.Faultf(doc.NoResource, "nothing can be recorded here")
	}
	if err := d.prelude(ctx, n, r); err != nil {
		return err
	}
	t := &take{d: d, n: n, pre: doc.TimeOf(n, "prespeech", 0), post: doc.TimeOf(n, "postspeech", 0), suspended: n.Attr("initial") == "suspend"}
	end, err := t.run(ctx, r)
	if err != nil {
		return err
	}
	if err := t.keep(ctx, end); err != nil {
		return err
	}
	return d.finally(ctx, n, "recordexit", r)
}

// prelude plays what comes before the recording.
func (d *Dialog) prelude(ctx context.Context, n *doc.Node, r *running) error {
	for _, c := range n.Elements() {
		if c.Name != "play" && c.Name != "tonegen" {
			continue
		}
		if err := d.primitive(ctx, c, d.enter(c, r.within)); err != nil {
			return err
		}
	}
	return nil
}

// run records until the recording ends, and tells why.
func (t *take) run(ctx context.Context, r *running) (string, error) {
	var keys <-chan byte
	if t.d.on.Keys != nil && t.n.Attr("termkey") != "" {
		e := t.d.on.Keys.listen(true, true)
		defer e.stop()
		keys = e.ch
	}
	for {
		if !t.suspended && t.recording == nil {
			if err := t.begin(); err != nil {
				return "", err
			}
		}
		var done <-chan struct{}
		if t.recording != nil {
			done = t.recording.Done()
		}
		select {
		case <-done:
			return t.ended(), nil
		case key := <-keys:
			if strings.EqualFold(string(rune(key)), t.n.Attr("termkey")) {
				return t.finish("record.complete.termkey"), nil
			}
		case event := <-r.events:
			if end := t.hint(event); end != "" {
				return t.finish(end), nil
			}
		case <-ctx.Done():
			t.finish("")
			return "", ctx.Err()
		}
	}
}

// begin begins the file.
func (t *take) begin() error {
	format, err := doc.RecordFormat(t.n.Attr("format"))
	if err != nil {
		return doc.Faultf(doc.InvalidValue, "%v", err)
	}
	format.Rate, format.Channels = 8000, 1
	t.recording, err = t.d.parts.Recordings.Begin(store.Request{
		Options:  record.Options{Format: format, Limit: doc.TimeOf(t.n, "maxtime", 0), Judge: t.judge},
		Metadata: map[string]any{"call": t.d.client.Call, "dialog": t.d.ID(), "dest": t.dest()},
	})
	if err == nil {
		t.unhear, err = t.d.on.Stage.Hear(t.recording.Recorder)
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func (t *take) dest() string {
	if dest := t.n.Attr("dest"); dest != "" {
		return dest
	}
	return t.n.Attr("audiodest")
}

// judge watches for silence; it is the recorder's.
func (t *take) judge(pcm []int16) bool {
	if voiced(pcm) {
		t.spoken.Store(true)
		t.quiet = 0
		return true
	}
	t.quiet += frame
	switch {
	case !t.spoken.Load() && t.pre > 0 && t.quiet >= t.pre:
		t.why.Store("record.failed.prespeech")
	case t.spoken.Load() && t.post > 0 && t.quiet >= t.post:
		t.why.Store("record.complete.postspeech")
	default:
		return true
	}
	return false
}

// hint does what an event asks; what it returns ends the recording.
func (t *take) hint(event string) string {
	if event == "toggle-state" {
		event = map[bool]string{true: "resume", false: "pause"}[t.suspended]
	}
	switch {
	case event == "pause" && !t.suspended:
		t.suspended, t.since = true, time.Now()
		t.silence(true)
	case event == "resume" && t.suspended:
		t.suspended = false
		if t.recording != nil {
			t.away += time.Since(t.since)
		}
		t.silence(false)
	case event == "nospeech" && !t.spoken.Load(), strings.HasPrefix(event, "terminate"):
		return event
	}
	return ""
}

// silence keeps what is said while the recording is suspended out of it.
func (t *take) silence(on bool) {
	if t.recording != nil {
		t.recording.Silence("suspended", on)
	}
}

// ended is why the recorder ended by itself.
func (t *take) ended() string {
	t.unhear()
	if why, ok := t.why.Load().(string); ok {
		return why
	}
	if result, err := t.recording.Result(); err != nil || result.End == record.Failed {
		return "record.failed"
	}
	return "record.complete.maxlength"
}

func (t *take) finish(end string) string {
	if t.recording != nil {
		t.recording.Stop()
		<-t.recording.Done()
		t.unhear()
	}
	return end
}

// keep sets the shadow variables and puts the recording where it is wanted.
func (t *take) keep(ctx context.Context, end string) error {
	length, id := time.Duration(0), t.dest()
	if t.recording != nil {
		<-t.recording.Finished()
		result, err := t.recording.Result()
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		length = max(0, result.Duration-t.away)
		if id == "" {
			id = t.recording.ID
		}
	}
	t.d.set("record.len", span(length), "record.end", end, "record.recordid", id)
	if t.recording == nil {
		return nil
	}
	switch {
	case end == "terminate.cancelled", end == "record.failed.prespeech", end == "nospeech":
		return errors.Join(os.Remove(t.recording.Path), os.Remove(t.recording.Path+".json"))
	}
	Recorded(t.d.on.Trail, t.recording)
	if strings.HasPrefix(t.dest(), "http") {
		return t.upload(ctx)
	}
	return nil
}

// upload puts the recording on a web server.
func (t *take) upload(ctx context.Context) error {
	body, err := os.ReadFile(t.recording.Path)
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	format, _ := doc.RecordFormat(t.n.Attr("format")) // it was read before
	_, err = t.d.parts.Fetcher.Get(ctx, fetch.Request{
		URL: t.dest(), Method: "PUT", ContentType: format.MediaType(), Body: body,
	})
	if err != nil && ctx.Err() == nil {
		return doc.Faultf(doc.FetchError, "put recording: %v", err)
	}
	return err
}

// Recorded puts a finished recording into a call's record.
func Recorded(trail *reporting.Trail, r *store.Recording) {
	result, _ := r.Result() // the store logs what went wrong
	trail.Recorded(reporting.Recording{ID: r.ID, URI: r.URI(), Duration: result.Duration.Milliseconds()})
}
