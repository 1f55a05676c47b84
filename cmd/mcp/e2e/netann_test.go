package e2e

import (
	"context"
	"mcp/cmd/mcplab/caller"
	"path/filepath"
	"slices"
	"testing"
)

func TestNETANNConference(t *testing.T) {
	r := newRig(t, nil)
	dial := func(script string) <-chan *caller.Summary {
		done := make(chan *caller.Summary, 1)
		go func() {
			summary, err := r.dial(context.Background(), r.uri("conf=Sales", ""), script)
			if err != nil {
				t.Error(err)
			}
			done <- summary
		}()
		return done
	}
	a := dial("wait 600ms; say hum 400 400ms; wait 1200ms")
	b := dial("wait 1200ms; say hum 700 400ms; wait 600ms")
	c := dial("wait 2200ms")
	for i, want := range [][]float64{{700}, {400}, {400, 700}} {
		summary := <-[]<-chan *caller.Summary{a, b, c}[i]
		if got := heard(summary); !slices.Equal(got, want) {
			t.Errorf("%d heard %v, want %v", i, tones(summary), want)
		}
	}
	r.nothingLeft()
}

func TestRecordService(t *testing.T) {
	r := newRig(t, nil)
	if _, err := r.dial(t.Context(), r.uri("record=call-9", "type="+escape("audio/wav;codec=pcm")), "say hum 1300 400ms; wait 300ms"); err != nil {
		t.Fatal(err)
	}
	got, paths := r.recordings(1)
	if !slices.Equal(got[0], []float64{1300}) || filepath.Base(paths[0]) != "call-9.wav" {
		t.Errorf("recorded %v in %v", got, paths)
	}
	if rec := r.record(1).Recordings; len(rec) != 1 || rec[0].ID != "call-9" || rec[0].URI != "file://"+paths[0] || rec[0].Duration < 400 {
		t.Errorf("the call's record has %+v", rec)
	}
	r.nothingLeft()
}
