// Package orchestrating turns the configuration's section of orchestration servers
// into a client of them.
package orchestrating

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mcp/control/config"
	"mcp/control/ors"
)

// Config is the section of orchestration servers.
type Config struct {
	URLs    []string      `yaml:"urls" doc:"orchestration servers that stand in for each other, such as http://ors:11200; a number of the table such as ors;src=http://web/app.scxml has them treat its callers, and ors alone those whose Request-URI has orssessionid"`
	Request string        `yaml:"request" doc:"name of the request by which a session is asked for the next treatment"`
	Done    string        `yaml:"done" doc:"name of the event that tells a session of a treatment's outcome and result"`
	Ended   string        `yaml:"ended" doc:"name of the event that tells a session that its call is over"`
	Timeout time.Duration `yaml:"timeout" doc:"for each exchange with a server"`
	Hold    time.Duration `yaml:"hold" doc:"how much longer a session may take to answer with the next treatment"`
}

// Defaults has no servers.
func Defaults() Config {
	return Config{Request: "treatment", Done: "treatment.done", Ended: "call.ended", Timeout: 10 * time.Second, Hold: 25 * time.Second}
}

// Validate checks the section.
func (c Config) Validate() error {
	if err := errors.Join(config.Above("timeout", c.Timeout, 0), config.Least("hold", c.Hold, 0)); err != nil {
		return err
	}
	if c.Timeout+c.Hold > 55*time.Second {
		return fmt.Errorf("timeout: %v and hold, %v, are more than 55s together", c.Timeout, c.Hold)
	}
	for key, name := range map[string]string{"request": c.Request, "done": c.Done, "ended": c.Ended} {
		if err := ors.Name(name); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("urls: %q is no http or https URL, such as http://ors:11200", text)
		}
	}
	return nil
}

// Open makes the client, which asks its servers by one transport, and lets pages reach
// their sessions by another; nil when there are no servers.
func Open(c Config, pages *http.Transport, servers http.RoundTripper) *ors.Client {
	if len(c.URLs) == 0 {
		return nil
	}
	client := ors.New(ors.Config{
		URLs: c.URLs, Request: c.Request, Done: c.Done, Ended: c.Ended, Timeout: c.Timeout, Hold: c.Hold, Transport: servers,
	})
	pages.RegisterProtocol(ors.Scheme, client)
	return client
}
