package vxml_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
	"mcp/vxml/script"
	"mcp/vxml/sim"
)

// FuzzSession runs any document with a caller who tries everything once: it
// ends, and nothing panics.
func FuzzSession(f *testing.F) {
	f.Add([]byte(vxmlPage(`<form><field name="a" type="digits"><prompt>N?</prompt></field><record name="r"/><transfer name="t" dest="tel:1" bridge="true"/></form>`)))
	f.Add([]byte(vxmlPage(`<menu dtmf="true"><choice next="#x">one</choice></menu><form id="x"><block><submit next="a.vxml"/></block></form>`)))
	seeds, err := filepath.Glob("../../shared/suites/w3c-vxml/*/*.vxml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		steps := []string{"dtmf:1", "say:yes", "silence", "dtmf:12#", "talk:on and on", "far:busy", "silence"}
		caller := sim.Answering(func([]string) string {
			if len(steps) == 0 {
				return "hangup"
			}
			step := steps[0]
			steps = steps[1:]
			return step
		}, io.Discard)
		fetcher := fetch.New(fetch.Config{Client: site{"/a.vxml": string(data)}.client(), NoFiles: true})
		caller.Fetch(fetcher)
		in := vxml.New(vxml.Options{
			Fetcher: fetcher, Limits: vxml.Limits{Steps: 200, Fetches: 10}, Script: script.Limits{Time: 50 * time.Millisecond},
		})
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		// What comes of it is the document's business.
		_, _ = in.Run(ctx, vxml.Start{URL: "http://site/a.vxml", Trace: caller.Trace}, caller)
		if ctx.Err() != nil {
			t.Error("the session did not end")
		}
	})
}
