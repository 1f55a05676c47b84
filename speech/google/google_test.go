package google_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	asr "cloud.google.com/go/speech/apiv1/speechpb"
	tts "cloud.google.com/go/texttospeech/apiv1/texttospeechpb"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"mcp/speech"
	"mcp/speech/google"
	"mcp/speech/google/googletest"
	"mcp/speech/speechtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

const ssml = `<speak version="1.0" xml:lang="en-US">Is it <emphasis>you</emphasis></speak>`

// rig is an engine with its stand-in and one call.
type rig struct {
	*testing.T
	server  *googletest.Server
	canned  speechtest.Canned
	engine  *google.Engine
	line    *speechtest.Line
	session speech.Session
}

func newRig(t *testing.T, codec string, change func(*googletest.Config, *google.Config)) *rig {
	t.Helper()
	far, near := googletest.Config{}, google.Config{Insecure: true, Budget: 2 * time.Second}
	if change != nil {
		change(&far, &near)
	}
	r := &rig{T: t, canned: speechtest.NewCanned("Yes."), line: speechtest.NewLine(codec)}
	var err error
	r.server, err = googletest.NewServer(far, r.canned, slog.New(slog.DiscardHandler))
	r.must(err)
	t.Cleanup(func() { r.must(r.server.Close()) })
	if near.TTSEndpoint == "" {
		near.TTSEndpoint, near.ASREndpoint = r.server.Addr(), r.server.Addr()
	}
	r.must(near.Validate())
	r.engine, err = google.New(near, slog.New(slog.DiscardHandler))
	r.must(err)
	t.Cleanup(func() { r.must(r.engine.Close()) })
	r.session, err = r.engine.Attach(t.Context(), r.line)
	r.must(err)
	t.Cleanup(func() { r.must(r.session.Close(t.Context())) })
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) wait(what string, done <-chan struct{}) {
	r.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		r.Fatalf("waited in vain for %s", what)
	}
}

func (r *rig) speak(u speech.Utterance) error {
	r.Helper()
	speaking, err := r.session.Speak(r.Context(), u)
	if err != nil {
		return err
	}
	r.wait("the end of a prompt", speaking.Done())
	return speaking.Err()
}

// says lets the caller speak: some silence, so many words, silence.
func (r *rig) says(words int) {
	silence := make([]int16, speechtest.Rate)
	pcm := slices.Concat(silence[:4000], r.canned.Beeps(words), silence, silence)
	octets := speechtest.Encode(pcm, r.line.Audio.Name == "PCMA")
	for piece := range slices.Chunk(octets, 160) {
		r.line.Speak(piece)
	}
}

func (r *rig) listen(q speech.Recognition) speech.Recognizing {
	r.Helper()
	recognizing, err := r.session.Recognize(r.Context(), q)
	r.must(err)
	return recognizing
}

func (r *rig) result(recognizing speech.Recognizing) (speech.Result, error) {
	r.Helper()
	r.wait("the end of a recognition", recognizing.Done())
	return recognizing.Result()
}

// count is a counter of the engine.
func (r *rig) count(name, label, value string) float64 {
	r.Helper()
	registry := prometheus.NewPedanticRegistry()
	r.must(registry.Register(r.engine))
	families, err := registry.Gather()
	r.must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == label && l.GetValue() == value {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	r.Fatalf("no %s{%s=%q}", name, label, value)
	return 0
}

func TestPromptsAreMadeForTheLeg(t *testing.T) {
	for codec, encoding := range map[string]tts.AudioEncoding{"PCMU": tts.AudioEncoding_MULAW, "PCMA": tts.AudioEncoding_ALAW} {
		t.Run(codec, func(t *testing.T) {
			r := newRig(t, codec, func(_ *googletest.Config, c *google.Config) {
				c.Voice = google.Voice{Rate: 1.1, Names: map[string]string{"de-DE": "de-DE-Neural2-B"}}
			})
			r.must(r.speak(speech.Utterance{SSML: ssml, Language: "de-DE", Properties: map[string]string{
				"com.genesyslab.tts.pitch": "-2", "com.genesyslab.tts.gain": "3",
			}}))
			audio, _ := r.line.Said()[0].Audio()
			want := speechtest.Encode(r.canned.Beeps(3), codec == "PCMA")
			if !bytes.Equal(audio, want) {
				t.Errorf("%d octets were heard, want %d, or others", len(audio), len(want))
			}
			q := r.server.Synthesized()[0]
			a := q.GetAudioConfig()
			if a.GetAudioEncoding() != encoding || a.GetSampleRateHertz() != 8000 || a.GetSpeakingRate() != 1.1 ||
				a.GetPitch() != -2 || a.GetVolumeGainDb() != 3 || !slices.Equal(a.GetEffectsProfileId(), []string{"telephony-class-application"}) {
				t.Errorf("audio config: %v", a)
			}
			if v := q.GetVoice(); v.GetLanguageCode() != "de-DE" || v.GetName() != "de-DE-Neural2-B" || q.GetInput().GetSsml() != ssml {
				t.Errorf("request: %v", q)
			}
		})
	}
}

func TestPromptsAreKept(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	for range 3 {
		r.must(r.speak(speech.Utterance{SSML: ssml}))
	}
	r.must(r.speak(speech.Utterance{SSML: ssml, Language: "fr-FR"}))
	if n := len(r.server.Synthesized()); n != 2 {
		t.Errorf("%d prompts were asked for", n)
	}
	said := r.line.Said()
	first, _ := said[0].Audio()
	third, _ := said[2].Audio()
	if !bytes.Equal(first, third) || !said[2].Known() {
		t.Error("what was kept differs from what was said")
	}
	if n := r.count("mcp_speech_google_requests_total", "what", "kept"); n != 2 {
		t.Errorf("%v prompts were kept", n)
	}
}

func TestPromptsAreStreamed(t *testing.T) {
	r := newRig(t, "PCMU", func(_ *googletest.Config, c *google.Config) { c.Voice.Name = "en-US-Chirp3-HD-Kore" })
	r.must(r.speak(speech.Utterance{SSML: ssml}))
	audio, _ := r.line.Said()[0].Audio()
	if !bytes.Equal(audio, speechtest.Encode(r.canned.Beeps(3), false)) {
		t.Errorf("%d octets were heard", len(audio))
	}
	if q := r.server.Synthesized()[0]; q.GetInput().GetText() != "Is it you" || q.GetAudioConfig().GetEffectsProfileId() != nil {
		t.Errorf("request: %v", q)
	}
	r.server.Fail(googletest.Faults{Cut: true})
	err := r.speak(speech.Utterance{SSML: "<speak>One two three four</speak>"})
	if !errors.Is(err, speech.ErrUnavailable) || r.count("mcp_speech_google_errors_total", "class", "tts") != 1 {
		t.Errorf("a stream that was cut: %v", err)
	}
	if n := len(r.server.Synthesized()); n != 2 {
		t.Errorf("what was heard in part was asked for again: %d requests", n)
	}
}

func TestPromptsStop(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	r.server.Fail(googletest.Faults{Silent: true})
	speaking, err := r.session.Speak(t.Context(), speech.Utterance{SSML: ssml})
	r.must(err)
	r.must(speaking.BargeIn(t.Context()))
	r.wait("silence", speaking.Done())
	r.must(speaking.Err())
	if _, stopped := r.line.Said()[0].Audio(); !stopped {
		t.Error("it was not silenced")
	}
	for _, class := range []string{"tts", "config"} {
		if n := r.count("mcp_speech_google_errors_total", "class", class); n != 0 {
			t.Errorf("%v errors of class %s", n, class)
		}
	}
}

func TestCallersAreUnderstood(t *testing.T) {
	for codec, encoding := range map[string]asr.RecognitionConfig_AudioEncoding{
		"PCMU": asr.RecognitionConfig_MULAW, "PCMA": asr.RecognitionConfig_LINEAR16,
	} {
		t.Run(codec, func(t *testing.T) {
			r := newRig(t, codec, nil)
			q := speech.Recognition{Language: "en-GB", NBest: 3, Complete: time.Second, Grammars: []speech.Grammar{
				{Phrases: func(n int) []string { return []string{"yes", "no"}[:min(n, 2)] }, Weight: 1.5},
				{Phrases: func(int) []string { return []string{"no", strings.Repeat("x", 200), "maybe"} }},
				{URI: "builtin:grammar/number"},
			}}
			recognizing := r.listen(q)
			r.says(2)
			r.wait("the start of input", recognizing.Started())
			result, err := r.result(recognizing)
			r.must(err)
			if a := result.Alternatives; result.Outcome != speech.Match || len(a) != 1 || a[0].Utterance != "Yes." || a[0].Confidence != 0.9 || !a[0].Transcript {
				t.Errorf("result: %+v", result)
			}
			got := r.server.Recognized()[0]
			c := got.GetConfig()
			if c.GetEncoding() != encoding || c.GetLanguageCode() != "en-GB" || c.GetMaxAlternatives() != 3 || c.GetModel() != "phone_call" ||
				!c.GetUseEnhanced() || !got.GetSingleUtterance() || !got.GetInterimResults() || got.GetVoiceActivityTimeout().GetSpeechEndTimeout().AsDuration() != time.Second {
				t.Errorf("config: %v", got)
			}
			var hints []string
			for _, p := range c.GetAdaptation().GetPhraseSets()[0].GetPhrases() {
				hints = append(hints, fmt.Sprint(p.GetValue(), p.GetBoost()))
			}
			if want := []string{"yes15", "no15", "maybe0"}; !slices.Equal(hints, want) {
				t.Errorf("hints %q, want %q", hints, want)
			}
		})
	}
}

func TestRecognitionsWithoutAWord(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	recognizing := r.listen(speech.Recognition{NoInput: 100 * time.Millisecond})
	r.must(recognizing.StartTimers(t.Context()))
	if result, err := r.result(recognizing); err != nil || result.Outcome != speech.NoInput {
		t.Errorf("silence: %+v, %v", result, err)
	}
	_, _ = r.canned.Transcribe(t.Context(), speechtest.Utterance{}) // hears what it was to hear
	recognizing = r.listen(speech.Recognition{})
	r.says(2)
	if result, err := r.result(recognizing); err != nil || result.Outcome != speech.NoMatch {
		t.Errorf("noise: %+v, %v", result, err)
	}
	recognizing = r.listen(speech.Recognition{})
	r.must(recognizing.Stop(t.Context()))
	if _, err := r.result(recognizing); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("stopped: %v", err)
	}
	recognizing = r.listen(speech.Recognition{})
	r.line.HangUp()
	if result, err := r.result(recognizing); err != nil || result.Outcome != speech.NoMatch {
		t.Errorf("the caller has gone: %+v, %v", result, err)
	}
}

// TestRefusals proves what each refusal means for a dialogue, and that it is counted.
func TestRefusals(t *testing.T) {
	refuse := func(code codes.Code, text string) googletest.Faults {
		return googletest.Faults{Refuse: -1, Code: code, Text: text}
	}
	tests := []struct {
		name        string
		faults      googletest.Faults
		means       error
		tts, listen string // classes
	}{
		{"down", refuse(codes.Unavailable, "try later"), speech.ErrUnavailable, "tts", "recognize_start"},
		{"over quota", refuse(codes.ResourceExhausted, "quota exceeded"), speech.ErrUnavailable, "tts", "recognize_start"},
		{"credentials refused", refuse(codes.Unauthenticated, "invalid credentials"), speech.ErrUnavailable, "google_credential", "google_credential"},
		{"service not enabled", refuse(codes.PermissionDenied, "API not enabled"), speech.ErrUnavailable, "google_credential", "google_credential"},
		{"language", refuse(codes.InvalidArgument, "Language xx is not supported"), speech.ErrLanguage, "config", "config"},
		{"model", refuse(codes.InvalidArgument, "Incorrect model specified"), speech.ErrUnavailable, "config", "config"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "PCMU", func(_ *googletest.Config, c *google.Config) { c.Budget = 300 * time.Millisecond })
			r.server.Fail(tt.faults)
			var fault *google.Fault
			if err := r.speak(speech.Utterance{SSML: ssml}); !errors.Is(err, tt.means) || !errors.As(err, &fault) || fault.Class != tt.tts {
				t.Errorf("speaking: %v", err)
			}
			recognizing := r.listen(speech.Recognition{})
			r.says(1)
			if _, err := r.result(recognizing); !errors.Is(err, tt.means) || !errors.As(err, &fault) || fault.Class != tt.listen {
				t.Errorf("listening: %v", err)
			}
			want := map[string]float64{}
			want[tt.tts]++
			want[tt.listen]++
			for class, n := range want {
				if got := r.count("mcp_speech_google_errors_total", "class", class); got != n {
					t.Errorf("%v errors of class %s were counted, want %v", got, class, n)
				}
			}
		})
	}
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	r := newRig(t, "PCMU", func(_ *googletest.Config, c *google.Config) { c.Budget = patience })
	r.server.Fail(googletest.Faults{Refuse: 2, Code: codes.Unavailable})
	r.must(r.speak(speech.Utterance{SSML: ssml}))
	r.server.Fail(googletest.Faults{Refuse: 2, Code: codes.Unavailable})
	recognizing := r.listen(speech.Recognition{})
	r.says(2) // before there is a stream that lasts
	result, err := r.result(recognizing)
	if err != nil || result.Outcome != speech.Match {
		t.Errorf("what was said meanwhile was lost: %+v, %v", result, err)
	}
}

// TestFarEndsThatFail lets the service fail in ways of its own.
func TestFarEndsThatFail(t *testing.T) {
	tests := []struct {
		name   string
		change func(*googletest.Config, *google.Config)
		faults googletest.Faults
		tts    string // class; empty: not tried
		listen string
	}{
		{"unreachable", func(_ *googletest.Config, c *google.Config) {
			c.TTSEndpoint, c.ASREndpoint = "127.0.0.1:1", "127.0.0.1:1"
		},
			googletest.Faults{}, "tts", "recognize_start"},
		{"silent", nil, googletest.Faults{Silent: true}, "tts", ""},
		{"cut in mid-utterance", nil, googletest.Faults{Cut: true}, "", "recognize"},
		{"garbage", nil, googletest.Faults{Garbage: true}, "tts", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "PCMU", func(s *googletest.Config, c *google.Config) {
				c.Budget = 300 * time.Millisecond
				if tt.change != nil {
					tt.change(s, c)
				}
			})
			r.server.Fail(tt.faults)
			var fault *google.Fault
			if tt.tts != "" {
				if err := r.speak(speech.Utterance{SSML: ssml}); !errors.Is(err, speech.ErrUnavailable) || !errors.As(err, &fault) || fault.Class != tt.tts {
					t.Errorf("speaking: %v", err)
				}
			}
			if tt.listen != "" {
				recognizing := r.listen(speech.Recognition{})
				r.says(1)
				if _, err := r.result(recognizing); !errors.Is(err, speech.ErrUnavailable) || !errors.As(err, &fault) || fault.Class != tt.listen {
					t.Errorf("listening: %v", err)
				}
			}
		})
	}
	t.Run("a result without words", func(t *testing.T) {
		r := newRig(t, "PCMU", nil)
		r.server.Fail(googletest.Faults{Garbage: true})
		recognizing := r.listen(speech.Recognition{})
		r.says(1)
		if result, err := r.result(recognizing); err != nil || result.Outcome != speech.NoMatch {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

func TestSessionsTakeTheirTurnsAlong(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	r.server.Fail(googletest.Faults{Silent: true})
	recognizing := r.listen(speech.Recognition{})
	speaking, err := r.session.Speak(t.Context(), speech.Utterance{SSML: ssml})
	r.must(err)
	r.must(r.session.Close(t.Context()))
	if _, err := r.result(recognizing); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("listening: %v", err)
	}
	r.wait("the end of the prompt", speaking.Done())
	if n := r.line.Listeners(); n != 0 {
		t.Errorf("%d still listen", n)
	}
	r.must(r.engine.Close())
	if _, err := r.engine.Attach(t.Context(), r.line); !errors.Is(err, speech.ErrClosed) {
		t.Errorf("attaching to a closed engine: %v", err)
	}
}
