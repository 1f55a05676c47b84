// Package records turns the configuration's section of records into the parts
// that keep and deliver them.
package records

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/config"
	"mcp/control/reporting"
	"mcp/control/reporting/journal"
)

// Section is the section of records in the configuration.
type Section struct {
	Journal   string        `yaml:"journal" doc:"directory of the journals of records"`
	Component string        `yaml:"component" doc:"this platform's name in its records; default: the host's"`
	MaxSize   config.Size   `yaml:"max-size" doc:"most that the journal of call records holds; the other one holds a quarter of it"`
	KeepFor   time.Duration `yaml:"keep-for" doc:"how long records are kept, as far as max-size allows; 0: for ever"`
	WhenFull  string        `yaml:"when-full" doc:"drop: operational reports and traces that could not be delivered make room for newer ones; block: nothing undelivered is deleted. Undelivered call records never are: new calls are refused with 503"`
	Trace     bool          `yaml:"trace" doc:"record the steps of calls as well"`
	Interval  time.Duration `yaml:"interval" doc:"what one operational report tells of; 0: there are none"`
}

// Defaults is a section that nobody has configured; state is the directory of
// what the platform keeps.
func Defaults(state string) Section {
	return Section{
		Journal: filepath.Join(state, "journal"), MaxSize: 1 << 30, KeepFor: 40 * 24 * time.Hour,
		WhenFull: "drop", Interval: 5 * time.Minute,
	}
}

// segmentsKept is how many files a journal's bound is divided into, at least.
const segmentsKept = 16

// Validate checks the section of records.
func (r Section) Validate() error {
	var all []error
	if r.WhenFull != "drop" && r.WhenFull != "block" {
		all = append(all, fmt.Errorf("when-full: %q is neither drop nor block", r.WhenFull))
	}
	if r.MaxSize < 1<<20 {
		all = append(all, fmt.Errorf("max-size: %d bytes are less than 1 MiB", r.MaxSize))
	}
	if r.KeepFor < 0 || r.Interval < 0 {
		all = append(all, errors.New("keep-for and interval must not be negative"))
	}
	return errors.Join(all...)
}

// bound is what a journal may hold; without delivery it keeps the newest.
func (r Section) bound(bytes int64, hold bool) journal.Config {
	return journal.Config{KeepBytes: bytes, SegmentBytes: min(16<<20, bytes/segmentsKept), KeepFor: r.KeepFor, Hold: hold}
}

func (r Section) recorder(delivers bool) reporting.Config {
	c := reporting.Config{
		Component: r.Component, Trace: r.Trace, Interval: r.Interval,
		Calls:   r.bound(int64(r.MaxSize), delivers),
		Reports: r.bound(int64(r.MaxSize)/4, delivers && r.WhenFull == "block"),
	}
	if c.Interval == 0 {
		c.Interval = -1
	}
	if c.Component == "" {
		c.Component, _ = os.Hostname() // its absence is an empty name
	}
	return c
}

// Records are the parts that keep records.
type Records struct {
	*reporting.Recorder
}

// Open opens the journals.
func Open(s Section, metrics prometheus.Registerer, log *slog.Logger) (*Records, error) {
	recorder, err := reporting.Open(s.Journal, s.recorder(false), log)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	r := &Records{Recorder: recorder}
	if err := metrics.Register(recorder); err != nil {
		return nil, errors.Join(fmt.Errorf("records: %w", err), r.Close())
	}
	return r, nil
}
