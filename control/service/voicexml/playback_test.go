package voicexml

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcp/control/media"
	"mcp/control/reporting"
	"mcp/vxml"
)

// spoken collects what a call's trail tells of prompts.
type spoken struct {
	mu    sync.Mutex
	steps []string
}

func (s *spoken) Begun(*reporting.Record) func(*reporting.Event) {
	return func(e *reporting.Event) {
		if name, ok := strings.CutPrefix(e.Name, "prompt_"); ok {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.steps = append(s.steps, strings.TrimSpace(name+" "+e.Text))
		}
	}
}

func (s *spoken) Ended(*reporting.Record) {}

func (s *spoken) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.steps)
}

// saying is a prompt of recordings.
func saying(names ...string) vxml.Prompt {
	p := vxml.Prompt{Language: "en"}
	for _, name := range names {
		audio := &vxml.Audio{URI: name, MediaType: "audio/basic", Data: bytes.Repeat([]byte{0xff}, 800)}
		if name == "broken" {
			audio.MediaType, audio.Data = "audio/x-wav", []byte("RIFF")
		}
		p.Segments = append(p.Segments, vxml.Segment{Audio: audio})
	}
	return p
}

// Recordings are played one after the other, each once the one before has ended, and
// what is told of them has their order, however they end.
func TestRecordingsFollowEachOther(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name    string
		prompts []vxml.Prompt
		ends    []error // of those that are heard; after them it is stopped
		steps   string
		event   string
	}{
		{"to the end", []vxml.Prompt{saying("a", "b"), saying("c")}, []error{nil, nil, nil},
			"start en, type audio, play a, type audio, play b, end, start en, type audio, play c, end", ""},
		{"stopped in the second", []vxml.Prompt{saying("a", "b"), saying("c")}, []error{nil},
			"start en, type audio, play a, type audio, play b, stop interrupted", ""},
		{"stopped in the first", []vxml.Prompt{saying("a")}, nil, "start en, type audio, play a, stop interrupted", ""},
		{"the second cannot be read", []vxml.Prompt{saying("a", "broken"), saying("c")}, []error{nil},
			"start en, type audio, play a, stop error.badfetch", "error.badfetch"},
		{"the first cannot be read", []vxml.Prompt{saying("broken", "a")}, nil, "start en, stop error.badfetch", "error.badfetch"},
		{"it breaks off", []vxml.Prompt{saying("a", "b")}, []error{gone}, "start en, type audio, play a, stop error.noresource", "error.noresource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told, playing := &spoken{}, make(chan media.Recording, 9)
			p := New(Config{}, vxml.New(vxml.Options{})).newPhone(lend(t, told, playing))
			b, err := p.Play(t.Context(), tt.prompts)
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range tt.ends {
				(<-playing).Done(end)
			}
			if strings.Contains(tt.steps, "interrupted") {
				<-playing
				b.Stop()
			}
			<-b.Done()
			p.close()
			if got := strings.Join(told.all(), ", "); got != tt.steps {
				t.Errorf("told %s, want %s", got, tt.steps)
			}
			var event *vxml.Event
			if errors.As(b.Err(), &event) != (tt.event != "") || event != nil && event.Name != tt.event {
				t.Errorf("error %v, want %s", b.Err(), tt.event)
			}
		})
	}
}

// Marks among recordings are reached without a synthesizer.
func TestMarksAmongRecordings(t *testing.T) {
	told, playing := &spoken{}, make(chan media.Recording, 9)
	p := New(Config{}, vxml.New(vxml.Options{})).newPhone(lend(t, told, playing))
	prompt := saying("a", "b")
	prompt.Segments = slices.Insert(prompt.Segments, 1, vxml.Segment{Mark: "between"})
	prompt.Segments = append(prompt.Segments, vxml.Segment{Mark: "behind"})
	played, err := p.Play(t.Context(), []vxml.Prompt{prompt})
	if err != nil {
		t.Fatal(err)
	}
	var marks []string
	note := func() {
		name, _ := played.(vxml.Marked).Mark()
		marks = append(marks, name)
	}
	note()
	(<-playing).Done(nil)
	second := <-playing
	note()
	second.Done(nil)
	<-played.Done()
	note()
	p.close()
	if got := strings.Join(marks, ","); got != ",between,behind" || played.Err() != nil {
		t.Errorf("marks %s, %v", got, played.Err())
	}
}

// What follows a playback that has not ended waits for it.
func TestPlaybackWaitsForTheOneBefore(t *testing.T) {
	told, playing := &spoken{}, make(chan media.Recording, 9)
	p := New(Config{}, vxml.New(vxml.Options{})).newPhone(lend(t, told, playing))
	first, _ := p.Play(t.Context(), []vxml.Prompt{saying("a")})
	second, _ := p.Play(t.Context(), []vxml.Prompt{saying("b")})
	third, _ := p.Play(t.Context(), []vxml.Prompt{saying("c")})
	third.Stop()
	(<-playing).Done(nil)
	(<-playing).Done(nil)
	<-third.Done()
	p.close()
	const want = "start en, type audio, play a, end, start en, type audio, play b, end"
	if got := strings.Join(told.all(), ", "); got != want || first.Err() != nil || second.Err() != nil || third.Err() != nil {
		t.Errorf("told %s, want %s", got, want)
	}
}
