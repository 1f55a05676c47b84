package speechbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"mcp/cmd/mcplab/bench"
	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/sip"
	"mcp/speech/mrcp/mrcptest"
)

// measureTurns has one call take n turns on a whole platform. A turn is a page with
// a field that the recognizer fills, and that asks for the next page; what is
// measured goes from the octets of RECOGNITION-COMPLETE leaving the server to the
// request of the next page arriving at the web server.
func measureTurns(ctx context.Context, version, n int) ([]bench.Result, error) {
	far, err := newFarEnd(ctx, version)
	if err != nil {
		return nil, err
	}
	far.expect(1)
	t := &turns{n: n}
	far.server.Fail(mrcptest.Faults{Rewrite: t.sent})
	web := httptest.NewServer(t)
	err = t.call(ctx, far.uri(), web.URL)
	web.Close()
	if err = errors.Join(err, far.close()); err != nil {
		return nil, err
	}
	if len(t.took) < n {
		return nil, fmt.Errorf("the call took %d turns of %d", len(t.took), n)
	}
	slices.Sort(t.took)
	at := func(share float64) float64 { return float64(t.took[int(share*float64(len(t.took)-1))].Microseconds()) }
	return []bench.Result{
		{Name: "turn_us", Value: at(0.5), Unit: "us from event to next page, median", Limit: 2000},
		{Name: "turn_p99_us", Value: at(0.99), Unit: "us, 99th percentile"},
	}, nil
}

// turns serves the pages of a call and keeps what each took.
type turns struct {
	n int

	mu    sync.Mutex
	event time.Time // when the last left the server
	took  []time.Duration
}

// sent sees every message that the speech server sends.
func (t *turns) sent(message []byte) []byte {
	if bytes.Contains(message, []byte("RECOGNITION-COMPLETE")) {
		t.mu.Lock()
		t.event = time.Now()
		t.mu.Unlock()
	}
	return message
}

// ServeHTTP gives out the pages.
func (t *turns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	turn, _ := strconv.Atoi(r.URL.Query().Get("turn"))
	t.mu.Lock()
	if turn > 0 {
		t.took = append(t.took, now.Sub(t.event))
	}
	t.mu.Unlock()
	w.Header().Set("Content-Type", "application/voicexml+xml")
	if turn == t.n {
		fmt.Fprint(w, `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block><exit/></block></form></vxml>`)
		return
	}
	fmt.Fprintf(w, `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="en-US"><form><field name="f">
		<grammar version="1.0" mode="voice" root="r" xml:lang="en-US"><rule id="r"><one-of><item>yes</item><item>no</item></one-of></rule></grammar>
		<filled><submit next="/?turn=%d" namelist=""/></filled></field></form></vxml>`, turn+1)
}

// call runs a platform and calls it.
func (t *turns) call(ctx context.Context, server, pages string) error {
	journal, err := os.MkdirTemp("", "speechbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(journal)
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	cfg := node.Defaults()
	cfg.SIP.Listen, cfg.Media.Plane, cfg.Reporting.Journal = []string{"tcp:" + at}, "socket", journal
	cfg.Health.Listen, cfg.Health.Console.Listen = "", ""
	cfg.Application.Default, cfg.Speech.MRCP.URI = pages+"/?turn=0", server
	log := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	ended := make(chan error, 2)
	go func() { ended <- node.Run(ctx, cfg, nil, log) }()
	agent, err := sip.New(sip.Config{Listen: []string{"tcp:127.0.0.1:0"}}, log)
	if err != nil {
		stop()
		return errors.Join(err, <-ended)
	}
	go func() { ended <- agent.Serve(ctx, sip.Nobody{}) }()
	steps, err := caller.ParseScript("await")
	if err == nil {
		err = dial(ctx, agent, at, steps)
	}
	stop()
	return errors.Join(err, <-ended, <-ended)
}

// dial calls until the platform is there to answer.
func dial(ctx context.Context, agent *sip.Agent, at string, steps []caller.Step) error {
	phone := caller.NewPhone(agent, caller.Config{To: "sip:ivr@" + at + ";transport=tcp"})
	for {
		_, err := phone.Call(ctx, steps)
		var refused *net.OpError
		if !errors.As(err, &refused) {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
