package node

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcp/control/config"
	"mcp/control/node/orchestrating"
	"mcp/control/ors"
	"mcp/control/service/voicexml"
	"mcp/vxml/fetch"
)

// Fetch is the section of what pages fetch.
type Fetch struct {
	Timeout     time.Duration `yaml:"timeout" doc:"the fetchtimeout of pages that set none"`
	MaxSize     config.Size   `yaml:"max-size" doc:"of one document, grammar or recording, unpacked"`
	Redirects   int           `yaml:"redirects" doc:"how many may follow each other"`
	Cache       FetchCache    `yaml:"cache" doc:"what is kept of answers (RFC 9111)"`
	Allow       FetchAllow    `yaml:"allow" doc:"where pages may reach"`
	Proxy       FetchProxy    `yaml:"proxy" doc:"web proxies"`
	TLS         FetchTLS      `yaml:"tls" doc:"certificates"`
	Credentials string        `yaml:"credentials" doc:"file in netrc's format: logins of servers that want basic authentication; empty: none"`
}

// FetchCache is the cache of answers.
type FetchCache struct {
	Memory    config.Size `yaml:"memory" doc:"how much is kept in memory"`
	Directory string      `yaml:"directory" doc:"where answers outlive a restart; empty: nowhere"`
	Disk      config.Size `yaml:"disk" doc:"how much is kept there"`
}

// FetchAllow is the policy of fetching.
type FetchAllow struct {
	Schemes []string       `yaml:"schemes" doc:"such as http, https, file; default: all that are known"`
	Hosts   []string       `yaml:"hosts" doc:"names, addresses or patterns such as *.example.com or web:8080; default: all"`
	Denied  []netip.Prefix `yaml:"denied" doc:"networks that no connection may go to, whatever name leads there; add 10.0.0.0/8 and the like where applications are strangers"`
	Files   []string       `yaml:"files" doc:"folders that file: URLs may read, beside those of the configured applications"`
}

// FetchProxy is the proxies.
type FetchProxy struct {
	HTTP   string   `yaml:"http" gvp:"fm.http_proxy" doc:"URL of the proxy for http; empty: as HTTP_PROXY says"`
	HTTPS  string   `yaml:"https" gvp:"fm.https_proxy" doc:"URL of the proxy for https; empty: as HTTPS_PROXY says"`
	Direct []string `yaml:"direct" doc:"hosts, and with a leading dot domains, that are asked directly"`
}

// FetchTLS is the certificates.
type FetchTLS struct {
	Certificate string `yaml:"certificate" doc:"PEM file of the platform's certificate, for servers that ask; read at each handshake"`
	Key         string `yaml:"key" doc:"PEM file of its key"`
	Authorities string `yaml:"authorities" doc:"PEM file of certificates to trust beside the system's"`
}

func defaultFetch() Fetch {
	return Fetch{
		Timeout: 10 * time.Second, MaxSize: 16 << 20, Redirects: 5,
		Cache: FetchCache{Memory: 64 << 20, Disk: 1 << 30},
		Allow: FetchAllow{Denied: fetch.Metadata()},
	}
}

// Validate checks the section of fetching.
func (f Fetch) Validate() error {
	switch {
	case f.Timeout <= 0 || f.MaxSize <= 0 || f.Redirects <= 0:
		return errors.New("timeout, max-size and redirects must be above zero")
	case (f.TLS.Certificate == "") != (f.TLS.Key == ""):
		return errors.New("tls: certificate and key belong together")
	}
	return nil
}

// openFetcher makes what all services fetch with.
func (n *Node) openFetcher() (*fetch.Fetcher, error) {
	c := n.cfg.Fetch
	policy := &fetch.Policy{
		Schemes: n.schemes(), Hosts: c.Allow.Hosts, Denied: c.Allow.Denied, Own: n.ownPorts(), Files: n.readable(),
	}
	transport, err := fetch.NewTransport(fetch.Connections{
		HTTPProxy: c.Proxy.HTTP, HTTPSProxy: c.Proxy.HTTPS, Direct: c.Proxy.Direct, Certificate: c.TLS.Certificate, Key: c.TLS.Key,
		Authorities: c.TLS.Authorities, Policy: policy,
	})
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if err := voicexml.RegisterBuiltin(transport); err != nil {
		return nil, fmt.Errorf("built-in application: %w", err)
	}
	n.treatments = orchestrating.Open(n.cfg.Application.ORS, transport)
	config := fetch.Config{
		Client: &http.Client{Transport: transport}, Timeout: c.Timeout, MaxBody: int64(c.MaxSize), MaxRedirects: c.Redirects,
		CacheBytes: int64(c.Cache.Memory), Policy: policy,
	}
	if c.Credentials != "" {
		if config.Logins, err = fetch.ReadCredentials(c.Credentials); err != nil {
			return nil, fmt.Errorf("fetch.credentials: %w", err)
		}
	}
	n.opened("fetching", func() error { transport.CloseIdleConnections(); return nil })
	f := fetch.New(config)
	if c.Cache.Directory != "" {
		if err := f.KeepOnDisk(c.Cache.Directory, int64(c.Cache.Disk)); err != nil {
			return nil, fmt.Errorf("fetch.cache.directory: %w", err)
		}
	}
	return f, nil
}

// schemes are those that may be fetched, which those of an orchestration session are
// where there are such; empty: all.
func (n *Node) schemes() []string {
	if allowed := n.cfg.Fetch.Allow.Schemes; len(allowed) > 0 && len(n.cfg.Application.ORS.URLs) > 0 {
		return append(slices.Clone(allowed), ors.Scheme)
	}
	return n.cfg.Fetch.Allow.Schemes
}

// ownPorts are the ports that the platform itself serves, which pages have no
// business with.
func (n *Node) ownPorts() []uint16 {
	var out []uint16
	add := func(address string) {
		if _, text, err := net.SplitHostPort(address); err == nil {
			if port, err := strconv.ParseUint(text, 10, 16); err == nil && port > 0 {
				out = append(out, uint16(port))
			}
		}
	}
	add(n.cfg.Health.Listen)
	add(n.cfg.Health.Console.Listen)
	for _, listen := range n.cfg.SIP.Listen {
		_, address, _ := strings.Cut(listen, ":")
		add(address)
	}
	return out
}

// readable are the folders that pages may read: those that the operator names,
// and those of what the operator has calls begin with.
func (n *Node) readable() []string {
	out := append([]string{}, n.cfg.Fetch.Allow.Files...)
	if dir := n.cfg.Announcements.Directory; dir != "" {
		out = append(out, dir)
	}
	for _, target := range append(slices.Collect(maps.Values(n.cfg.Application.Numbers)), n.cfg.Application.Default) {
		path, isFile := strings.CutPrefix(target, "file://")
		if isFile || filepath.Ext(path) == ".vxml" && !strings.Contains(path, ":") {
			out = append(out, filepath.Dir(path))
		}
	}
	return out
}
