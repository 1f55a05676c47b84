package demo

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"mcp/cmd/mcplab/engine"
)

func TestSentences(t *testing.T) {
	got := sentencesOf(`Thank you, caller. You entered 27 4. Sales, support or billing?`)
	want := []string{"thank you caller", "you entered two seven four", "sales support or billing"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDecoysAreNeverExpected(t *testing.T) {
	expected := []string{"you chose sales", "you entered one two"}
	decoys := decoysOf(expected)
	for _, want := range []string{"you chose support", "you entered one three", "chose sales"} {
		if !slices.Contains(decoys, want) {
			t.Errorf("no decoy %q in %q", want, decoys)
		}
	}
	for _, e := range expected {
		if slices.Contains(decoys, e) {
			t.Errorf("%q is a decoy", e)
		}
	}
}

// application is what the demonstration's pages say.
var application = []string{
	"Welcome to the media control platform.", "Which department would you like? Sales, support or billing?",
	"You chose support.", "Please enter four digits.", "You entered 2, 7, 4, 9.", "Thank you for calling and goodbye.",
}

// TestTranscriptionTellsRightFromWrong has a voice say what the application says
// and what it does not.
func TestTranscriptionTellsRightFromWrong(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if errors.Is(err, engine.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	var expected []string
	for _, text := range application {
		expected = append(expected, sentencesOf(text)...)
	}
	for _, tc := range []struct {
		name  string
		said  func([]string) []string
		equal bool
	}{
		{"as it should be", func(s []string) []string { return s }, true},
		{"another department", func(s []string) []string { s[2] = "You chose billing."; return s }, false},
		{"another digit", func(s []string) []string { s[4] = "You entered 2, 7, 5, 9."; return s }, false},
		{"one sentence missing", func(s []string) []string { return slices.Delete(s, 3, 4) }, false},
		{"another order", func(s []string) []string { s[2], s[3] = s[3], s[2]; return s }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var audio []int16
			for _, text := range tc.said(slices.Clone(application)) {
				said, err := e.Say(t.Context(), "rms", text)
				if err != nil {
					t.Fatal(err)
				}
				audio = append(append(audio, make([]int16, engine.Rate*600*int(time.Millisecond)/int(time.Second))...), said...)
			}
			utterances, err := transcribe(t.Context(), e, audio, expected)
			if err != nil {
				t.Fatal(err)
			}
			var heard []string
			for _, u := range utterances {
				heard = append(heard, u.sentences...)
			}
			if slices.Equal(heard, expected) != tc.equal {
				t.Errorf("heard %q", heard)
			}
		})
	}
}
