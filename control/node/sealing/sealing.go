// Package sealing says whom recordings are encrypted to: it makes a source of
// certificates of the configuration.
package sealing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mcp/control/certs"
)

// Config is the section of certificates. At most one source is named; with none,
// recordings are in the clear.
type Config struct {
	Files        []string      `yaml:"files" names:"file" doc:"PEM files of certificates, or directories of them, as a Kubernetes secret is mounted"`
	URL          string        `yaml:"url" doc:"URL that answers with certificates in PEM form"`
	DatabaseFile string        `yaml:"database-file" names:"file" doc:"file with the URL of a PostgreSQL database, password included"`
	Query        string        `yaml:"query" doc:"what gives a row a certificate, in PEM form in one column"`
	Gateway      string        `yaml:"gateway" doc:"host and port, 8888 by custom, of a gateway beside a configuration server"`
	TLS          bool          `yaml:"tls" doc:"whether the gateway speaks TLS"`
	CAFile       string        `yaml:"ca-file" names:"file" trust:"alone" doc:"PEM file of the authorities that vouch for the web server or gateway; empty: the system's"`
	Application  string        `yaml:"application" doc:"name that the gateway knows the platform by"`
	User         string        `yaml:"user" doc:"user for the gateway"`
	PasswordFile string        `yaml:"password-file" names:"file" doc:"file with the password for the gateway"`
	Interval     time.Duration `yaml:"interval" doc:"how often the source is asked: how long a rotation may take"`
}

// Defaults names no source.
func Defaults() Config { return Config{Application: "default", Interval: time.Minute} }

// Validate implements the configuration reader's check of the section.
func (c Config) Validate() error {
	named := 0
	for _, there := range []bool{len(c.Files) > 0, c.URL != "", c.DatabaseFile != "", c.Gateway != ""} {
		if there {
			named++
		}
	}
	switch {
	case named > 1:
		return errors.New("files, url, database-file and gateway: one source, please")
	case (c.DatabaseFile == "") != (c.Query == ""):
		return errors.New("database-file and query: one needs the other")
	case c.Interval <= 0:
		return errors.New("interval must be above zero")
	}
	return nil
}

// Keeper keeps the configured certificates fresh while it runs; nil: recordings are in
// the clear. It has asked the source once already.
func (c Config) Keeper(ctx context.Context, reg prometheus.Registerer, log *slog.Logger) (*certs.Keeper, error) {
	source, err := c.source()
	if err != nil || source == nil {
		return nil, err
	}
	k := certs.NewKeeper(source, c.Interval, log)
	k.Refresh(ctx)
	reg.MustRegister(k)
	return k, nil
}

func (c Config) source() (certs.Source, error) {
	switch {
	case len(c.Files) > 0:
		return certs.Files(c.Files), nil
	case c.URL != "":
		config, err := c.tls()
		if err != nil {
			return nil, err
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig, transport.DisableKeepAlives = config, true // there is one question a minute
		return certs.Web{URL: c.URL, Client: &http.Client{Transport: transport}}, nil
	case c.DatabaseFile != "":
		dsn, err := secret(c.DatabaseFile)
		return certs.Database{DSN: dsn, Query: c.Query}, err
	case c.Gateway != "":
		return c.gateway()
	}
	return nil, nil
}

func (c Config) gateway() (certs.Source, error) {
	g := certs.Gateway{Address: c.Gateway, Application: c.Application, User: c.User}
	var err error
	if c.TLS {
		if g.TLS, err = c.tls(); err != nil {
			return nil, err
		}
		g.TLS.ServerName, _, _ = strings.Cut(c.Gateway, ":")
	}
	if c.PasswordFile != "" {
		g.Password, err = secret(c.PasswordFile)
	}
	return g, err
}

func (c Config) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificates: %s holds no certificate", c.CAFile)
	}
	return config, nil
}

func secret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("certificates: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
