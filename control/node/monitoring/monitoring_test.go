package monitoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"mcp/control/snmp/mib"
	"mcp/control/snmp/snmptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMasterOverTCP has a manager read a metric and be told of an alarm, before and
// after the master's restart.
func TestMasterOverTCP(t *testing.T) {
	master := snmptest.Start(t)
	registry := prometheus.NewRegistry()
	active := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_calls_active"})
	consul := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_consul_registered"})
	registry.MustRegister(active, consul)
	active.Set(7)
	consul.Set(1)

	cfg := Defaults()
	cfg.Master, cfg.Alarms = master.TCP, 50*time.Millisecond
	m, err := Open(cfg, registry, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	registry.MustRegister(m)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })

	reads(t, master, 7)
	consul.Set(0)
	told(t, master, "."+mib.DefaultSubtree+".0.9,")
	master.Restart()
	consul.Set(1)
	active.Set(8)
	reads(t, master, 8)
	told(t, master, "."+mib.DefaultSubtree+".0.10,")
}

func reads(t *testing.T, master *snmptest.Master, want int64) {
	t.Helper()
	snmptest.Eventually(t, "the number of calls", func() error {
		got, err := master.Get(mib.DefaultSubtree + ".1.1.1.0")
		if err != nil {
			return err
		}
		if gosnmp.ToBigInt(got[0].Value).Cmp(big.NewInt(want)) != 0 {
			return fmt.Errorf("%v, want %d", got[0].Value, want)
		}
		return nil
	})
}

// told waits for a notification of a name.
func told(t *testing.T, master *snmptest.Master, want string) {
	t.Helper()
	snmptest.Eventually(t, "the notification", func() error {
		for _, trap := range master.Traps() {
			if strings.Contains(strings.ReplaceAll(trap, "\t", ",")+",", want) {
				return nil
			}
		}
		return fmt.Errorf("no %s in %q", want, master.Traps())
	})
}

func TestWithoutAMasterNothingRuns(t *testing.T) {
	m, err := Open(Defaults(), prometheus.NewRegistry(), slog.Default())
	if err != nil || m.Run(context.Background()) != nil {
		t.Error(err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"defaults": {func(*Config) {}, ""},
		"master":   {func(c *Config) { c.Master = "1705" }, "tcp:HOST:PORT"},
		"subtree":  {func(c *Config) { c.Subtree = "1.3" }, "enterprise"},
		"interval": {func(c *Config) { c.Alarms = 0 }, "alarm-interval: 0s is not above 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Defaults()
			tt.change(&cfg)
			err := cfg.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Open(Config{Master: "x"}, nil, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Error("a bad master and subtree are taken")
	}
}

// TestExporterBesideThePlatform scrapes the agent that the platform answers through.
func TestExporterBesideThePlatform(t *testing.T) {
	master, cfg := snmptest.Start(t), Defaults()
	cfg.Master, cfg.Exporter.Listen = master.AgentX, "127.0.0.1:0"
	m, err := Open(cfg, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	snmptest.Eventually(t, "the alarms' states", func() error {
		answer, err := client.Get("http://" + m.web.Addr().String() + "/snmp?module=mcp&target=" + master.Addr)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err == nil && !strings.Contains(string(body), `mcpAlarmState{mcpAlarmIndex="5"} 1`) {
			err = fmt.Errorf("%s: %s", answer.Status, body)
		}
		return err
	})
}

func TestExporterNeedsAnAddress(t *testing.T) {
	if err := RunExporter(context.Background(), Defaults(), slog.Default()); err == nil || !strings.Contains(err.Error(), "exporter.listen") {
		t.Error(err)
	}
}
