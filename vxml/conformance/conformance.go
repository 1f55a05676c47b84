// Package conformance runs suites of VoiceXML pages against the interpreter,
// with a caller who obeys: the pages say in their prompts what the caller shall
// do, and then whether they are content.
//
// A suite is a folder of pages with a manifest beside them. What is known of
// single tests, the section of the specification that they examine and why one
// is excluded, is in notes.json.
package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// Manifest lists the tests of a suite.
type Manifest struct {
	Format int
	Rule   string
	Tests  []Test
}

// Test is one test: the page to begin with and what must come of it.
type Test struct {
	ID, Spec, Entry, Assertion string
	Expect                     Expectation
}

// Expectation is what makes a test pass.
type Expectation string

// The expectations: that pass is heard, or only that fail is not.
const (
	Pass   Expectation = "pass"
	NoFail Expectation = "no-fail"
)

// Row is the result of a test.
type Row struct {
	Suite   string  `json:"suite"`
	ID      string  `json:"id"`
	Section string  `json:"section"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
}

// Outcome is how a test went.
type Outcome string

// The outcomes.
const (
	Passed   Outcome = "pass"
	Failed   Outcome = "fail"
	Excluded Outcome = "excluded"
)

// Run runs the suite of a manifest.
func Run(ctx context.Context, manifest string) ([]Row, error) {
	m, err := read(manifest)
	if err != nil {
		return nil, err
	}
	known, err := readNotes()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(manifest)
	suite := suiteName(dir)
	pages := http.NewFileTransport(http.Dir(dir))
	rows := make([]Row, 0, len(m.Tests))
	for _, t := range m.Tests {
		n := known.about(suite, t.ID)
		row := Row{Suite: suite, ID: t.ID, Section: strings.TrimSpace(t.Spec + " " + n.Section), Outcome: Excluded, Reason: n.Excluded}
		if n.Excluded == "" {
			row.Outcome, row.Reason = Passed, ""
			if _, err := run(ctx, pages, t); err != nil {
				row.Outcome, row.Reason = Failed, err.Error()
			}
		}
		if ctx.Err() != nil {
			return rows, ctx.Err()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func suiteName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

func read(manifest string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(manifest)
	if err != nil {
		return m, fmt.Errorf("read manifest: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read manifest %s: %w", manifest, err)
	}
	if m.Format != 1 || m.Rule != "obey" {
		return m, fmt.Errorf("read manifest %s: format %d with rule %q is not known here", manifest, m.Format, m.Rule)
	}
	return m, nil
}

// limit bounds a test whose pages go round and round.
const limit = 20 * time.Second

// site is where the folder of a suite seems to be. Pages of the W3C's reports
// also name each other by the address that their authors' server had.
const (
	site   = "http://suite.invalid/"
	report = "http://localhost/vxml/"
)

// web is all there is of the world for a test: its suite.
type web struct {
	pages  http.RoundTripper
	folder string // of the test
}

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	if rest, ok := strings.CutPrefix(r.URL.String(), report); ok {
		moved, err := http.NewRequestWithContext(r.Context(), r.Method, site+path.Join(w.folder, rest), r.Body)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", r.URL, err)
		}
		r = moved
	}
	if !strings.HasPrefix(r.URL.String(), site) {
		return nil, fmt.Errorf("find %s: there is no such server", r.URL)
	}
	return w.pages.RoundTrip(r)
}

// Played is a test that passes on the simulator: what its caller does, in the
// simulator's words, so that another caller can do it on another platform.
type Played struct {
	Test
	Section string
	Steps   []string
	// Unheard is set when the page says its verdict after the caller has gone.
	Unheard bool
}

// Play runs the tests of a manifest and returns those that pass.
func Play(ctx context.Context, manifest string) ([]Played, error) {
	m, err := read(manifest)
	if err != nil {
		return nil, err
	}
	known, err := readNotes()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(manifest)
	pages := http.NewFileTransport(http.Dir(dir))
	var out []Played
	for _, t := range m.Tests {
		n := known.about(suiteName(dir), t.ID)
		if n.Excluded != "" {
			continue
		}
		p, err := run(ctx, pages, t)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			p.Section = strings.TrimSpace(t.Spec + " " + n.Section)
			out = append(out, p)
		}
	}
	return out, nil
}

// run runs a test and returns what the caller did; its error says why it failed.
func run(ctx context.Context, pages http.RoundTripper, t Test) (Played, error) {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v := &verdict{}
	var transcript strings.Builder
	o := &obedient{}
	caller := sim.Answering(o.answer, &transcript)
	client := &http.Client{Transport: web{pages, path.Dir(t.Entry)}}
	fetcher := fetch.New(fetch.Config{Client: client, NoFiles: true})
	caller.Fetch(fetcher)
	in := vxml.New(vxml.Options{Fetcher: fetcher})
	out, err := in.Run(within, vxml.Start{URL: site + t.Entry, Trace: func(e vxml.TraceEvent) {
		v.hear(e)
		caller.Trace(e)
	}}, caller)
	switch {
	case err != nil:
		return Played{}, fmt.Errorf("the session failed: %w", err)
	case o.weary:
		return Played{}, fmt.Errorf("the session went on for %d turns", turns)
	}
	return Played{Test: t, Steps: o.steps, Unheard: v.unheard}, v.judge(t.Expect, out)
}

// verdict is what the pages say of themselves.
type verdict struct {
	pass, fail bool
	unheard    bool // nobody was there to hear it
	why        []string
}

// hear takes a prompt. One for a caller who is gone counts too: a page may well
// say what it thinks of the hang-up only after it.
func (v *verdict) hear(e vxml.TraceEvent) {
	switch e.Kind {
	case vxml.Said, vxml.Unheard:
		switch strings.ToLower(strings.Trim(e.Text, " .!")) {
		case "pass":
			v.pass, v.unheard = true, e.Kind == vxml.Unheard
		case "fail":
			v.fail = true
		}
	case vxml.Logged, vxml.Thrown:
		v.why = append(v.why, e.Text)
	}
}

func (v *verdict) judge(expected Expectation, out vxml.Outcome) error {
	why := strings.Join(v.why[max(0, len(v.why)-3):], "; ")
	switch {
	case v.fail:
		return fmt.Errorf("a page said fail: %s", why)
	case out.End == vxml.Errored:
		return fmt.Errorf("the session ended with %w", out.Event)
	case expected == Pass && !v.pass:
		return fmt.Errorf("no page said pass: %s", why)
	case expected != Pass && expected != NoFail:
		return fmt.Errorf("the expectation %q is not known", expected)
	}
	return nil
}

// Sections counts the outcomes by section, in order.
func Sections(rows []Row) []Section {
	var out []Section
	for _, r := range rows {
		i := slices.IndexFunc(out, func(s Section) bool { return s.Suite == r.Suite && s.Name == r.Section })
		if i < 0 {
			i = len(out)
			out = append(out, Section{Suite: r.Suite, Name: r.Section, Count: make(map[Outcome]int)})
		}
		out[i].Count[r.Outcome]++
	}
	slices.SortStableFunc(out, func(a, b Section) int { return strings.Compare(a.Suite+a.Name, b.Suite+b.Name) })
	return out
}

// Section is the outcomes of the tests of one section.
type Section struct {
	Suite, Name string
	Count       map[Outcome]int
}
