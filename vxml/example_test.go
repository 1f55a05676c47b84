package vxml_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// The clock of the engine's backtracking expressions ends by itself, a little later.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

func Example() {
	caller := sim.New(strings.NewReader("say:yes\ndtmf:1234\n"), os.Stdout)
	out, err := vxml.New(vxml.Options{}).Run(context.Background(), vxml.Start{
		URL:   "testdata/greet.vxml",
		Trace: caller.Trace,
	}, caller)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.End, out.Values)
	// Output:
	//   system  Do you want to go on?
	//   caller  say:yes
	//   filled  go = true
	//   system  Your four digits, please.
	//   caller  dtmf:1234
	//   filled  pin = "1234"
	//   system  You pressed 1234.
	// exit map[pin:1234]
}

func fetcher(pages site) *fetch.Fetcher { return fetch.New(fetch.Config{Client: pages.client()}) }

// said runs one session and returns all that it said.
func said(t *testing.T, in *vxml.Interpreter, steps string) string {
	t.Helper()
	caller := sim.New(strings.NewReader(steps), t.Output())
	var all []string
	_, err := in.Run(context.Background(), vxml.Start{URL: "http://site/a.vxml", Trace: func(e vxml.TraceEvent) {
		if e.Kind == vxml.Said {
			all = append(all, e.Text)
		}
		caller.Trace(e)
	}}, caller)
	if err != nil {
		t.Error(err)
	}
	return strings.Join(all, " ")
}

func BenchmarkSession(b *testing.B) {
	in := vxml.New(vxml.Options{Fetcher: fetcher(page(pinPage))})
	b.ReportAllocs()
	for b.Loop() {
		caller := sim.New(strings.NewReader("dtmf:1234"), b.Output())
		if _, err := in.Run(context.Background(), vxml.Start{URL: "http://site/a.vxml", Trace: caller.Trace}, caller); err != nil {
			b.Fatal(err)
		}
	}
}
