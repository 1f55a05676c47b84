// Package tracing turns the configuration's section of traces into what makes them and
// sends them to an OpenTelemetry collector.
package tracing

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"

	"mcp/control/reporting/spans"
	"mcp/vxml/fetch"
)

// Config is the section of traces.
type Config struct {
	Endpoint string  `yaml:"endpoint" doc:"URL of an OpenTelemetry collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; empty: no traces"`
	Ratio    float64 `yaml:"ratio" doc:"share of the calls that are traced, 0 to 1"`
	Web      bool    `yaml:"web" doc:"tell web servers of a call's trace by the header traceparent (W3C Trace Context)"`
	Parent   string  `yaml:"parent-header" doc:"SIP header that whoever sends calls is believed to put a traceparent into, such as X-Traceparent; empty: each call has a trace of its own"`
	Content  bool    `yaml:"content" doc:"put into traces what was said, keyed, played and logged, and who called whom; what pages keep private stays out in any case"`
	Headers  string  `yaml:"headers-file" names:"file" doc:"file of header lines for the collector, such as Authorization: Bearer TOKEN, read anew each time"`
	CAFile   string  `yaml:"ca-file" names:"file" trust:"beside" doc:"PEM file of authorities that vouch for the collector, beside the system's"`
	CertFile string  `yaml:"cert-file" names:"file" doc:"PEM file of our certificate, for a collector that asks for one; read at each handshake"`
	KeyFile  string  `yaml:"key-file" names:"file" doc:"PEM file of its private key"`
}

// Defaults has no collector.
func Defaults() Config { return Config{Ratio: 1, Web: true} }

// Validate checks the section.
func (c Config) Validate() error {
	switch {
	case !(c.Ratio >= 0 && c.Ratio <= 1):
		return fmt.Errorf("ratio: %g is not between 0 and 1", c.Ratio)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("cert-file and key-file belong together")
	case c.Parent != "" && !httpguts.ValidHeaderFieldName(c.Parent):
		return fmt.Errorf("parent-header: %q is no name of a header", c.Parent)
	case c.Endpoint == "":
		return nil
	}
	if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("endpoint: %q is no http or https URL, such as http://127.0.0.1:4318", c.Endpoint)
	}
	return nil
}

// ParentHeader is the SIP header that is believed, in lower case; empty: none.
func (c Config) ParentHeader() string {
	if c.Endpoint == "" {
		return ""
	}
	return strings.ToLower(c.Parent)
}

// traces is where collectors take traces, below their address.
const traces = "/v1/traces"

// Open makes what traces calls; nil when there is no collector.
func (c Config) Open(instance string, log *slog.Logger) (*spans.Tracer, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	at, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if strings.Trim(at.Path, "/") == "" {
		at.Path = traces
	}
	if _, err := headers(c.Headers); err != nil {
		return nil, err
	}
	transport, err := fetch.NewTransport(fetch.Connections{Certificate: c.CertFile, Key: c.KeyFile, Authorities: c.CAFile})
	if err != nil {
		return nil, err
	}
	return spans.New(spans.Config{
		URL: at.String(), Client: &http.Client{Transport: &authorized{transport, c.Headers}},
		Ratio: c.Ratio, Content: c.Content, Silent: !c.Web, Instance: instance,
	}, log)
}

// authorized adds a file's headers to requests.
type authorized struct {
	*http.Transport
	file string
}

// RoundTrip implements http.RoundTripper.
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	extra, err := headers(a.file)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	for name, values := range extra {
		r.Header[name] = values
	}
	return a.Transport.RoundTrip(r)
}

// headers reads a file of header lines; "" has none.
func headers(file string) (http.Header, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("headers for the collector: %w", err)
	}
	defer f.Close()
	out, lines := http.Header{}, bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("headers for the collector: %s: line %d is not NAME: VALUE", file, n) // the line may be secret
		}
		out.Add(name, value)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("headers for the collector: %w", err)
	}
	return out, nil
}
