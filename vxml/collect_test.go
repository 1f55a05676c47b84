package vxml_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
)

// phone is a platform whose every move is a function of simulated time: prompts
// last a second each, keys and words come when the test says.
type phone struct {
	digits    chan vxml.Digit
	hungUp    chan struct{}
	play      time.Duration // of each prompt
	stopped   []time.Duration
	began     time.Time
	mu        sync.Mutex
	listening *ear
	late      vxml.SpeechResult // of a recognition that does not end by itself
	requests  []vxml.ListenRequest
}

func newPhone() *phone {
	return &phone{digits: make(chan vxml.Digit, 64), hungUp: make(chan struct{}), play: time.Second, began: time.Now(),
		late: vxml.SpeechResult{Outcome: vxml.NoInput}}
}

func (p *phone) Digits() <-chan vxml.Digit                       { return p.digits }
func (p *phone) HungUp() <-chan struct{}                         { return p.hungUp }
func (p *phone) Disconnect(context.Context, vxml.Namelist) error { return nil }
func (p *phone) Info() vxml.ConnectionInfo                       { return vxml.ConnectionInfo{} }

type tape struct {
	phone *phone
	done  chan struct{}
	timer *time.Timer
}

func (p *phone) Play(_ context.Context, prompts []vxml.Prompt) (vxml.Playback, error) {
	t := &tape{phone: p, done: make(chan struct{})}
	t.timer = time.AfterFunc(time.Duration(len(prompts))*p.play, func() { close(t.done) })
	return t, nil
}

func (t *tape) Done() <-chan struct{} { return t.done }
func (t *tape) Err() error            { return nil }

func (t *tape) Stop() {
	if t.timer.Stop() {
		t.phone.stopped = append(t.phone.stopped, time.Since(t.phone.began))
		close(t.done)
	}
}

// ear is a recognition: it hears what the test sends.
type ear struct {
	events  chan vxml.ListenEvent
	started chan struct{}
	stopped bool
	late    vxml.SpeechResult // what it comes to when it should have ended
}

func (p *phone) Listen(_ context.Context, req vxml.ListenRequest) (vxml.Listening, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, req)
	p.listening = &ear{events: make(chan vxml.ListenEvent, 2), started: make(chan struct{}, 1), late: p.late}
	return p.listening, nil
}

func (e *ear) Events() <-chan vxml.ListenEvent { return e.events }
func (e *ear) StartTimers()                    { e.started <- struct{}{} }
func (e *ear) Stop()                           { e.stopped = true }
func (e *ear) Conclude()                       { e.events <- e.late }

// press presses keys, one each interval, the first after the delay.
func (p *phone) press(delay, interval time.Duration, keys string) {
	go func() {
		time.Sleep(delay)
		for i, k := range keys {
			if i > 0 {
				time.Sleep(interval)
			}
			p.digits <- vxml.Digit{Key: byte(k)}
		}
	}()
}

// event is something that happened, and when.
type event struct {
	at   time.Duration
	kind vxml.TraceKind
	text string
}

// timer is a platform that knows when it began.
type timer interface {
	vxml.Platform
	since() time.Duration
}

func (p *phone) since() time.Duration { return time.Since(p.began) }

// timed runs a page on the phone and returns what happened when. What enough says
// ends it.
func timed(t *testing.T, p timer, body string, enough ...func(vxml.TraceEvent) bool) []event {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all []event
	client := page(body).client()
	_, err := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: client})}).Run(
		ctx, vxml.Start{URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
			all = append(all, event{p.since(), e.Kind, e.Text})
			for _, f := range enough {
				if f(e) {
					stop()
				}
			}
		}}, p)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return all
}

func find(t *testing.T, all []event, kind vxml.TraceKind, text string) time.Duration {
	t.Helper()
	for _, e := range all {
		if e.kind == kind && strings.HasPrefix(e.text, text) {
			return e.at
		}
	}
	t.Fatalf("no %s %q in %v", kind, text, all)
	return 0
}

const pin = `<field name="pin" type="digits"><prompt>Pin?</prompt><noinput><exit/></noinput><nomatch><exit/></nomatch></field>`

// Every timer of appendix D, with simulated time: when the input is decided.
func TestTimers(t *testing.T) {
	const two = `<field name="pin" type="digits?length=2"><prompt>Pin?</prompt><nomatch><exit/></nomatch></field>`
	tests := []struct {
		name, body string
		keys       string
		interval   time.Duration
		kind       vxml.TraceKind
		text       string
		at         time.Duration // after the start; the prompt ends after 1 s; keys start at 3 s
	}{
		{"noinput counts from the end of the prompt", pin, "", 0, vxml.Thrown, "noinput", 6 * time.Second},
		{"the property sets the timeout", `<property name="timeout" value="2500ms"/>` + pin, "", 0, vxml.Thrown, "noinput", 3500 * time.Millisecond},
		{"the prompt sets the timeout", `<field name="a" type="digits"><prompt timeout="1s">Q</prompt><noinput><exit/></noinput></field>`,
			"", 0, vxml.Thrown, "noinput", 2 * time.Second},
		{"and to no time at all", `<field name="a" type="digits"><prompt timeout="0s">Q</prompt><noinput><exit/></noinput></field>`,
			"", 0, vxml.Thrown, "noinput", time.Second},
		{"a pause ends digits of any length", pin, "12", time.Second, vxml.Filled, `pin = "12"`, 7 * time.Second},
		{"the property sets the pause", `<property name="interdigittimeout" value="1500ms"/>` + pin, "12", time.Second,
			vxml.Filled, `pin = "12"`, 5500 * time.Millisecond},
		{"digits that are too few are no match", two, "1", 0, vxml.Thrown, "nomatch", 6 * time.Second},
		{"digits that are complete are taken at once", two, "12", time.Second, vxml.Filled, `pin = "12"`, 4 * time.Second},
		{"the terminating key ends digits", pin, "12#", time.Second, vxml.Filled, `pin = "12"`, 5 * time.Second},
		{"another terminating key", `<property name="termchar" value="*"/>` + pin, "12*", time.Second, vxml.Filled, `pin = "12"`, 5 * time.Second},
		{"no terminating key at all", `<property name="termchar" value=""/>` + pin, "1#", time.Second, vxml.Thrown, "nomatch", 4 * time.Second},
		{"termtimeout waits for the terminating key", `<property name="termtimeout" value="2s"/>` + two, "12", time.Second,
			vxml.Filled, `pin = "12"`, 6 * time.Second},
		{"termtimeout ends with the terminating key", `<property name="termtimeout" value="2s"/>` + two, "12#", time.Second,
			vxml.Filled, `pin = "12"`, 5 * time.Second},
		{"the terminating key alone is no match", pin, "#", 0, vxml.Thrown, "nomatch", 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPhone()
				p.press(3*time.Second, tt.interval, tt.keys)
				all := timed(t, p, `<form><property name="inputmodes" value="dtmf"/>`+tt.body+"</form>")
				if at := find(t, all, tt.kind, tt.text); at != tt.at {
					t.Errorf("%s %q after %v, want %v\n%v", tt.kind, tt.text, at, tt.at, all)
				}
				time.Sleep(time.Minute) // let the keys go
			})
		})
	}
}

const spoken = `<field name="a"><prompt>One</prompt><prompt>two</prompt>
	<grammar mode="voice" root="r"><rule id="r"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>
	<grammar mode="dtmf" root="r"><rule id="r">1 2</rule></grammar>
	<noinput><exit/></noinput><nomatch><exit/></nomatch></field>`

// say makes the recognizer hear speech begin and, a second later, give a result.
func (p *phone) say(delay time.Duration, result vxml.SpeechResult) {
	go func() {
		time.Sleep(delay)
		p.mu.Lock()
		ear := p.listening
		p.mu.Unlock()
		ear.events <- vxml.SpeechStarted{}
		time.Sleep(time.Second)
		ear.events <- result
		close(ear.events)
	}()
}

func yes() vxml.SpeechResult {
	return vxml.SpeechResult{Alternatives: []vxml.Alternative{{Utterance: "yes", Confidence: 0.9, Mode: "voice"}}}
}

func TestSpeechBargesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.say(500*time.Millisecond, yes())
		all := timed(t, p, "<form>"+spoken+"</form>")
		if len(p.stopped) != 1 || p.stopped[0] != 500*time.Millisecond {
			t.Errorf("prompts stopped at %v, want after 500ms", p.stopped)
		}
		if at := find(t, all, vxml.Filled, `a = "yes"`); at != 1500*time.Millisecond {
			t.Errorf("filled after %v", at)
		}
		if len(p.listening.started) != 0 {
			t.Error("the no-input timer was started though the caller spoke")
		}
	})
}

func TestKeysBargeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.press(500*time.Millisecond, time.Second, "12")
		all := timed(t, p, "<form>"+spoken+"</form>")
		if len(p.stopped) != 1 || p.stopped[0] != 500*time.Millisecond || !p.listening.stopped {
			t.Errorf("prompts stopped at %v, recognition stopped: %t", p.stopped, p.listening.stopped)
		}
		find(t, all, vxml.Filled, `a = "12"`)
	})
}

// Without barge-in nobody listens until the prompts are over, and keys are
// forgotten.
func TestNoBargeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.press(500*time.Millisecond, 0, "9")
		p.press(3*time.Second, 100*time.Millisecond, "12")
		all := timed(t, p, `<form><property name="bargein" value="false"/>`+spoken+`</form>`)
		if len(p.stopped) != 0 {
			t.Errorf("prompts stopped at %v", p.stopped)
		}
		find(t, all, vxml.Filled, `a = "12"`)
	})
}

// With a hot word, other speech does not disturb the prompt.
func TestHotword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.play = 10 * time.Second
		p.say(time.Second, vxml.SpeechResult{Outcome: vxml.NoMatch})
		p.say(5*time.Second, yes())
		all := timed(t, p, `<form><property name="bargeintype" value="hotword"/>`+spoken+`</form>`)
		if len(p.stopped) != 1 || p.stopped[0] != 6*time.Second {
			t.Errorf("prompts stopped at %v, want only when the word was recognized", p.stopped)
		}
		if !p.requests[0].Hotword || len(p.requests) != 2 {
			t.Errorf("%d recognitions", len(p.requests))
		}
		find(t, all, vxml.Filled, `a = "yes"`)
	})
}

// The builtin grammars are in English; of another language the recognizer has its own.
func TestBuiltinGrammarOfAnotherLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.say(time.Second, vxml.SpeechResult{Alternatives: []vxml.Alternative{{Utterance: "nein", Interpretation: "false", Confidence: 0.9}}})
		pages := site{"/a.vxml": `<vxml version="2.1" xml:lang="de-DE"><form><field name="x" type="boolean"><noinput><exit/></noinput><filled><exit namelist="x"/></filled></field></form></vxml>`}
		out, err := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: pages.client()})}).Run(t.Context(), vxml.Start{URL: "http://site/a.vxml"}, p)
		if g := p.requests[0].Grammars; len(g) != 1 || g[0].URI != "builtin:grammar/boolean" || g[0].Content != nil {
			t.Errorf("listened for %+v", g)
		}
		if err != nil || out.Values["x"] != false {
			t.Errorf("x is %v, %v, want false", out.Values["x"], err)
		}
	})
}

// Words that only the page finds to be no hot ones, or doubts, are ignored as well.
func TestWordsAreNoHotwords(t *testing.T) {
	for name, heard := range map[string]vxml.Alternative{
		"of an engine without grammars": {Utterance: "maybe", Spellings: []string{"maybe"}, Confidence: 0.9},
		"heard too faintly":             {Utterance: "yes", Confidence: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPhone()
				p.play = 10 * time.Second
				p.say(time.Second, vxml.SpeechResult{Alternatives: []vxml.Alternative{heard}})
				p.say(5*time.Second, yes())
				all := timed(t, p, `<form><property name="bargeintype" value="hotword"/>`+spoken+`</form>`)
				find(t, all, vxml.Filled, `a = "yes"`)
				if !slices.Equal(p.stopped, []time.Duration{6 * time.Second}) {
					t.Errorf("prompts stopped at %v, want only when the word was recognized", p.stopped)
				}
			})
		})
	}
}

// Keys that match nothing do not disturb a prompt that waits for a hot word, and those that
// match end it once they do.
func TestKeysAmongHotwords(t *testing.T) {
	for _, tt := range []struct {
		name, keys string
		kind       vxml.TraceKind
		text       string
		at         time.Duration
	}{
		{"a match", "12", vxml.Filled, `a = "12"`, 2 * time.Second},
		{"a match after what is none", "712", vxml.Filled, `a = "12"`, 3 * time.Second},
		{"none", "7", vxml.Thrown, "noinput", 28 * time.Second},
		{"the beginning of one", "1", vxml.Thrown, "noinput", 28 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPhone()
				p.play = 10 * time.Second
				p.press(time.Second, time.Second, tt.keys)
				all := timed(t, p, `<form><property name="bargeintype" value="hotword"/>`+spoken+`</form>`)
				if at := find(t, all, tt.kind, tt.text); at != tt.at {
					t.Errorf("%s %q after %v, want %v\n%v", tt.kind, tt.text, at, tt.at, all)
				}
				if matched := tt.kind == vxml.Filled; matched != slices.Equal(p.stopped, []time.Duration{tt.at}) {
					t.Errorf("prompts stopped at %v", p.stopped)
				}
				time.Sleep(time.Minute) // let the keys go
			})
		})
	}
}

// A recognizer times the silence itself; one that says nothing is asked what has
// become of it.
func TestSilentRecognizer(t *testing.T) {
	for event, late := range map[string]vxml.SpeechResult{
		"noinput":          {Outcome: vxml.NoInput},
		"error.noresource": {Outcome: vxml.Failed},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPhone()
			p.late = late
			all := timed(t, p, "<form>"+spoken+"</form>")
			if len(p.listening.started) != 1 {
				t.Error("the no-input timer was not started")
			}
			if at := find(t, all, vxml.Thrown, event); at != 10*time.Second {
				t.Errorf("%s after %v, want prompts 2s + timeout 5s + 3s", event, at)
			}
		})
	}
}

// What the recognizer reports becomes the event that the specification names.
func TestRecognizerOutcomes(t *testing.T) {
	tests := []struct {
		result vxml.SpeechResult
		event  string
	}{
		{vxml.SpeechResult{Outcome: vxml.NoMatch}, "nomatch"},
		{vxml.SpeechResult{Outcome: vxml.NoInput}, "noinput"},
		{vxml.SpeechResult{Outcome: vxml.MaxSpeech}, "maxspeechtimeout"},
		{vxml.SpeechResult{Outcome: vxml.Failed, Err: &vxml.Event{Name: "error.noresource", Message: "down"}}, "error.noresource: down"},
		{vxml.SpeechResult{Outcome: vxml.Failed}, "error.noresource"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPhone()
			p.say(time.Second, tt.result)
			all := timed(t, p, `<form><catch event="maxspeechtimeout"><exit/></catch>`+spoken+`</form>`)
			find(t, all, vxml.Thrown, tt.event)
		})
	}
}

// The engine's account of a result is read when our own matcher has none.
func TestInterpretations(t *testing.T) {
	const opaque = `<form><field name="a"><prompt>Q</prompt><grammar type="application/x-other">rules</grammar><nomatch><exit/></nomatch></field></form>`
	tests := []struct{ interpretation, want string }{
		{"", `a = "one two"`},
		{"12", `a = "12"`},
		{"<instance>12</instance>", `a = "12"`},
		{"<city>Oslo</city><zip>0150</zip>", `a = {"city":"Oslo","zip":"0150"}`},
		{"<d><n>1</n><n>2</n></d>", `a = {"d":{"n":["1","2"]}}`},
		{"<a>only this</a>", `a = "only this"`},
		{"not <xml", `a = "not <xml"`},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPhone()
			p.say(2*time.Second, vxml.SpeechResult{Alternatives: []vxml.Alternative{
				{Utterance: "one two", Confidence: 1, Interpretation: tt.interpretation},
			}})
			find(t, timed(t, p, opaque), vxml.Filled, tt.want)
		})
	}
}

// Music plays while a document is fetched, after what was queued before it.
func TestFetchAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		pages := site{
			"/a.vxml": vxmlPage(`<form><block>Wait.<goto next="b.vxml" fetchaudio="m.wav"/></block></form>`),
			"/b.vxml": vxmlPage(`<form><block>Thanks.</block></form>`),
			"/m.wav":  "RIFF",
		}
		var said []string
		_, err := vxml.New(vxml.Options{Fetcher: fetcher(pages)}).Run(context.Background(), vxml.Start{
			URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
				if e.Kind == vxml.Said {
					said = append(said, e.Text)
				}
			}}, p)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(said, "|"); got != "Wait.|[http://site/m.wav]|Thanks." || len(p.stopped) != 1 {
			t.Errorf("said %q, stopped %v", got, p.stopped)
		}
	})
}

// Music begins only when a fetch takes long, and then lasts for a while.
func TestFetchAudioTimes(t *testing.T) {
	tests := []struct {
		name, properties string
		fetch            time.Duration
		want             string        // what was said
		until            time.Duration // when the second page speaks
	}{
		{"a quick fetch needs no music", `<property name="fetchaudiodelay" value="2s"/>`, time.Second, "Thanks.", time.Second},
		{"a slow one does", `<property name="fetchaudiodelay" value="2s"/>`, 3 * time.Second, "[http://site/m.wav]|Thanks.", 3 * time.Second},
		{"music is not cut too short", `<property name="fetchaudiodelay" value="2s"/><property name="fetchaudiominimum" value="4s"/>`,
			3 * time.Second, "[http://site/m.wav]|Thanks.", 6 * time.Second},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			p := newPhone()
			p.play = time.Minute
			pages := slowSite{site{
				"/a.vxml": vxmlPage(tt.properties + `<form><block><goto next="b.vxml" fetchaudio="m.wav"/></block></form>`),
				"/b.vxml": vxmlPage(`<form><block>Thanks.</block></form>`),
				"/m.wav":  "RIFF",
			}, tt.fetch}
			var said []string
			var at time.Duration
			in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: pages}})})
			_, err := in.Run(context.Background(), vxml.Start{URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
				if e.Kind == vxml.Said {
					said, at = append(said, e.Text), time.Since(p.began)
				}
			}}, p)
			if got := strings.Join(said, "|"); err != nil || got != tt.want || at != tt.until {
				t.Errorf("%s: said %q, the last after %v, %v", tt.name, got, at, err)
			}
		})
	}
}

// slowSite is a site whose second page takes its time.
type slowSite struct {
	site
	delay time.Duration
}

func (s slowSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/b.vxml" {
		time.Sleep(s.delay)
	}
	return s.site.RoundTrip(r)
}

// The N-best list: what is sure enough, best first, as an array of its own.
func TestNBest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPhone()
		p.say(2*time.Second, vxml.SpeechResult{Alternatives: []vxml.Alternative{
			{Utterance: "yes", Confidence: 0.9}, {Utterance: "no", Confidence: 0.6}, {Utterance: "yes", Confidence: 0.1},
		}})
		find(t, timed(t, p, `<form><property name="maxnbest" value="5"/>`+spoken+`<block><var name="all" expr="''"/>
			<foreach item="r" array="application.lastresult$"><assign name="all" expr="all + r.utterance + r.confidence + ' '"/></foreach>
			<log expr="all"/></block></form>`), vxml.Logged, "yes0.9 no0.6")
	})
}

// What application.lastresult$ is after each kind of input (VoiceXML 2.0 section 5.1.5).
func TestLastResult(t *testing.T) {
	const shown = `<log expr="typeof lastresult$ == 'undefined' ? 'none' : lastresult$.length + ' ' + lastresult$.utterance + ' '
		+ lastresult$[0].inputmode + ' ' + lastresult$.interpretation + ' ' + a"/>`
	const asked = `<form><property name="maxnbest" value="2"/><property name="interdigittimeout" value="1s"/>
		<field name="a"><prompt>One</prompt>
		<grammar mode="voice" root="r"><rule id="r">yes</rule></grammar><grammar mode="dtmf" root="r"><rule id="r">1 2</rule></grammar>
		<noinput>` + shown + `<exit/></noinput><nomatch>` + shown + `</nomatch></field></form>`
	heard := []vxml.Alternative{
		{Utterance: "yeah", Confidence: 0.3, Interpretation: "yes"}, {Utterance: "hey", Confidence: 0.2}, {Utterance: "nay", Confidence: 0.1},
	}
	tests := []struct {
		name string
		act  func(*phone)
		want []string
	}{
		{"noinput leaves it undefined", func(*phone) {}, []string{"none"}},
		{"nomatch as the engine tells it, and no more than maxnbest; gone with the next wait", func(p *phone) {
			p.say(2*time.Second, vxml.SpeechResult{Outcome: vxml.NoMatch, Alternatives: heard})
		}, []string{"2 yeah voice yes undefined", "none"}},
		{"nomatch of which nothing is known", func(p *phone) {
			p.say(2*time.Second, vxml.SpeechResult{Outcome: vxml.NoMatch})
		}, []string{"1  voice  undefined", "none"}},
		{"words heard too faintly", func(p *phone) {
			p.say(2*time.Second, vxml.SpeechResult{Alternatives: heard[:1]})
		}, []string{"1 yeah voice yes undefined", "none"}},
		{"keys that match nothing", func(p *phone) { p.digits <- vxml.Digit{Key: '7'} }, []string{"1 7 dtmf 7 undefined", "none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPhone()
				tt.act(p)
				var got []string
				for _, e := range timed(t, p, asked) {
					if e.kind == vxml.Logged {
						got = append(got, e.text)
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		})
	}
}

// A session may begin with properties of its own, which pages set as they please.
func TestPropertiesOfASession(t *testing.T) {
	for _, tt := range []struct {
		name, body string
	}{
		{"in force", pin},
		{"the page's counts", `<property name="timeout" value="2s"/>` + pin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var silent []time.Duration
				for _, properties := range []map[string]string{{"timeout": "3s"}, {"timeout": "4s"}} {
					p := newPhone()
					_, err := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: page("<form>" + tt.body + "</form>").client()})}).Run(
						t.Context(), vxml.Start{URL: "http://site/a.vxml", Properties: properties, Trace: func(e vxml.TraceEvent) {
							if e.Kind == vxml.Thrown {
								silent = append(silent, p.since())
							}
						}}, p)
					if err != nil {
						t.Fatal(err)
					}
				}
				if len(silent) != 2 || silent[1]-silent[0] != map[bool]time.Duration{true: time.Second}[tt.body == pin] {
					t.Errorf("noinput after %v", silent)
				}
			})
		})
	}
}
