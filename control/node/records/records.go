// Package records turns the configuration's section of records into the parts
// that keep and deliver them.
package records

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/config"
	"mcp/control/reporting"
	"mcp/control/reporting/delivery"
	"mcp/control/reporting/journal"
)

// Section is the section of records in the configuration.
type Section struct {
	Journal   string        `yaml:"journal" gvp:"ems.rc.cdr.local_queue_path" doc:"directory of the journals of records"`
	Component string        `yaml:"component" doc:"this platform's name in its records; default: the host's"`
	MaxSize   config.Size   `yaml:"max-size" doc:"most that the journal of call records holds; the other one holds a quarter of it"`
	KeepFor   time.Duration `yaml:"keep-for" doc:"how long records are kept, as far as max-size allows; 0: for ever"`
	WhenFull  string        `yaml:"when-full" doc:"drop: operational reports and traces that could not be delivered make room for newer ones; block: nothing undelivered is deleted. Undelivered call records never are: new calls are refused with 503"`
	Trace     bool          `yaml:"trace" doc:"record the steps of calls as well"`
	Variables bool          `yaml:"variables" doc:"with trace: record as steps how the variables of pages change as well, but for what the caller gives in private"`
	Interval  time.Duration `yaml:"interval" doc:"what one operational report tells of; 0: there are none"`
	Broker    Broker        `yaml:"broker" doc:"message broker that records are delivered to"`
}

// Broker is the section of the message broker.
type Broker struct {
	URLs         []string          `yaml:"urls" doc:"of brokers that share their queues, the first that answers is used: tcp://rs:61616 or ssl://rs:61617 (ActiveMQ's OpenWire), stomp://, stomp+ssl://, amqp:// or amqps:// (AMQP 1.0); none: records stay in the journal"`
	User         string            `yaml:"user" doc:"name to log in with"`
	PasswordFile string            `yaml:"password-file" names:"file" doc:"file with the password"`
	CA           string            `yaml:"ca" names:"file" trust:"alone" doc:"PEM file of the authorities that certify the brokers; default: the system's"`
	Cert         string            `yaml:"cert" names:"file" doc:"PEM file of this platform's own certificate, where brokers ask for one"`
	Key          string            `yaml:"key" names:"file" doc:"PEM file of its key"`
	Queue        string            `yaml:"queue" doc:"queue of the records, or a topic as topic://NAME"`
	Queues       map[string]string `yaml:"queues" doc:"other queues by kind of record: call, custom, trace, operations"`
	Batch        int               `yaml:"batch" doc:"records that are sent before the broker has confirmed them"`
	Timeout      time.Duration     `yaml:"timeout" doc:"how long connecting, and confirming a batch, may take"`
}

// Validate checks the section of the broker.
func (b Broker) Validate() error {
	var all []error
	if b.Batch < 1 || b.Batch > 10000 {
		all = append(all, fmt.Errorf("batch: %d is not between 1 and 10000", b.Batch))
	}
	all = append(all, config.Above("timeout", b.Timeout, 0))
	if (b.Cert == "") != (b.Key == "") {
		all = append(all, errors.New("cert and key go together"))
	}
	c := b.delivery("", nil)
	return errors.Join(append(all, c.Validate())...)
}

func (b Broker) delivery(password string, secure *tls.Config) delivery.Config {
	return delivery.Config{
		Brokers: b.URLs, User: b.User, Password: password, TLS: secure,
		Queue: b.Queue, Queues: b.Queues, Batch: b.Batch, Timeout: b.Timeout,
	}
}

// password reads the password.
func (b Broker) password() (string, error) {
	if b.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(b.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("broker's password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// tls reads the certificates.
func (b Broker) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.CA != "" {
		pem, err := os.ReadFile(b.CA)
		if err != nil {
			return nil, fmt.Errorf("broker's authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker's authorities: no certificate in %s", b.CA)
		}
	}
	if b.Cert != "" {
		pair, err := tls.LoadX509KeyPair(b.Cert, b.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate for brokers: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Defaults is a section that nobody has configured; state is the directory of
// what the platform keeps.
func Defaults(state string) Section {
	return Section{
		Journal: filepath.Join(state, "journal"), MaxSize: 1 << 30, KeepFor: 40 * 24 * time.Hour,
		WhenFull: "drop", Interval: 5 * time.Minute,
		Broker: Broker{Queue: "mcp.records", Batch: 500, Timeout: 30 * time.Second},
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
	return errors.Join(append(all, config.Least("keep-for", r.KeepFor, 0), config.Least("interval", r.Interval, 0))...)
}

// bound is what a journal may hold; without delivery it keeps the newest.
func (r Section) bound(bytes int64, hold bool) journal.Config {
	return journal.Config{KeepBytes: bytes, SegmentBytes: min(16<<20, bytes/segmentsKept), KeepFor: r.KeepFor, Hold: hold}
}

func (r Section) recorder(delivers bool) reporting.Config {
	c := reporting.Config{
		Trace: r.Trace, Interval: r.Interval,
		Calls:   r.bound(int64(r.MaxSize), delivers),
		Reports: r.bound(int64(r.MaxSize)/4, delivers && r.WhenFull == "block"),
	}
	if c.Interval == 0 {
		c.Interval = -1
	}
	c.Component = r.Name()
	return c
}

// Name is the platform's own name: the configured one, or the machine's.
func (r Section) Name() string {
	if r.Component != "" {
		return r.Component
	}
	host, _ := os.Hostname() // its absence is an empty name
	return host
}

// Records are the parts that keep records and deliver them.
type Records struct {
	*reporting.Recorder
	stop  context.CancelFunc
	pumps sync.WaitGroup
	once  sync.Once
}

// Open opens the journals and begins to deliver what is in them. The watcher sees
// what is recorded, unless it is nil.
func Open(s Section, watcher reporting.Watcher, metrics prometheus.Registerer, log *slog.Logger) (*Records, error) {
	config := s.recorder(len(s.Broker.URLs) > 0)
	config.Watcher = watcher
	recorder, err := reporting.Open(s.Journal, config, log)
	if err != nil {
		return nil, fmt.Errorf("records: %w%s", err, advice(err))
	}
	r := &Records{Recorder: recorder, stop: func() {}}
	if err := errors.Join(metrics.Register(recorder), r.deliver(s.Broker, metrics, log)); err != nil {
		return nil, errors.Join(fmt.Errorf("records: %w", err), r.Close())
	}
	return r, nil
}

// advice is what to do about journals that cannot be opened.
func advice(err error) string {
	switch {
	case errors.Is(err, journal.ErrLocked):
		return "; stop that one, or set another reporting.journal for one of the two"
	case errors.Is(err, fs.ErrPermission):
		return "; let the user that mcp runs as write there, or set another reporting.journal"
	}
	return ""
}

// deliver begins a delivery for each journal, so that reports hold up no bill.
func (r *Records) deliver(b Broker, metrics prometheus.Registerer, log *slog.Logger) error {
	if len(b.URLs) == 0 {
		return nil
	}
	secure, err := b.tls()
	if err != nil {
		return err
	}
	password, err := b.password()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	for name, j := range map[string]*reporting.Journal{"calls": r.Calls(), "reports": r.Reports()} {
		p, err := delivery.New(b.delivery(password, secure), name, j, log)
		if err == nil {
			err = metrics.Register(p)
		}
		if err != nil {
			return err
		}
		r.pumps.Go(func() { p.Run(ctx) })
	}
	return nil
}

// Close writes what is still waiting, delivers what can be delivered at once and
// closes the journals. It is idempotent.
func (r *Records) Close() error {
	var err error
	r.once.Do(func() {
		r.Recorder.Drain()
		r.stop()
		r.pumps.Wait()
		err = r.Recorder.Close()
	})
	return err
}
