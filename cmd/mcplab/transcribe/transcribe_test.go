package transcribe

import (
	"errors"
	"log/slog"
	"testing"

	"mcp/cmd/mcplab/engine"
	"mcp/speech/speechtest"
)

// TestWhatIsSaidIsWrittenDown speaks with one engine and listens with the other.
func TestWhatIsSaidIsWrittenDown(t *testing.T) {
	tools, err := engine.New(engine.Config{})
	if errors.Is(err, engine.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tools.Close(); err != nil {
			t.Error(err)
		}
	}()
	e := New(tools, []string{"yes", "no", "good bye"}, slog.New(slog.DiscardHandler))
	for said, phrases := range map[string][]string{
		"good bye": nil, "seven four nine": {"four", "nine", "seven", "xyzzyplugh"},
	} {
		audio, err := e.Synthesize(t.Context(), "<speak>"+said+"</speak>", "en-US")
		if err != nil {
			t.Fatal(err)
		}
		heard, err := e.Transcribe(t.Context(), speechtest.Utterance{Audio: audio, Phrases: phrases})
		if err != nil || heard.Text != said || heard.Confidence <= 0 {
			t.Errorf("%q was heard as %+v, %v", said, heard, err)
		}
	}
	if _, err := e.Transcribe(t.Context(), speechtest.Utterance{Phrases: []string{"xyzzyplugh"}}); err == nil {
		t.Error("a word that nobody knows can be recognized")
	}
}
