package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mcp/control/admission"
	"mcp/control/call"
	"mcp/control/config"
	"mcp/control/node/carrying"
	"mcp/control/node/console"
	"mcp/control/node/fetching"
	"mcp/control/node/monitoring"
	"mcp/control/node/orchestrating"
	"mcp/control/node/probing"
	"mcp/control/node/recording"
	"mcp/control/node/records"
	"mcp/control/node/registering"
	"mcp/control/node/signalling"
	"mcp/control/node/speaking"
	"mcp/control/node/tracing"
	"mcp/control/node/uploading"
	"mcp/control/reporting/live"
)

// Config is everything an operator can set: one section for each part of the
// platform. Every key is optional; Defaults answers calls as it is.
type Config struct {
	SIP           SIP                `yaml:"sip" doc:"signalling"`
	Calls         Calls              `yaml:"calls" doc:"limits on calls"`
	Media         carrying.Config    `yaml:"media" doc:"callers' and speech servers' audio"`
	Application   Application        `yaml:"application" doc:"which VoiceXML application answers"`
	Announcements Announcements      `yaml:"announcements" doc:"provisioned announcements (RFC 4240)"`
	Conferences   Conferences        `yaml:"conferences" doc:"conferences that callers begin by calling conf=NAME"`
	Transfers     Transfers          `yaml:"transfers" doc:"how applications call others"`
	Fetch         fetching.Config    `yaml:"fetch" doc:"how pages, grammars and recordings are fetched"`
	Speech        speaking.Config    `yaml:"speech" doc:"speech engines"`
	Reporting     Reporting          `yaml:"reporting" doc:"records of calls and reports"`
	Health        Health             `yaml:"health" doc:"probes and metrics for the orchestrator"`
	Recording     recording.Config   `yaml:"recording" doc:"which calls are recorded, and how"`
	Upload        uploading.Config   `yaml:"upload" doc:"where recordings are sent to be kept"`
	Discovery     registering.Config `yaml:"discovery" doc:"registration with Consul"`
	Log           Log                `yaml:"log" doc:"the platform's own log"`
}

// SIP is the signalling section.
type SIP = signalling.Config

// Calls is the section of limits.
type Calls struct {
	Max        int           `yaml:"max" live:"true" doc:"calls at once, more are refused; 0: as many as there are ports"`
	Rate       int           `yaml:"rate" live:"true" gvp:"sip.call_rate" doc:"new calls in any rate-period, more are refused; 0: any number"`
	RatePeriod time.Duration `yaml:"rate-period" live:"true" gvp:"sip.call_rate_period ms" doc:"what rate counts in"`
	CPU        int           `yaml:"cpu" live:"true" doc:"percent of the processors in use by the platform above which calls are refused; 0: never"`
	Refusal    int           `yaml:"refusal" live:"true" doc:"status of the refusal: 503 with Retry-After, or 486"`
	RetryAfter time.Duration `yaml:"retry-after" live:"true" doc:"what a refusal with 503 asks for"`
	Drain      time.Duration `yaml:"drain" doc:"how long calls may go on once the platform is asked to stop"`
	Prepare    time.Duration `yaml:"prepare" doc:"longest time from INVITE to answer"`
	Grace      time.Duration `yaml:"grace" doc:"how long an application may go on after the caller has hung up"`
	Garbage    config.Size   `yaml:"garbage" doc:"how much memory that calls no longer use may gather before it is collected, a quarter of what the platform may have at most: less costs CPU time; 0: as much as is in use"`
	Overrides  []string      `yaml:"overrides" doc:"options that the Resource Manager may set for a call by gvp.config.SECTION.OPTION in the Request-URI: SECTION.OPTION or SECTION.*; property.NAME is the VoiceXML property NAME; default: none"`
	Outbound   Outbound      `yaml:"outbound" doc:"calls that are asked for over HTTP or by MSML"`
	CPA        CPA           `yaml:"cpa" doc:"call progress analysis: what is heard of calls that the platform makes, where that is asked for"`
}

// Validate checks the section of limits.
func (c Calls) Validate() error {
	var refusal error
	if c.Refusal != 503 && c.Refusal != 486 {
		refusal = fmt.Errorf("refusal: %d is neither 503 nor 486", c.Refusal)
	}
	return errors.Join(
		config.Least("max", c.Max, 0), config.Least("rate", c.Rate, 0), config.Above("rate-period", c.RatePeriod, 0),
		config.Within("cpu", c.CPU, 0, 100), refusal, config.Least("retry-after", c.RetryAfter, time.Second),
		config.Least("drain", c.Drain, 0), config.Above("prepare", c.Prepare, 0), config.Above("grace", c.Grace, 0), config.Least("garbage", c.Garbage, 0),
	)
}

func (c Calls) overload() call.Overload {
	return call.Overload{
		Limits: admission.Limits{Rate: c.Rate, Period: c.RatePeriod, CPU: float64(c.CPU) / 100},
		Status: c.Refusal, RetryAfter: c.RetryAfter,
	}
}

// Announcements is the section of the announcement service.
type Announcements struct {
	Directory string        `yaml:"directory" names:"file" doc:"where play=/provisioned/NAME finds NAME.wav or NAME.seq, below a directory for each locale; empty: nowhere"`
	Longest   time.Duration `yaml:"longest" doc:"how long an announcement may last, repetitions included"`
}

// Conferences is the section of conferences.
type Conferences struct {
	Loudest int `yaml:"loudest" doc:"how many members are heard at once, by how loud they are; 0: all"`
	Max     int `yaml:"max" doc:"members of one conference; 0: any number"`
}

// Validate checks the section of conferences.
func (c Conferences) Validate() error {
	return errors.Join(config.Least("loudest", c.Loudest, 0), config.Least("max", c.Max, 0))
}

// Transfers is the section of transfers.
type Transfers struct {
	Gateway  string `yaml:"gateway" doc:"SIP URI without a user, such as sip:10.0.0.9:5060;transport=tcp, through which tel: numbers are called"`
	Redirect bool   `yaml:"media-redirect" doc:"let the audio of bridged parties bypass the platform; a page's method attribute decides otherwise"`
}

// Validate checks the section of transfers.
func (t Transfers) Validate() error {
	if t.Gateway != "" && !strings.HasPrefix(t.Gateway, "sip:") && !strings.HasPrefix(t.Gateway, "sips:") {
		return fmt.Errorf("gateway: %q is no SIP URI, such as sip:10.0.0.9:5060;transport=tcp", t.Gateway)
	}
	return nil
}

// Validate checks the section of announcements.
func (a Announcements) Validate() error {
	return config.Above("longest", a.Longest, 0)
}

// Reporting is the section of records.
type Reporting = records.Section

// Health is the section of probes and metrics.
type Health struct {
	Listen   string            `yaml:"listen" names:"listener" doc:"address of /mcp/liveness, /mcp/readiness and /metrics; empty: none"`
	Profiles bool              `yaml:"profiles" doc:"serve profiles of CPU time and memory for go tool pprof there, at /debug/pprof/, for as long as somebody looks for what costs"`
	SelfTest probing.Config    `yaml:"self-test" doc:"calls that the platform places to itself when readiness is asked for"`
	Console  console.Config    `yaml:"console" doc:"calls, their diagrams and the media plane, for people with a browser and for mcp top"`
	SNMP     monitoring.Config `yaml:"snmp" doc:"objects and notifications for SNMP managers"`
	Tracing  tracing.Config    `yaml:"tracing" doc:"traces of calls, for OpenTelemetry"`
}

// Log is the section of the log.
type Log struct {
	Level  string    `yaml:"level" live:"true" doc:"debug, info, warn or error"`
	Format string    `yaml:"format" doc:"text or json"`
	Export LogExport `yaml:"export" doc:"counters taken from the log"`
}

// Defaults is the configuration of a platform that nobody has configured.
func Defaults() Config {
	return Config{
		SIP: signalling.Defaults(),
		Calls: Calls{
			RatePeriod: time.Second, CPU: 95, Refusal: 503, RetryAfter: 5 * time.Second,
			Drain: time.Hour, Prepare: 30 * time.Second, Grace: 10 * time.Second, Garbage: 512 << 20,
			Outbound: Outbound{Timeout: time.Minute}, CPA: defaultCPA(),
		},
		Media:         carrying.Defaults(),
		Application:   Application{Trace: live.Dir(), ORS: orchestrating.Defaults(), Scripts: defaultScripts()},
		Announcements: Announcements{Longest: time.Hour},
		Fetch:         fetching.Defaults(),
		Speech:        speaking.Defaults(),
		Reporting:     records.Defaults(stateDir()),
		Health:        Health{Listen: "0.0.0.0:8300", SelfTest: probing.Defaults(), Console: console.Defaults(), SNMP: monitoring.Defaults(), Tracing: tracing.Defaults()},
		Recording:     recording.Defaults(),
		Upload:        uploading.Defaults(stateDir()),
		Discovery:     registering.Defaults(),
		Log:           Log{Level: "info", Format: "text"},
	}
}

// stateDir is where records are kept: the service manager's choice, the
// system's place for root, the user's own otherwise.
func stateDir() string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return strings.Split(dir, ":")[0]
	}
	if os.Geteuid() == 0 {
		return "/var/lib/mcp"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "mcp")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "mcp")
}

// Validate checks the log section.
func (l Log) Validate() error {
	if _, err := l.level(); err != nil {
		return err
	}
	if l.Format != "text" && l.Format != "json" {
		return fmt.Errorf("format: %q is neither text nor json", l.Format)
	}
	return nil
}
