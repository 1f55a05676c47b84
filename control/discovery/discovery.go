// Package discovery keeps the platform registered with Consul, so that a
// Resource Manager's provisioning finds it: a service with a health check that
// the agent makes itself, registered again after the agent has lost it, in
// maintenance while the platform drains, and gone when it stops.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is how to reach the agent and what to tell it.
type Config struct {
	Agent   Agent
	Service Service
	// Interval is between two looks at whether the agent still has the service;
	// 10 s when zero, as the product's service handler has it.
	Interval time.Duration
	// Locate fills in what of the service takes a route to the agent to be found, its
	// address and the check's. It is asked until it succeeds; nil: nothing is missing.
	Locate func(context.Context, *Service) error
}

// Agent is the Consul agent.
type Agent struct {
	URL       string // http://host:8500 or https://host:8501
	Token     string // ACL token; empty: none
	TokenFile string // holds the ACL token and is read anew each time; goes before Token
	// CAFile, CertFile and KeyFile are PEM files: whom to believe over TLS, and who
	// we are to an agent that asks. Empty: the system's authorities, and nobody.
	CAFile, CertFile, KeyFile string
}

// Service is what is registered.
type Service struct {
	Name, ID string
	Address  string // empty: the agent's own
	Port     int
	Tags     []string
	Meta     map[string]string
	Check    Check
}

// Check is the agent's own probe of the service.
type Check struct {
	URL      string        // asked with GET; any 2xx passes; empty: no check
	Interval time.Duration // 30 s when zero
	Timeout  time.Duration // 10 s when zero
	// Deregister is after how long in a critical state the agent drops the service;
	// zero: never.
	Deregister time.Duration
}

const (
	defaultInterval      = 10 * time.Second
	defaultCheckInterval = 30 * time.Second
	defaultCheckTimeout  = 10 * time.Second
	callTime             = 5 * time.Second // for one answer of the agent
)

// drainReason is what operators read beside a service in maintenance.
const drainReason = "draining: no new calls"

// Registrar keeps one service registered.
type Registrar struct {
	cfg    Config // Locate and what it fills in are Run's own
	client *api.Client
	log    *slog.Logger

	draining   atomic.Bool
	registered atomic.Bool
	wake       chan struct{}
	trouble    string // as last logged; Run's own
	tried      bool   // the agent may have been told of this service; Run's own
	entered    bool   // it was; Run's own
	resting    bool   // the agent was told that it drains; Run's own

	failures prometheus.Counter
	state    prometheus.GaugeFunc
}

// New checks the configuration; it does not talk to the agent.
func New(cfg Config, log *slog.Logger) (*Registrar, error) {
	if cfg.Service.Name == "" || cfg.Service.ID == "" {
		return nil, errors.New("discovery: the service needs a name and an identifier")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = defaultInterval
	}
	client, err := dial(cfg.Agent)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	r := &Registrar{
		cfg: cfg, client: client, wake: make(chan struct{}, 1),
		log: log.With("consul", cfg.Agent.URL, "service", cfg.Service.ID),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mcp_consul_failures_total", Help: "Times the Consul agent could not be told or asked.",
		}),
	}
	r.state = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mcp_consul_registered", Help: "Whether the Consul agent had the service when last asked.",
	}, func() float64 {
		if r.registered.Load() {
			return 1
		}
		return 0
	})
	return r, nil
}

func dial(a Agent) (*api.Client, error) {
	cfg := api.DefaultNonPooledConfig()
	scheme, address, found := strings.Cut(a.URL, "://")
	if !found || scheme != "http" && scheme != "https" || address == "" {
		return nil, fmt.Errorf("agent %q is not an http or https URL", a.URL)
	}
	cfg.Scheme, cfg.Address = scheme, strings.TrimSuffix(address, "/")
	cfg.Token, cfg.TokenFile = "", "" // not the environment's: each call carries ours
	cfg.TLSConfig = api.TLSConfig{CAFile: a.CAFile, CertFile: a.CertFile, KeyFile: a.KeyFile}
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w", a.URL, err)
	}
	return client, nil
}

// Describe implements prometheus.Collector.
func (r *Registrar) Describe(out chan<- *prometheus.Desc) {
	r.failures.Describe(out)
	r.state.Describe(out)
}

// Collect implements prometheus.Collector.
func (r *Registrar) Collect(out chan<- prometheus.Metric) {
	r.failures.Collect(out)
	r.state.Collect(out)
}

// Drain puts the service into maintenance: the agent then shows it as critical,
// and new calls go elsewhere while those that are up are found in the catalogue.
func (r *Registrar) Drain() {
	r.draining.Store(true)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run keeps the service registered until ctx ends, and then takes it off.
func (r *Registrar) Run(ctx context.Context) {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		r.note(r.keep(ctx))
		select {
		case <-ticker.C:
		case <-r.wake:
		case <-ctx.Done():
			r.leave()
			return
		}
	}
}

// keep registers the service unless the agent has it as it should be.
func (r *Registrar) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if r.cfg.Locate != nil {
		if err := r.cfg.Locate(ctx, &r.cfg.Service); err != nil {
			return fmt.Errorf("find this machine's address: %w", err)
		}
		r.cfg.Locate = nil
	}
	token, err := r.token()
	if err != nil {
		return err
	}
	query := (&api.QueryOptions{Token: token}).WithContext(ctx)
	known, err := r.known(query)
	if err != nil {
		return err
	}
	if !known {
		if err := r.register(ctx, token); err != nil {
			return err
		}
		r.resting = false
	}
	r.registered.Store(true)
	if r.draining.Load() && !r.resting {
		if err := r.client.Agent().EnableServiceMaintenanceOpts(r.cfg.Service.ID, drainReason, query); err != nil {
			return fmt.Errorf("put the service into maintenance: %w", err)
		}
		r.resting = true
		r.log.Info("in maintenance with Consul", "reason", drainReason)
	}
	return nil
}

// known asks whether the agent has the service as we would register it. What an
// earlier process left behind counts only once it was registered anew: its check
// may be another.
func (r *Registrar) known(query *api.QueryOptions) (bool, error) {
	if !r.entered {
		return false, nil
	}
	have, _, err := r.client.Agent().Service(r.cfg.Service.ID, query)
	switch {
	case isUnknown(err):
		r.log.Warn("Consul has lost the service; registering it again")
		return false, nil
	case err != nil:
		return false, fmt.Errorf("ask for the service: %w", err)
	}
	want := r.cfg.Service
	return have.Service == want.Name && have.Port == want.Port &&
		(want.Address == "" || have.Address == want.Address) &&
		slices.Equal(have.Tags, want.Tags) && maps.Equal(have.Meta, want.Meta), nil
}

func (r *Registrar) register(ctx context.Context, token string) error {
	r.tried = true
	opts := api.ServiceRegisterOpts{ReplaceExistingChecks: true, Token: token}.WithContext(ctx)
	if err := r.client.Agent().ServiceRegisterOpts(r.cfg.Service.registration(), opts); err != nil {
		return fmt.Errorf("register the service: %w", err)
	}
	r.entered = true
	r.log.Info("registered with Consul", "name", r.cfg.Service.Name, "address", r.cfg.Service.Address, "port", r.cfg.Service.Port)
	return nil
}

func (s Service) registration() *api.AgentServiceRegistration {
	reg := &api.AgentServiceRegistration{
		ID: s.ID, Name: s.Name, Address: s.Address, Port: s.Port, Tags: s.Tags, Meta: s.Meta,
	}
	if s.Check.URL == "" {
		return reg
	}
	reg.Check = &api.AgentServiceCheck{
		Name: "readiness", HTTP: s.Check.URL, Method: http.MethodGet,
		Interval: orDefault(s.Check.Interval, defaultCheckInterval).String(),
		Timeout:  orDefault(s.Check.Timeout, defaultCheckTimeout).String(),
	}
	if s.Check.Deregister > 0 {
		reg.Check.DeregisterCriticalServiceAfter = s.Check.Deregister.String()
	}
	return reg
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// leave takes the service off the agent; one that does not answer drops it by the
// check.
func (r *Registrar) leave() {
	r.registered.Store(false)
	if !r.tried {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	token, err := r.token()
	if err == nil {
		query := (&api.QueryOptions{Token: token}).WithContext(ctx)
		err = r.client.Agent().ServiceDeregisterOpts(r.cfg.Service.ID, query)
	}
	if err != nil && !isUnknown(err) {
		r.failures.Inc()
		r.log.Warn("the service stays registered with Consul", "error", err)
		return
	}
	r.log.Info("taken off Consul")
}

// isUnknown tells that the agent has no such service.
func isUnknown(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// token is the ACL token as it is now: secrets are rotated.
func (r *Registrar) token() (string, error) {
	if r.cfg.Agent.TokenFile == "" {
		return r.cfg.Agent.Token, nil
	}
	b, err := os.ReadFile(r.cfg.Agent.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the ACL token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// note logs trouble when it begins, changes and ends.
func (r *Registrar) note(err error) {
	if err == nil {
		if r.trouble != "" {
			r.log.Info("Consul answers again")
		}
		r.trouble = ""
		return
	}
	if errors.Is(err, context.Canceled) {
		return // stopping
	}
	r.registered.Store(false)
	r.failures.Inc()
	if text := err.Error(); text != r.trouble {
		r.log.Warn("not registered with Consul, as far as is known", "error", err)
		r.trouble = text
	}
}
