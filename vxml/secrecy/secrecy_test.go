package secrecy

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestConceal(t *testing.T) {
	var s Secrets
	s.Add("4 7 1 1", "47112345", "12", "")
	for text, want := range map[string]string{
		"http://h/?pin=4711&x=12": "http://h/?pin=***&x=12", // what is too short is no secret
		"4 7 1 1":                 "***",
		"a 47112345 b":            "a *** b",
		"nothing":                 "nothing",
	} {
		if got := s.Conceal(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if (*Secrets)(nil).Conceal("x") != "x" {
		t.Error("no secrets conceal")
	}
}

func TestSecretsAreBounded(t *testing.T) {
	var s Secrets
	for i := range 10 * most {
		s.Add(strings.Repeat("x", i%50) + string(rune('a'+i%26)) + strings.Repeat("y", i/50))
	}
	if len(s.all) > most {
		t.Errorf("%d secrets", len(s.all))
	}
}

func TestLogger(t *testing.T) {
	var b strings.Builder
	var s Secrets
	log := s.Logger(slog.New(slog.NewTextHandler(&b, nil)))
	log.Info("before", "pin", 4711)
	s.Add("4711")
	log.With("url", "x?4711").WithGroup("g").Info("pin 4711", "n", 4711, "err", errors.New("of 4711"), slog.Group("in", "a", "-4711-"), "ok", true)
	lines := strings.Split(b.String(), "\n")
	if !strings.Contains(lines[0], "4711") || strings.Contains(lines[1], "4711") || strings.Count(lines[1], Mask) != 5 || !strings.Contains(lines[1], "g.ok=true") {
		t.Error(b.String())
	}
}

// noting takes note of the messages of lines.
type noting struct {
	slog.Handler
	seen *[]string
}

func (n noting) Dismiss(_ context.Context, _ slog.Level, message string) bool {
	*n.seen = append(*n.seen, message)
	return true
}

func TestLineIsDismissedByTheHandlerBehind(t *testing.T) {
	var s Secrets
	s.Add("4711")
	var seen []string
	dismiss := func(behind slog.Handler) bool {
		return handler{behind, &s}.Dismiss(t.Context(), slog.LevelInfo, "pin 4711")
	}
	if !dismiss(noting{slog.DiscardHandler, &seen}) || len(seen) != 1 || seen[0] != "pin "+Mask {
		t.Errorf("behind is told %q", seen)
	}
	if dismiss(slog.DiscardHandler) {
		t.Error("dismissed for one who takes whole lines only")
	}
}

// What is too short to be looked for in texts is known where it is a variable's value.
func TestShortValue(t *testing.T) {
	var s Secrets
	s.Add("12", "4711")
	for text, want := range map[string]string{"12": Mask, "120": "120", "a 4711": "a " + Mask, "": ""} {
		if got := s.Value(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}
