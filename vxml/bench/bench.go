// Package bench measures what the interpreter costs, without a telephone: the
// platform is the text simulator.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"mcp/vxml"
	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/sim"
)

// Result is one number.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  float64 `json:"goal,omitempty"`
	Where []Stage `json:"where,omitempty"` // the time goes; longest first
}

// Config says how long to measure.
type Config struct {
	Each     time.Duration // of each measurement; default 2 s
	Sessions int           // idle at once; default 1000
}

func (c Config) withDefaults() Config {
	if c.Each <= 0 {
		c.Each = 2 * time.Second
	}
	if c.Sessions <= 0 {
		c.Sessions = 1000
	}
	return c
}

// page is a small application: variables, a script, a builtin and an inline
// grammar, prompts, handlers and conditions. It goes on as long as the caller does.
const page = `<?xml version="1.0" encoding="UTF-8"?>
<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-US">
  <var name="turns" expr="0"/>
  <script>function twice(n) { return 2 * n; }</script>
  <noinput>Please say something. <reprompt/></noinput>
  <nomatch count="2">Sorry. <reprompt/></nomatch>
  <form id="main">
    <field name="pin" type="digits?length=4">
      <prompt>Your four digits, please. Turn <value expr="turns"/>.</prompt>
      <filled>
        <assign name="turns" expr="turns + 1"/>
        <if cond="twice(turns) % 2 == 0"><prompt>Thank you for <value expr="pin"/>.</prompt><else/>Odd.</if>
        <clear namelist="pin"/>
      </filled>
    </field>
    <field name="sure">
      <grammar mode="voice" version="1.0" root="r"><rule id="r"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>
      <prompt>Are you sure?</prompt>
    </field>
  </form>
</vxml>`

const address = "http://bench.invalid/page.vxml"

// server is a web server without a network, whose answers may be kept.
type server struct{}

func (server) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"application/voicexml+xml"}},
		Body:   io.NopCloser(strings.NewReader(page)),
	}, nil
}

func interpreter() *vxml.Interpreter {
	return vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: server{}}})})
}

// Run measures everything. Where time goes is sampled in another run of the same
// work, so that it costs the numbers nothing.
func Run(ctx context.Context, c Config) ([]Result, error) {
	c = c.withDefaults()
	in := interpreter()
	var out []Result
	for _, m := range []struct {
		measure func(context.Context, *vxml.Interpreter, Config) (Result, error)
		time    bool // is what it measures
	}{{compile, true}, {start, true}, {turn, true}, {idle, false}} {
		r, err := m.measure(ctx, in, c)
		if err == nil && m.time {
			r.Where, err = where(func() error { _, err := m.measure(ctx, in, c); return err })
		}
		if err != nil {
			return out, fmt.Errorf("measure %s: %w", r.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// compile reads pages that no cache knows.
func compile(ctx context.Context, _ *vxml.Interpreter, c Config) (Result, error) {
	r := Result{Name: "vxml.compile_pages_per_s", Unit: "pages/s"}
	n, began := 0, time.Now()
	for ; time.Since(began) < c.Each && ctx.Err() == nil; n++ {
		if _, err := doc.Compile([]byte(page), address); err != nil {
			return r, err
		}
	}
	r.Value = float64(n) / time.Since(began).Seconds()
	return r, ctx.Err()
}

// errEnough ends a session that has been measured.
var errEnough = errors.New("enough")

// session runs one session whose caller answers.
func session(ctx context.Context, in *vxml.Interpreter, answer func([]string) string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	caller := sim.Answering(func(said []string) string {
		step := answer(said)
		if step == "" {
			cancel(errEnough)
			return "hangup"
		}
		return step
	}, io.Discard)
	_, err := in.Run(ctx, vxml.Start{URL: address, Trace: caller.Trace}, caller)
	if context.Cause(ctx) == errEnough {
		return nil
	}
	return err
}

// start begins sessions of a cached application, up to where they wait.
func start(ctx context.Context, in *vxml.Interpreter, c Config) (Result, error) {
	r := Result{Name: "vxml.session_start_us", Unit: "us", Goal: 200}
	var spent time.Duration
	n := 0
	for ; spent < c.Each && ctx.Err() == nil; n++ {
		began := time.Now()
		err := session(ctx, in, func([]string) string {
			spent += time.Since(began)
			return ""
		})
		if err != nil {
			return r, err
		}
	}
	r.Value = spent.Seconds() * 1e6 / float64(n)
	return r, ctx.Err()
}

// turn answers one session again and again.
func turn(ctx context.Context, in *vxml.Interpreter, c Config) (Result, error) {
	r := Result{Name: "vxml.turn_us", Unit: "us/turn"}
	n, began := 0, time.Now()
	err := session(ctx, in, func([]string) string {
		if time.Since(began) >= c.Each {
			return ""
		}
		n++
		return "dtmf:1234"
	})
	r.Value = time.Since(began).Seconds() * 1e6 / float64(n)
	return r, err
}

// idle holds many sessions that wait for their callers.
func idle(ctx context.Context, in *vxml.Interpreter, c Config) (Result, error) {
	r := Result{Name: "vxml.session_kib", Unit: "KiB", Goal: 100}
	before := inUse()
	var waiting, all sync.WaitGroup
	release := make(chan struct{})
	failed := make(chan error, c.Sessions)
	waiting.Add(c.Sessions)
	for range c.Sessions {
		all.Go(func() {
			var once sync.Once
			arrive := func() { once.Do(waiting.Done) }
			defer arrive()
			failed <- session(ctx, in, func([]string) string {
				arrive()
				<-release
				return ""
			})
		})
	}
	waiting.Wait()
	r.Value = float64(inUse()-before) / 1024 / float64(c.Sessions)
	close(release)
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// inUse is the memory in use, garbage apart.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
