package voicexml

import (
	"testing"
	"time"

	"mcp/vxml"
)

// A caller to whom no time is given (timeout="0s") is taken for silent as soon as
// recording begins, and not waited for.
func TestARecordingThatGivesNoTimeEndsAtOnce(t *testing.T) {
	p := New(Config{}, vxml.New(vxml.Options{})).newPhone(lend(t, nil, nil))
	r, err := p.Record(t.Context(), vxml.RecordRequest{NoInput: 0, FinalSilence: 3 * time.Second, MaxTime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.tasks.Wait()
	defer r.Stop()
	select {
	case <-r.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for the caller")
	}
	if tape, err := r.Take(); err != nil || len(tape.Data) > 0 {
		t.Errorf("%d octets, %v", len(tape.Data), err)
	}
}
