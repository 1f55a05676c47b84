package vxml_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mcp/vxml"
	"mcp/vxml/fetch"
)

// keyPages is an application of pages that each ask for keys, by path.
type keyPages map[string]string

const pagesOfKeys = 18

func newKeyPages() keyPages {
	const page = `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><property name="inputmodes" value="dtmf"/>
<form><field name="keys">
<grammar mode="dtmf" version="1.0" root="keys" xmlns="http://www.w3.org/2001/06/grammar">
<rule id="keys"><item repeat="3"><ruleref uri="#key"/></item></rule>
<rule id="key"><one-of><item>0</item><item>1</item><item>2</item><item>3</item><item>4</item><item>5</item><item>6</item><item>7</item><item>8</item><item>9</item></one-of></rule>
</grammar>
<prompt timeout="10s"><audio src="prompt.wav"/></prompt>
<filled><if cond="keys.replace(/ /g, '') == '%03d'">%s<else/><goto next="wrong.vxml"/></if></filled>
<catch event="noinput nomatch"><goto next="wrong.vxml"/></catch>
</field></form></vxml>`
	pages := keyPages{"/prompt.wav": "RIFF"}
	for i := range pagesOfKeys {
		onward := fmt.Sprintf(`<goto next="page%d.vxml"/>`, i+1)
		if i+1 == pagesOfKeys {
			onward = "<exit/>"
		}
		pages[fmt.Sprintf("/page%d.vxml", i)] = fmt.Sprintf(page, i, onward)
	}
	return pages
}

func (p keyPages) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := p[r.URL.Path]
	if !ok {
		return nil, fmt.Errorf("no page %s", r.URL.Path)
	}
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Cache-Control": {"max-age=3600"}}, Body: io.NopCloser(strings.NewReader(text)),
	}, nil
}

// presser is a caller who presses the keys of a page as soon as it speaks.
type presser struct {
	vxml.Listener // none: pages listen for keys only
	page          int
	digits        chan vxml.Digit
	gone          chan struct{}
}

func newPresser() *presser {
	return &presser{digits: make(chan vxml.Digit, 8), gone: make(chan struct{})}
}

func (p *presser) Play(context.Context, []vxml.Prompt) (vxml.Playback, error) {
	for _, key := range fmt.Sprintf("%03d", p.page) {
		p.digits <- vxml.Digit{Key: byte(key)}
	}
	p.page++
	return &endless{done: make(chan struct{})}, nil
}

func (p *presser) Digits() <-chan vxml.Digit                       { return p.digits }
func (p *presser) HungUp() <-chan struct{}                         { return p.gone }
func (p *presser) Info() vxml.ConnectionInfo                       { return vxml.ConnectionInfo{} }
func (p *presser) Disconnect(context.Context, vxml.Namelist) error { return nil }

// endless is a prompt that lasts until it is stopped.
type endless struct {
	once sync.Once
	done chan struct{}
}

func (e *endless) Done() <-chan struct{} { return e.done }
func (e *endless) Err() error            { return nil }
func (e *endless) Stop()                 { e.once.Do(func() { close(e.done) }) }

func keyInterpreter() *vxml.Interpreter {
	return vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: newKeyPages()}})})
}

// BenchmarkKeyCall is a whole call of pages that ask for keys; a page is an 18th of it.
func BenchmarkKeyCall(b *testing.B) {
	in := keyInterpreter()
	b.ReportAllocs()
	for b.Loop() {
		out, err := in.Run(b.Context(), vxml.Start{URL: "http://bench.invalid/page0.vxml"}, newPresser())
		if err != nil || len(out.Pages) != pagesOfKeys {
			b.Fatal(len(out.Pages), err)
		}
	}
}

// BenchmarkPrepare makes a session ready.
func BenchmarkPrepare(b *testing.B) {
	in := keyInterpreter()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Prepare(b.Context(), vxml.Start{URL: "http://bench.invalid/page0.vxml"}, newPresser()); err != nil {
			b.Fatal(err)
		}
	}
}
