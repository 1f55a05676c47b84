package health

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The paths that the product's chart probes.
const (
	livenessPath  = "/mcp/liveness"
	readinessPath = "/mcp/readiness"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func passes(context.Context) error { return nil }

func fails(context.Context) error { return errors.New("disk is full") }

// get asks a handler and returns the status and the report.
func get(t *testing.T, h http.Handler, path string) (int, Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	var r Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%s answers %d %q: %v", path, w.Code, w.Body, err)
	}
	return w.Code, r
}

func TestProbesReportTheirChecks(t *testing.T) {
	h := Handler(Platform(), Checks{
		Liveness:  []Check{{Name: "calls", Probe: passes}},
		Readiness: []Check{{Name: "signalling", Probe: passes}, {Name: "journal", Probe: fails}},
	}, quiet())
	tests := []struct {
		path   string
		status int
		want   Report
	}{
		{livenessPath, 200, Report{Healthy: true, Checks: []Result{{Name: "calls", Healthy: true}}}},
		{readinessPath, 503, Report{Checks: []Result{
			{Name: "signalling", Healthy: true}, {Name: "journal", Error: "disk is full"},
		}}},
	}
	for _, tt := range tests {
		if status, report := get(t, h, tt.path); status != tt.status || !reflect.DeepEqual(report, tt.want) {
			t.Errorf("%s: %d %+v, want %d %+v", tt.path, status, report, tt.status, tt.want)
		}
	}
}

func TestNoChecksIsHealthy(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(Platform(), Checks{}, quiet()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, livenessPath, nil))
	if w.Code != 200 || w.Body.String() != "{\"healthy\":true,\"checks\":[]}\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	for method, want := range map[string]int{http.MethodPost: 405, http.MethodHead: 200} {
		w := httptest.NewRecorder()
		Handler(Platform(), Checks{}, quiet()).ServeHTTP(w, httptest.NewRequest(method, readinessPath, nil))
		if w.Code != want {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestCheckThatHeedsItsContextSaysWhyItFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Handler(Platform(), Checks{Readiness: []Check{{Name: "slow", Timeout: time.Second, Probe: func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("no answer from the disk")
		}}}}, quiet())
		status, report := get(t, h, readinessPath)
		if status != 503 || report.Checks[0].Error != "no answer from the disk" {
			t.Errorf("%d %+v", status, report)
		}
	})
}

func TestHangingCheckIsReportedAndNotPiledUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var started atomic.Int32
		release := make(chan struct{})
		h := Handler(Platform(), Checks{Liveness: []Check{{Name: "stuck", Timeout: time.Second, Probe: func(context.Context) error {
			started.Add(1)
			<-release
			return nil
		}}}}, quiet())
		for range 3 {
			status, report := get(t, h, livenessPath)
			if status != 503 || report.Checks[0].Error != "no outcome within 1s" {
				t.Errorf("%d %+v", status, report)
			}
		}
		if started.Load() != 1 {
			t.Errorf("check was started %d times", started.Load())
		}
		close(release)
		synctest.Wait()
		if status, _ := get(t, h, livenessPath); status != 200 || started.Load() != 2 {
			t.Errorf("after it came back: %d, started %d times", status, started.Load())
		}
	})
}

func TestProberThatGivesUpIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		h := Handler(Platform(), Checks{Liveness: []Check{{Name: "slow", Timeout: time.Second, Probe: func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}}}}, quiet())
		w := httptest.NewRecorder()
		start := time.Now()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, livenessPath, nil))
		if w.Code != 503 || time.Since(start) != time.Millisecond {
			t.Errorf("%d after %s", w.Code, time.Since(start))
		}
		time.Sleep(time.Second) // synthetic: the probe left behind ends
	})
}

func TestPanickingCheckFails(t *testing.T) {
	h := Handler(Platform(), Checks{Liveness: []Check{{Name: "bad", Probe: func(context.Context) error { panic("oops") }}}}, quiet())
	status, report := get(t, h, livenessPath)
	if status != 503 || report.Checks[0].Error != "check panicked: oops" {
		t.Errorf("%d %+v", status, report)
	}
}

func TestChangesAreLoggedOnce(t *testing.T) {
	var out strings.Builder
	var err error
	h := Handler(Platform(), Checks{Readiness: []Check{{Name: "disk", Probe: func(context.Context) error { return err }}}},
		slog.New(slog.NewTextHandler(&out, nil)))
	for _, err = range []error{nil, errors.New("full"), errors.New("full"), nil, nil} {
		get(t, h, readinessPath)
	}
	if fails, passes := strings.Count(out.String(), "check fails"), strings.Count(out.String(), "passes again"); fails != 1 || passes != 1 {
		t.Errorf("logged %d failures and %d recoveries:\n%s", fails, passes, out.String())
	}
}
