package recent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mcp/control/reporting"
)

// dialogue is a call whose dialogue goes on.
type dialogue struct {
	calls    *Calls
	record   *reporting.Record
	happened func(*reporting.Event)
}

func talk(c *Calls, id string) *dialogue {
	d := &dialogue{calls: c, record: reporting.Begin(id, time.Now())}
	d.record.Parties = reporting.Parties{Remote: "sip:ann@h", Local: "sip:ivr@h"}
	d.happened = c.Begun(d.record)
	d.step(reporting.StepInitiated, "sip:ann@h")
	d.show(Begun, "http://web/a.vxml")
	return d
}

func (d *dialogue) event(kind reporting.Kind, name, text string) {
	at := time.Now()
	d.happened(&reporting.Event{
		Head: reporting.Head{Kind: kind}, Call: d.record.ID, Name: name, Text: text, At: at, Offset: at.Sub(d.record.StartedAt).Milliseconds(),
	})
}

func (d *dialogue) step(name reporting.Step, text string) {
	d.event(reporting.KindTrace, string(name), text)
}

func (d *dialogue) show(what, text string) { d.event(reporting.KindShown, what, text) }

// told collects what a follower is told.
type told struct{ lines []string }

func (t *told) take(l Line) { t.lines = append(t.lines, l.Call+" "+l.Kind+" "+l.Text) }

func (t *told) want(tb testing.TB, lines ...string) {
	tb.Helper()
	if !slices.Equal(t.lines, lines) {
		tb.Errorf("told %q, want %q", t.lines, lines)
	}
}

func follow(tb testing.TB, c *Calls, want Wanted) (*told, func()) {
	tb.Helper()
	t := &told{}
	leave, ok := c.Follow(want, t.take)
	if !ok {
		tb.Fatalf("%+v cannot be followed", want)
	}
	return t, leave
}

// One who comes late is told what has been, and then what comes, of the one call, in the
// words of a transcript; consoles have the steps.
func TestDialogueIsFollowed(t *testing.T) {
	var c Calls
	one, two := talk(&c, "one"), talk(&c, "two")
	one.step(reporting.StepFetched, "GET a.vxml: 200")
	one.show("said", "Hello.")
	one.event(reporting.KindCustom, "said", "is a label here")
	one.event(reporting.KindCustom, string(reporting.StepKeys), "and so is this")
	one.event(reporting.KindCustom, string(reporting.StepAppEnded), "and this")
	late, leave := follow(t, &c, Wanted{Call: "one"})
	all, _ := follow(t, &c, Wanted{})
	if calls := c.Dialogues(); len(calls) != 2 || calls[0].ID != "one" || calls[0].Events != 3 || calls[0].Application != "http://web/a.vxml" || calls[0].From != "sip:ann@h" {
		t.Errorf("%+v", calls)
	}
	two.show("said", "Not for you.")
	one.step(reporting.StepPromptPlay, "Hello.")
	one.step(reporting.StepKeys, "1")
	leave()
	one.step(reporting.StepAppEnded, "exit")
	one.step(reporting.StepFetched, "GET late.wav: 200")
	late.want(t, "one begun http://web/a.vxml", "one fetched GET a.vxml: 200", "one said Hello.", "one heard dtmf: 1")
	all.want(t, "two said Not for you.", "one heard dtmf: 1", "one ended exit")
	if _, ok := c.Follow(Wanted{Call: "one"}, late.take); ok {
		t.Error("a dialogue that is over can be followed")
	}
	var names []string
	d, _ := c.Find("one")
	for _, e := range d.Events {
		names = append(names, e.Name)
	}
	if got := fmt.Sprint(names); got != "[incall_initiated fetched said dtmf appl_end prompt_play dtmf appl_end fetched]" {
		t.Error(got)
	}
}

// A dialogue ends with its call if not before, and another of the call's has a past of its own.
func TestDialogueEnds(t *testing.T) {
	var c Calls
	d := talk(&c, "one")
	d.show("said", "Before.")
	d.show(Ended, "error")
	if calls := c.Dialogues(); len(calls) != 0 {
		t.Errorf("%+v", calls)
	}
	d.show(Begun, "http://web/b.vxml")
	second, _ := follow(t, &c, Wanted{Call: "one"})
	d.record.Finish(time.Now(), reporting.End{Cause: reporting.Cancelled})
	c.Ended(d.record)
	c.Ended(d.record)
	second.want(t, "one begun http://web/b.vxml", "one ended cancelled")
	if calls := c.Dialogues(); len(calls) != 0 {
		t.Errorf("%+v", calls)
	}
}

// Variables are told of only to those who ask for them, and it is known whether one does.
func TestVariablesAreAskedFor(t *testing.T) {
	var c Calls
	d := talk(&c, "one")
	talk(&c, "two")
	plain, _ := follow(t, &c, Wanted{Call: "one"})
	if c.Inspected("one") {
		t.Error("nobody has asked for variables")
	}
	curious, leave := follow(t, &c, Wanted{Call: "one", Variables: true})
	if !c.Inspected("one") || c.Inspected("two") {
		t.Errorf("asked for variables of one: %v, two: %v", c.Inspected("one"), c.Inspected("two"))
	}
	d.show(Changed, "dialog.n = 1")
	d.step(reporting.StepVariable, "dialog.n = 2")
	late, _ := follow(t, &c, Wanted{Call: "one"})
	plain.want(t, "one begun http://web/a.vxml")
	late.want(t, "one begun http://web/a.vxml")
	curious.want(t, "one begun http://web/a.vxml", "one changed dialog.n = 1", "one changed dialog.n = 2")
	if leave(); c.Inspected("one") {
		t.Error("who asked has left")
	}
}

// One who comes late is told the last lines, in order.
func TestPastIsBounded(t *testing.T) {
	var c Calls
	d := talk(&c, "one")
	const said = maxEvents + 30
	for i := range said {
		d.show("said", fmt.Sprint(i))
	}
	late, _ := follow(t, &c, Wanted{Call: "one"})
	var want []string
	for i := said - remembered; i < said; i++ {
		want = append(want, fmt.Sprint("one said ", i))
	}
	late.want(t, want...)
	if d, _ := c.Find("one"); d.Missed != 0 || len(d.Events) != 1 {
		t.Errorf("%d steps, %d are missed", len(d.Events), d.Missed)
	}
}
