package ssml_test

import (
	"testing"
	"time"

	"mcp/speech/ssml"
)

func TestText(t *testing.T) {
	for document, want := range map[string]string{
		`<speak version="1.0">One <emphasis>two</emphasis><break/>three</speak>`: "One two three",
		`<?xml version="1.0" encoding="ISO-8859-1"?><speak>a &amp; b</speak>`:    "a & b",
		`<speak/>`: "",
	} {
		if got, err := ssml.Text(document); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", document, got, err, want)
		}
	}
	if _, err := ssml.Text(`<speak>one`); err == nil {
		t.Error("half a document passes")
	}
}

func TestLongest(t *testing.T) {
	for document, want := range map[string]time.Duration{
		`<speak>abc def</speak>`:                                   2 * time.Second,
		`<speak>42</speak>`:                                        6 * time.Second,
		`<speak><break time="500ms"/></speak>`:                     5500 * time.Millisecond,
		`<speak><break strength="weak"/></speak>`:                  5 * time.Second,
		`<speak><prosody duration="20s">abc</prosody></speak>`:     21 * time.Second,
		`<speak><sub alias="W three C">W3C</sub></speak>`:          perW3C,
		`<speak><audio src="http://web/a.wav">abc</audio></speak>`: 10*time.Minute + time.Second,
		`<speak>abc`: 3*time.Second + time.Second/3,
		`<speak/>`:   0,
	} {
		if got := ssml.Longest(document); got.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("%s: %v, want %v", document, got, want)
		}
	}
}

// perW3C is "W three C" and "W3C": who speaks says one of them.
const perW3C = 7*time.Second/3 + 2*time.Second/3 + 3*time.Second

func FuzzLongest(f *testing.F) {
	f.Add(`<speak>abc <break time="9999999h"/> 12</speak>`)
	f.Fuzz(func(t *testing.T, document string) {
		if d := ssml.Longest(document); d < 0 {
			t.Errorf("%v", d)
		}
	})
}
