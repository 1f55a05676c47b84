// Package fetching turns the configuration's section of fetching into what all
// services fetch with.
package fetching

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"mcp/control/config"
	"mcp/vxml/fetch"
)

// Config is the section of what pages fetch.
type Config struct {
	Timeout     time.Duration `yaml:"timeout" doc:"the fetchtimeout of pages that set none"`
	MaxSize     config.Size   `yaml:"max-size" doc:"of one document, grammar or recording, unpacked"`
	Redirects   int           `yaml:"redirects" doc:"how many may follow each other"`
	Cache       Cache         `yaml:"cache" doc:"what is kept of answers (RFC 9111)"`
	Allow       Allow         `yaml:"allow" doc:"where pages may reach"`
	Proxy       Proxy         `yaml:"proxy" doc:"web proxies"`
	TLS         TLS           `yaml:"tls" doc:"certificates"`
	Credentials string        `yaml:"credentials" names:"file" doc:"file in netrc's format: logins of servers that want basic authentication; empty: none"`
}

// Cache is the cache of answers.
type Cache struct {
	Memory    config.Size `yaml:"memory" doc:"how much is kept in memory"`
	Directory string      `yaml:"directory" doc:"where answers outlive a restart; empty: nowhere"`
	Disk      config.Size `yaml:"disk" doc:"how much is kept there"`
}

// Allow is the policy of fetching.
type Allow struct {
	Schemes []string       `yaml:"schemes" doc:"such as http, https, file; default: all that are known"`
	Hosts   []string       `yaml:"hosts" doc:"names, addresses or patterns such as *.example.com or web:8080; default: all"`
	Denied  []netip.Prefix `yaml:"denied" doc:"networks that no connection may go to, whatever name leads there; add 10.0.0.0/8 and the like where applications are strangers"`
	Files   []string       `yaml:"files" doc:"folders that file: URLs may read, beside those of the configured applications"`
}

// Proxy is the proxies.
type Proxy struct {
	HTTP   string   `yaml:"http" gvp:"fm.http_proxy" doc:"URL of the proxy for http; empty: as HTTP_PROXY says"`
	HTTPS  string   `yaml:"https" gvp:"fm.https_proxy" doc:"URL of the proxy for https; empty: as HTTPS_PROXY says"`
	Direct []string `yaml:"direct" doc:"hosts, and with a leading dot domains, that are asked directly"`
}

// TLS is the certificates.
type TLS struct {
	Certificate string `yaml:"certificate" names:"file" doc:"PEM file of the platform's certificate, for servers that ask; read at each handshake"`
	Key         string `yaml:"key" names:"file" doc:"PEM file of its key"`
	Authorities string `yaml:"authorities" names:"file" trust:"beside" doc:"PEM file of certificates to trust beside the system's"`
}

// Defaults lets pages reach everything but the metadata servers of clouds.
func Defaults() Config {
	return Config{
		Timeout: 10 * time.Second, MaxSize: 16 << 20, Redirects: 5,
		Cache: Cache{Memory: 64 << 20, Disk: 1 << 30},
		Allow: Allow{Denied: fetch.Metadata()},
	}
}

// Validate checks the section of fetching.
func (c Config) Validate() error {
	var alone error
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		alone = errors.New("tls: certificate and key belong together")
	}
	return errors.Join(config.Above("timeout", c.Timeout, 0), config.Above("max-size", c.MaxSize, 0), config.Above("redirects", c.Redirects, 0), alone)
}

// Reach is what else pages may fetch, and may not.
type Reach struct {
	Schemes []string // beside those of the section, where it names any
	Files   []string // folders
	Own     []uint16 // ports that the platform itself serves, which pages have no business with
	// Via puts something between requests and what carries them; nil: nothing.
	Via func(http.RoundTripper) http.RoundTripper
}

// Fetcher is what all services fetch with, and the transport beneath it, at which
// schemes of our own can be registered.
type Fetcher struct {
	*fetch.Fetcher
	Transport *http.Transport
}

// Close lets go of connections.
func (f *Fetcher) Close() error {
	f.Transport.CloseIdleConnections()
	return nil
}

// Open makes what all services fetch with.
func Open(c Config, r Reach) (*Fetcher, error) {
	policy := &fetch.Policy{Schemes: c.Allow.Schemes, Hosts: c.Allow.Hosts, Denied: c.Allow.Denied, Own: r.Own, Files: append(append([]string{}, r.Files...), c.Allow.Files...)}
	if len(policy.Schemes) > 0 {
		policy.Schemes = append(slices.Clone(policy.Schemes), r.Schemes...)
	}
	transport, err := fetch.NewTransport(fetch.Connections{
		HTTPProxy: c.Proxy.HTTP, HTTPSProxy: c.Proxy.HTTPS, Direct: c.Proxy.Direct, Certificate: c.TLS.Certificate, Key: c.TLS.Key,
		Authorities: c.TLS.Authorities, Policy: policy,
	})
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	client := &http.Client{Transport: transport}
	if r.Via != nil {
		client.Transport = r.Via(transport)
	}
	config := fetch.Config{
		Client: client, Timeout: c.Timeout, MaxBody: int64(c.MaxSize), MaxRedirects: c.Redirects,
		CacheBytes: int64(c.Cache.Memory), Policy: policy,
	}
	if c.Credentials != "" {
		if config.Logins, err = fetch.ReadCredentials(c.Credentials); err != nil {
			return nil, fmt.Errorf("fetch.credentials: %w", err)
		}
	}
	f := fetch.New(config)
	if c.Cache.Directory != "" {
		if err := f.KeepOnDisk(c.Cache.Directory, int64(c.Cache.Disk)); err != nil {
			return nil, fmt.Errorf("fetch.cache.directory: %w", err)
		}
	}
	return &Fetcher{Fetcher: f, Transport: transport}, nil
}
