package dialog

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"mcp/control/call/voice"
	"mcp/control/service/msml/doc"
	"mcp/control/service/msml/spoken"
	"mcp/speech"
	"mcp/vxml/fetch"
)

// attention performs one <speech> (RFC 5707 section 9.10.1).
type attention struct {
	d        *Dialog
	n        *doc.Node
	r        *running
	elements []*doc.Node      // the <grammar> elements
	grammars []spoken.Grammar // what they say, in their order
	limits   map[string]int   // how often what they are called may be executed yet
	timers   bool             // the no-input timer, if there is one, runs from the beginning
	end      string
}

func (d *Dialog) listen(ctx context.Context, n *doc.Node, r *running) error {
	a := &attention{d: d, n: n, r: r, limits: map[string]int{}, timers: r.within == nil || doc.BoolOf(n, "starttimer", false)}
	ear, err := d.engine(n, (*voice.Voices).Recognizer)
	if err != nil {
		return err
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	release, err := d.on.Speech.turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	for a.end == "" {
		if err := a.once(ctx, ear); err != nil {
			return err
		}
	}
	d.set("speech.end", a.end)
	return d.finally(ctx, n, "speechexit", r)
}

// precompile refuses grammars that are not.
func precompile(n *doc.Node) error {
	for _, c := range n.Elements() {
		if _, external := c.Lookup("uri"); c.Name != "grammar" || external {
			continue
		}
		if _, err := spoken.Inline(c, "g"); err != nil {
			return doc.Faultf(doc.InvalidValue, "line %d: %v", c.Line, err)
		}
	}
	return nil
}

// load gets the grammars.
func (a *attention) load(ctx context.Context) error {
	for _, c := range a.n.Elements() {
		if c.Name != "grammar" {
			continue
		}
		id := "g" + strconv.Itoa(len(a.grammars)+1)
		var g spoken.Grammar
		var err error
		if url, external := c.Lookup("uri"); external {
			var r *fetch.Resource
			if r, err = a.d.parts.Fetcher.Get(ctx, fetch.Request{URL: url}); err == nil {
				g = spoken.External(r.MediaType, r.Body, r.URL, id)
			}
		} else {
			g, err = spoken.Inline(c, id)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return doc.Faultf(doc.FetchError, "line %d: %v", c.Line, err)
		}
		a.elements, a.grammars = append(a.elements, c), append(a.grammars, g)
	}
	return nil
}

// request says in the engine's words what is listened for.
func (a *attention) request() speech.Recognition {
	r := speech.Recognition{
		Language: a.grammars[0].Language, StartTimers: a.timers && a.patience() > 0, NoInput: a.patience(),
		MaxSpeech: doc.TimeOf(a.n, "norect", 0), Complete: doc.TimeOf(a.n, "spcmplt", 0), Incomplete: doc.TimeOf(a.n, "spincmplt", 0),
		Confidence: a.confidence(), Sensitivity: percent(a.n.Attr("sens")),
	}
	for _, g := range a.grammars {
		r.Grammars = append(r.Grammars, g.Grammar)
	}
	return r
}

// patience is how long nothing may be said; 0: for ever.
func (a *attention) patience() time.Duration { return doc.TimeOf(a.n, "noint", 0) }

func (a *attention) confidence() float64 { return percent(a.n.Attr("confidence")) }

// percent reads a number of 1 to 100 that was checked; 0 where it is not given.
func percent(text string) float64 {
	n, _ := strconv.Atoi(text)
	return float64(n) / 100
}

// once listens until there is a result, or an event that ends it.
func (a *attention) once(ctx context.Context, ear *voice.Voice) error {
	used := &a.d.on.Speech.voices.Used
	used.Recognitions.Add(1)
	recognizing, err := ear.Listen(ctx, a.request())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return a.d.unspoken(ctx, "recognize", err)
	}
	started := recognizing.Started()
	for {
		select {
		case <-started:
			started = nil
			a.d.bargedIn(a.r)
		case event := <-a.r.events:
			switch event {
			case "starttimer":
				a.start(ctx, recognizing)
			case "sens": // it says no value, and the recognizer takes none before the next time
			default:
				a.end = event
				recognizing.Abandon()
				return nil
			}
		case <-recognizing.Done():
			result, err := recognizing.Result()
			if err != nil {
				return a.d.unspoken(ctx, "recognize", err)
			}
			used.Ended(result.Outcome)
			return a.heard(ctx, result)
		case <-ctx.Done():
			recognizing.Abandon()
			return ctx.Err()
		}
	}
}

// start starts the no-input timer, if there is one, now and whenever it listens again.
func (a *attention) start(ctx context.Context, l *voice.Listening) {
	if a.timers = true; a.patience() > 0 {
		l.StartTimers(ctx)
	}
}

// heard runs what is to be done with a result.
func (a *attention) heard(ctx context.Context, result speech.Result) error {
	switch result.Outcome {
	case speech.NoInput:
		return a.came(ctx, "noinput", doc.Child(a.n, "noinput"))
	case speech.NoMatch, speech.TooMuchSpeech:
		return a.came(ctx, "nomatch", doc.Child(a.n, "nomatch"))
	}
	for i, one := range result.Alternatives {
		at := spoken.Find(one, a.grammars)
		if at < 0 || one.Confidence < a.confidence() {
			continue
		}
		if one.Instance == "" {
			result.Alternatives[i].Instance = one.Utterance
		}
		a.d.set("speech.results", string(spoken.Results(result.Alternatives[i:])))
		return a.matched(ctx, at)
	}
	return a.came(ctx, "nomatch", doc.Child(a.n, "nomatch"))
}

// matched runs a grammar's <match>.
func (a *attention) matched(ctx context.Context, at int) error {
	g := a.elements[at]
	a.conclude("match", spend(a.limits, fmt.Sprint("grammar ", at), g, doc.TimesOf(a.n, "iterate", 1)))
	return a.actions(ctx, doc.Child(g, "match"))
}

// came runs <noinput> or <nomatch>.
func (a *attention) came(ctx context.Context, name string, n *doc.Node) error {
	a.conclude(name, spend(a.limits, name, n, doc.TimesOf(a.n, "iterate", 1)))
	return a.actions(ctx, n)
}

// conclude notes what has happened; the last time it ends the listening.
func (a *attention) conclude(what string, last bool) {
	a.d.set("speech.end", "speech."+what)
	a.d.on.Call.Log().Info("msml speech", "id", a.d.ID(), "outcome", what)
	if last {
		a.end = "speech." + what
	}
}

func (a *attention) actions(ctx context.Context, n *doc.Node) error {
	if n == nil {
		return nil
	}
	return a.d.perform(ctx, n.Elements(), a.r.within)
}
