package engine

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp/cmd/mcplab/engine/srgs"
)

// newEngine skips the test by name where the tools are missing, except in CI.
func newEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := New(Config{})
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

const departments = `<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" root="d" tag-format="semantics/1.0">
<rule id="d"><item repeat="0-1">I would like</item><one-of>
<item>sales <tag>out = "S"</tag></item><item>support <tag>out = "T"</tag></item><item>billing <tag>out = "B"</tag></item>
</one-of><item repeat="0-1">please</item></rule></grammar>`

func grammar(t *testing.T, document string) []*srgs.Grammar {
	t.Helper()
	g, err := srgs.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return []*srgs.Grammar{g}
}

func TestRecognizesWhatItsVoicesSay(t *testing.T) {
	e := newEngine(t)
	g := grammar(t, departments)
	for _, voice := range []string{"slt", "rms", "awb"} {
		for said, want := range map[string]string{"sales": "S", "support please": "T", "I would like billing": "B"} {
			audio, err := e.Say(t.Context(), voice, said)
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.Recognize(t.Context(), g, audio)
			if err != nil || r.Meaning != want || r.Confidence < 0.5 || !strings.EqualFold(r.Utterance, said) {
				t.Errorf("%s says %q: %+v, %v", voice, said, r, err)
			}
			t.Logf("%s says %q: confidence %v", voice, said, r.Confidence)
		}
	}
}

func TestForeignSpeechHasLowConfidence(t *testing.T) {
	e := newEngine(t)
	g := grammar(t, departments)
	for _, said := range []string{"what is the weather tomorrow", "hello", "pizza"} {
		audio, err := e.Say(t.Context(), "slt", said)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Recognize(t.Context(), g, audio)
		if err == nil && r.Confidence >= 0.5 || err != nil && !errors.Is(err, ErrNoMatch) {
			t.Errorf("%q understood as %+v, %v", said, r, err)
		}
	}
}

func TestSilenceIsNoMatch(t *testing.T) {
	e := newEngine(t)
	if r, err := e.Recognize(t.Context(), grammar(t, departments), make([]int16, Rate)); !errors.Is(err, ErrNoMatch) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWordsWithoutPronunciationAreRefused(t *testing.T) {
	e := newEngine(t)
	g := grammar(t, strings.Replace(departments, "billing", "qwrtzp", 1))
	if err := e.Check(g); !errors.Is(err, srgs.ErrUnsupported) || !strings.Contains(err.Error(), "qwrtzp") {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	e := newEngine(t)
	g := grammar(t, departments)
	audio, err := e.Synthesize(t.Context(), `<speak version="1.0" xml:lang="en-US">support</speak>`, "")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if r, err := e.Recognize(t.Context(), g, audio); err != nil || r.Meaning != "T" {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	group.Wait()
}

func TestSynthesisHonoursPausesAndLanguages(t *testing.T) {
	e := newEngine(t)
	length := func(ssml string) time.Duration {
		audio, err := e.Synthesize(t.Context(), ssml, "en-US")
		if err != nil {
			t.Fatalf("%s: %v", ssml, err)
		}
		return time.Duration(len(audio)) * time.Second / Rate
	}
	short := length(`<speak>one two</speak>`)
	long := length(`<speak>one <break time="2s"/> two</speak>`)
	if long < short+1500*time.Millisecond {
		t.Errorf("%v with a pause of two seconds, %v without", long, short)
	}
	if d := length(`<speak xml:lang="de">Guten Tag</speak>`); d < 400*time.Millisecond {
		t.Errorf("German lasts %v", d)
	}
	if d := length(`plain text`); d < 400*time.Millisecond {
		t.Errorf("plain text lasts %v", d)
	}
	if _, err := e.Synthesize(t.Context(), `<speak>broken`, ""); !errors.Is(err, ErrSSML) {
		t.Errorf("broken document: %v", err)
	}
}

func TestCancelledWorkEnds(t *testing.T) {
	e := newEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Say(ctx, "slt", "hello"); err == nil {
		t.Error("spoke for nobody")
	}
}

func TestSSMLParts(t *testing.T) {
	got, err := parseSSML(`<speak xml:lang="en-GB">Dial <say-as interpret-as="digits">12 3</say-as>
<voice name="rms">now</voice><sub alias="World Wide">WW</sub><break strength="strong"/></speak>`, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []part{
		{text: "Dial 1, 2, 3 ", language: "en-GB"}, {text: "now", voice: "rms", language: "en-GB"},
		{text: "World Wide", language: "en-GB"}, {pause: 700 * time.Millisecond},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("part %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestResampleKeepsATone(t *testing.T) {
	const hz = 1000
	in := make([]int16, 16000)
	for i := range in {
		in[i] = int16(10000 * math.Sin(2*math.Pi*hz*float64(i)/16000))
	}
	out := resample(in, 16000, 8000)
	if len(out) != 8000 {
		t.Fatalf("%d samples", len(out))
	}
	for i := 1000; i < 7000; i++ {
		want := 10000 * math.Sin(2*math.Pi*hz*float64(i)/8000)
		if math.Abs(float64(out[i])-want) > 60 {
			t.Fatalf("sample %d: %d, want %.0f", i, out[i], want)
		}
	}
}

func TestResampleRemovesWhatWouldFold(t *testing.T) {
	in := make([]int16, 16000)
	for i := range in {
		in[i] = int16(10000 * math.Sin(2*math.Pi*6000*float64(i)/16000))
	}
	for i, s := range resample(in, 16000, 8000)[200:7800] {
		if s > 100 || s < -100 {
			t.Fatalf("sample %d is %d", i, s)
		}
	}
}
