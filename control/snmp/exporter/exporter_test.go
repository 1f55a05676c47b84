package exporter

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/snmp/agentx"
	"mcp/control/snmp/mib"
	"mcp/control/snmp/snmptest"
)

// TestModulesAreTheMIBs compares the default modules; -args update writes them.
func TestModulesAreTheMIBs(t *testing.T) {
	if flag.Arg(0) == "update" {
		if err := os.WriteFile("modules.yaml", []byte(mib.Module()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(defaultModules) != mib.Module() {
		t.Error("modules.yaml differs from the MIB: go test ./control/snmp/exporter -args update writes it")
	}
}

// platform serves the MIB to a master until the test ends.
func platform(t *testing.T) *snmptest.Master {
	t.Helper()
	master, registry := snmptest.Start(t), prometheus.NewRegistry()
	active := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_calls_active"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mcp_calls_over_limit_total"}, []string{"cause"})
	registry.MustRegister(active, refused)
	active.Set(3)
	refused.WithLabelValues("rate").Add(4)
	subtree, err := mib.Subtree(mib.DefaultSubtree)
	if err != nil {
		t.Fatal(err)
	}
	s, err := agentx.New(agentx.Config{Master: master.AgentX, Subtree: subtree, Timeout: 10 * time.Second, Ping: time.Minute, Retry: time.Second},
		mib.New(subtree, registry, slog.Default()), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	snmptest.Eventually(t, "a session", func() error {
		if !s.Connected() {
			return errors.New("there is none")
		}
		return nil
	})
	return master
}

func ours(t *testing.T) string {
	t.Helper()
	modules, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(New(modules, slog.Default()))
	t.Cleanup(server.Close)
	return server.URL
}

// read scrapes, and returns the samples of the platform.
func read(server, target string) ([]string, error) {
	answer, err := http.Get(server + "/snmp?module=mcp&target=" + url.QueryEscape(target))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	var samples []string
	for _, line := range strings.Split(string(body), "\n") {
		if strings.HasPrefix(line, "mcp") {
			samples = append(samples, line)
		}
	}
	slices.Sort(samples)
	return samples, err
}

func TestScrape(t *testing.T) {
	got, err := read(ours(t), platform(t).Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"mcpSipCurrentInboundSessions 3", `mcpSipRefusalTotal{mcpSipRefusalName="rate"} 4`,
		`mcpAlarmState{mcpAlarmIndex="1"} 1`, `mcpAlarmName{mcpAlarmIndex="5",mcpAlarmName="mcpConsulLostAlarm"} 1`} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
}

// TestSameAsPrometheusExporter compares sample for sample with Debian's package.
func TestSameAsPrometheusExporter(t *testing.T) {
	path, err := exec.LookPath("prometheus-snmp-exporter")
	if err != nil {
		t.Skip("prometheus-snmp-exporter is not installed: scripts/setup.sh test installs it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	other := exec.Command(path, "--config.file=modules.yaml", "--web.listen-address="+address)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	target := platform(t).Addr
	var theirs []string
	snmptest.Eventually(t, "the other exporter", func() (err error) {
		theirs, err = read("http://"+address, target)
		return err
	})
	got, err := read(ours(t), target)
	if err != nil || len(got) == 0 || !slices.Equal(got, theirs) {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(theirs, "\n"))
	}
}

// Whoever scrapes the product's exporter asks for if_mib.
func TestModuleHasTheProductsNameToo(t *testing.T) {
	modules, err := Default()
	if err != nil || len(modules["if_mib"].Metrics) == 0 || len(modules["if_mib"].Metrics) != len(modules["mcp"].Metrics) {
		t.Errorf("%v, %v", modules["if_mib"], err)
	}
	w := httptest.NewRecorder()
	New(modules, slog.Default()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/snmp?module=x", nil))
	if said := w.Body.String(); !strings.Contains(said, "there are if_mib, mcp") {
		t.Error(said)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	for query, want := range map[string]int{"module=x&target=127.0.0.1": 400, "module=mcp": 400, "module=mcp&target=h:x": 400} {
		answer, err := http.Get(ours(t) + "/snmp?" + query)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", query, answer.StatusCode, want)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("4.114.97.116.101")
	m := Metric{Indexes: []Index{{"a", "DisplayString"}, {"b", "gauge"}}}
	f.Fuzz(func(t *testing.T, rest string) {
		if names, values, err := m.labels(rest); err == nil && len(names) != len(values) {
			t.Errorf("%q %q", names, values)
		}
	})
}
