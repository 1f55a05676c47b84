package sipbench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"
)

//go:embed sipprefused.xml
var refusedScenario []byte

// Overload is so many calls a second more than a platform takes that has as many up
// as it may have.
const (
	ceiling    = 200
	excessRate = 1000
	excessTime = 5 * time.Second
)

// refusals has callers come to a full platform, and tells how long they wait for
// their 503, and whether those who were there before noticed.
func (o Options) refusals(ctx context.Context) (_ []Result, err error) {
	way, err := openRoad(ctx, pages())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, way.close()) }()
	c := contender{name: vxml, command: func(r *road, dir string) ([]string, error) { return r.application(o.Platform, dir, ceiling) }}
	s, err := c.start(ctx, way, 0)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	type outcome struct {
		load
		err error
	}
	arrival := time.Second
	up := make(chan outcome, 1)
	go func() {
		l, err := s.place(ctx, callers{rate: ceiling, calls: ceiling, hold: arrival + 2*excessTime, core: 1})
		up <- outcome{l, err}
	}()
	full := time.NewTimer(2 * arrival)
	defer full.Stop()
	<-full.C
	calls := excessRate * int(excessTime/time.Second)
	refused, err := s.place(ctx, callers{rate: excessRate, calls: calls, core: 1, refused: true})
	served := <-up
	if err := errors.Join(err, served.err); err != nil {
		return nil, err
	}
	if refused.failed > 0 {
		fmt.Fprintf(o.Progress, "  %d of %d calls above the ceiling were not refused\n", refused.failed, calls)
	}
	return []Result{
		{Name: c.name + ".refusals_cps", Value: float64(refused.rate), Unit: "calls/s"},
		{Name: c.name + ".refusal_p50_ms", Value: refused.p50, Unit: "ms"},
		{Name: c.name + ".refusal_p99_ms", Value: refused.p99, Unit: "ms"},
		{Name: c.name + ".refusals_wrong", Value: float64(refused.failed), Unit: "calls"},
		{Name: c.name + ".refusals_resent", Value: float64(refused.resent), Unit: "requests"},
		{Name: c.name + ".failed_in_overload", Value: float64(served.failed), Unit: fmt.Sprintf("of %d calls", ceiling)},
	}, nil
}

// RunRefusals measures what becomes of callers who come to a full platform, and
// nothing else.
func RunRefusals(ctx context.Context, out io.Writer, o Options) error {
	results, err := o.refusals(ctx)
	if err != nil {
		return err
	}
	return (&report{Results: results}).print(out)
}
