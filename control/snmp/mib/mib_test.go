package mib

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/control/snmp/agentx"
	"mcp/control/snmp/snmptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const file = "../../../deploy/mib/MCP-MIB.txt"

// TestFileIsWhatIsServed compares the MIB's file; -args update writes it.
func TestFileIsWhatIsServed(t *testing.T) {
	if flag.Arg(0) == "update" {
		if err := os.WriteFile(file, []byte(Text()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Text() {
		t.Errorf("%s differs from what is served: go test ./control/snmp/mib -args update writes it", file)
	}
}

// standard is a directory of the SMI's own modules.
func standard(t *testing.T) string {
	found, _ := filepath.Glob("/usr/lib/erlang/lib/snmp-*/mibs")
	if len(found) == 0 {
		t.Skip("the SMI's modules are not installed: scripts/setup.sh test installs them")
	}
	return found[0]
}

func TestFileIsClean(t *testing.T) {
	if _, err := exec.LookPath("smilint"); err != nil {
		t.Skip("smilint is not installed: scripts/setup.sh test installs it")
	}
	lint := exec.Command("smilint", "-l", "6", "-s", file)
	lint.Env = append(os.Environ(), "SMIPATH="+standard(t))
	if said, err := lint.CombinedOutput(); err != nil || len(said) != 0 {
		t.Errorf("smilint: %v\n%s", err, said)
	}
}

// figures are metrics as the platform has them.
type figures struct {
	registry *prometheus.Registry
	active   prometheus.Gauge
	refused  *prometheus.CounterVec
	consul   prometheus.Gauge
}

func newFigures() *figures {
	f := &figures{
		registry: prometheus.NewRegistry(),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_calls_active"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mcp_calls_over_limit_total"}, []string{"cause"}),
		consul:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_consul_registered"}),
	}
	plane := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_media_plane_info", ConstLabels: prometheus.Labels{"mode": "socket", "reason": "no XDP: not permitted"}})
	setup := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mcp_call_setup_seconds"})
	setup.Observe(0.25)
	setup.Observe(0.5)
	f.active.Set(3)
	f.consul.Set(1)
	f.refused.WithLabelValues("rate").Add(4)
	f.refused.WithLabelValues("cpu").Add(1)
	f.registry.MustRegister(f.active, f.refused, f.consul, plane, setup)
	return f
}

func (f *figures) mib(t *testing.T) *MIB {
	t.Helper()
	subtree, err := Subtree(DefaultSubtree)
	if err != nil {
		t.Fatal(err)
	}
	return New(subtree, f.registry, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// TestOperatorReadsByName walks the MIB through snmpd, with the MIB's file.
func TestOperatorReadsByName(t *testing.T) {
	master, figures := snmptest.Start(t), newFigures()
	m := figures.mib(t)
	run(t, master, m)
	dirs := standard(t) + ":" + filepath.Dir(file)
	said, err := master.Tool(dirs, "snmpwalk", "-v2c", "-c", snmptest.Community, "-OQ", master.Addr, "MCP-MIB::mcp")
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, want := range []string{
		"MCP-MIB::mcpSipCurrentInboundSessions.0 = 3",
		"MCP-MIB::mcpSipTotalRefusedSessions.0 = 5",
		`MCP-MIB::mcpSipRefusalTotal."rate" = 4`,
		`MCP-MIB::mcpSipRefusalTotal."cpu" = 1`,
		"MCP-MIB::mcpSipTotalAnsweredSessions.0 = 2",
		"MCP-MIB::mcpSipTotalSetupTime.0 = 750",
		"MCP-MIB::mcpSipTotalEndedSessions.0 = 0",
		`MCP-MIB::mcpMediaPlane.0 = "socket"`,
		`MCP-MIB::mcpAlarmName.5 = "mcpConsulLostAlarm"`,
		"MCP-MIB::mcpAlarmState.5 = clear",
	} {
		if !strings.Contains(strings.ReplaceAll(said, "STRING: ", ""), want) {
			t.Errorf("no %s in\n%s", want, said)
		}
	}
}

// run serves a MIB to a master until the test ends.
func run(t *testing.T, master *snmptest.Master, m *MIB) *agentx.Subagent {
	t.Helper()
	s, err := agentx.New(agentx.Config{Master: master.AgentX, Subtree: m.subtree, Timeout: 10 * time.Second, Ping: time.Minute, Retry: time.Second}, m, m.log)
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
	return s
}

func TestNotificationsReachAnOperator(t *testing.T) {
	master, figures := snmptest.Start(t), newFigures()
	m := figures.mib(t)
	s := run(t, master, m)
	now := time.Now()
	m.check(s, now, time.Minute)
	snmptest.Eventually(t, "the plane's alarm", func() error {
		for _, trap := range master.Traps() {
			if strings.Contains(trap, "."+DefaultSubtree+".0.1") && strings.Contains(trap, "not permitted") {
				return nil
			}
		}
		return fmt.Errorf("not in %q", master.Traps())
	})
}

// told collects notifications by their last number.
type told []string

func (n *told) Notify(name agentx.OID, _ ...agentx.Variable) {
	*n = append(*n, fmt.Sprint(name[len(name)-1]))
}

func (n *told) take() string {
	said := strings.Join(*n, " ")
	*n = nil
	return said
}

func TestAlarmsAreToldOnce(t *testing.T) {
	figures, now := newFigures(), time.Unix(1000, 0)
	m, to := figures.mib(t), &told{}
	for _, step := range []struct {
		what   string
		change func()
		later  time.Duration
		want   string
	}{
		{"what holds at the start", func() {}, 0, "1 7"},
		{"nothing new", func() {}, time.Second, ""},
		{"Consul goes, calls are refused", func() { figures.consul.Set(0); figures.refused.WithLabelValues("cpu").Inc() }, time.Second, "9"},
		{"both still", func() {}, 30 * time.Second, ""},
		{"Consul is back", func() { figures.consul.Set(1) }, time.Second, "10"},
		{"no call refused for a minute", func() {}, time.Minute, "8"},
		{"and again", func() { figures.refused.WithLabelValues("cpu").Inc() }, time.Second, "7"},
	} {
		step.change()
		now = now.Add(step.later)
		m.check(to, now, time.Minute)
		if got := to.take(); got != step.want {
			t.Errorf("%s: told %q, want %q", step.what, got, step.want)
		}
	}
}

func TestSubtreesAreChecked(t *testing.T) {
	for text, good := range map[string]bool{
		DefaultSubtree: true, ".1.3.6.1.4.1.99999": true, "1.3.6.1.4.1": false, "1.3.6.1.2.1.1": false, "mcp": false, "": false, "1.3.6.1.4.1.-1": false,
	} {
		if _, err := Subtree(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
