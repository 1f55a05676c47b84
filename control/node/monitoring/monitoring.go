// Package monitoring puts what SNMP managers see together from the configuration: the
// platform's objects and notifications, by way of a master agent, and what the SNMP
// exporter makes of agents' answers.
package monitoring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/config"
	"mcp/control/listen"
	"mcp/control/snmp/agentx"
	"mcp/control/snmp/mib"
)

// Config is the section of SNMP.
type Config struct {
	Master   string        `yaml:"master" doc:"AgentX address of the SNMP master agent, such as tcp:127.0.0.1:1705 or unix:/var/agentx/master; empty: none"`
	Subtree  string        `yaml:"subtree" doc:"object identifier that the MIB is below"`
	Timeout  time.Duration `yaml:"timeout" doc:"for each answer of the master"`
	Alarms   time.Duration `yaml:"alarm-interval" doc:"how often alarm conditions are looked at"`
	Hold     time.Duration `yaml:"alarm-hold" doc:"how long without another refused call or recording until that alarm is over"`
	Exporter Exporter      `yaml:"exporter" doc:"what SNMP agents answer, as metrics"`
}

// Defaults speaks to no master.
func Defaults() Config {
	return Config{Subtree: mib.DefaultSubtree, Timeout: 5 * time.Second, Alarms: 10 * time.Second, Hold: 5 * time.Minute}
}

// Validate implements the configuration reader's check of the section.
func (c Config) Validate() error {
	if c.Master != "" {
		if _, _, err := agentx.Address(c.Master); err != nil {
			return err
		}
	}
	_, err := mib.Subtree(c.Subtree)
	return errors.Join(err, config.Above("timeout", c.Timeout, 0), config.Above("alarm-interval", c.Alarms, 0), config.Above("alarm-hold", c.Hold, 0))
}

// Monitoring is the platform's side of SNMP.
type Monitoring struct {
	cfg      Config
	mib      *mib.MIB
	subagent *agentx.Subagent // nil: no master
	web      *listen.Server   // of the exporter; nil: none
	state    prometheus.GaugeFunc
}

// Open prepares what metrics are to be seen as. Run must follow.
func Open(cfg Config, metrics prometheus.Gatherer, log *slog.Logger) (*Monitoring, error) {
	m := &Monitoring{cfg: cfg}
	var err error
	if m.web, err = cfg.Exporter.open(log); err != nil {
		return nil, err
	}
	m.state = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_snmp_connected", Help: "Whether an SNMP master agent has taken the platform's objects.",
	}, m.connected)
	if cfg.Master == "" {
		return m, nil
	}
	subtree, err := mib.Subtree(cfg.Subtree)
	if err != nil {
		return nil, fmt.Errorf("health.snmp.subtree: %w", err)
	}
	m.mib = mib.New(subtree, metrics, log)
	m.subagent, err = agentx.New(agentx.Config{
		Master: cfg.Master, Subtree: subtree, Description: "media control platform",
		Timeout: cfg.Timeout, Ping: 30 * time.Second, Retry: 15 * time.Second,
	}, m.mib, log)
	if err != nil {
		return nil, fmt.Errorf("health.snmp.master: %w", err)
	}
	return m, nil
}

func (m *Monitoring) connected() float64 {
	if m.subagent != nil && m.subagent.Connected() {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (m *Monitoring) Describe(to chan<- *prometheus.Desc) { m.state.Describe(to) }

// Collect implements prometheus.Collector. Without a master there is nothing to see.
func (m *Monitoring) Collect(to chan<- prometheus.Metric) {
	if m.subagent != nil {
		m.state.Collect(to)
	}
}

// Run serves the master, and tells it of alarms, until ctx ends.
func (m *Monitoring) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	if m.subagent != nil {
		running.Go(func() { m.subagent.Run(ctx) })
		running.Go(func() { m.mib.Watch(ctx, m.subagent, m.cfg.Alarms, m.cfg.Hold) })
	}
	var err error
	if m.web != nil {
		if err = m.web.Serve(ctx); err != nil {
			stop()
		}
	}
	running.Wait()
	return err
}
