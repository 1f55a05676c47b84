package fetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// idle is how long a connection is kept for the next page: long enough while calls
// come, and not so long that the servers of a busy hour are held on to after it.
const idle = 15 * time.Second

// Connections say how web servers are reached. The zero value is usable.
type Connections struct {
	// HTTPProxy and HTTPSProxy are the proxies' URLs; empty: as the environment says
	// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).
	HTTPProxy, HTTPSProxy string
	// Direct are hosts that are asked without a proxy; a leading dot takes a
	// domain's hosts.
	Direct []string
	// Certificate and Key are PEM files of the client's certificate, for servers
	// that ask; they are read at each handshake, so that they can be renewed.
	Certificate, Key string
	// Authorities is a PEM file of certificates to trust beside the system's.
	Authorities string
	// Credentials is a file in netrc's format: machine, login and password of
	// servers that want basic authentication (RFC 7617).
	Credentials string
	Policy      *Policy // default: the zero Policy
}

// NewTransport makes a transport of HTTP/1.1 and 2 that keeps to the policy.
func NewTransport(c Connections) (*http.Transport, error) {
	policy := c.Policy.withDefaults()
	t := http.DefaultTransport.(*http.Transport).Clone()
	proxies, err := c.proxies()
	if err != nil {
		return nil, err
	}
	if len(proxies) > 0 {
		t.Proxy = c.proxy(proxies)
	}
	t.DialContext = dialing(policy, proxies)
	if t.TLSClientConfig, err = c.tls(); err != nil {
		return nil, err
	}
	t.ForceAttemptHTTP2 = true
	t.MaxIdleConnsPerHost = t.MaxIdleConns // most pages come from one server, many at once
	t.IdleConnTimeout = idle
	return t, nil
}

// dialing connects where the policy lets pages go, and to the proxies: they are the
// operator's own choice, and decide where it goes from there.
func dialing(policy *Policy, proxies map[string]*url.URL) func(context.Context, string, string) (net.Conn, error) {
	plain := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	guarded := plain
	guarded.Control = policy.control
	ways := make(map[string]bool)
	for _, u := range proxies {
		ways[net.JoinHostPort(u.Hostname(), strconv.Itoa(int(portOf(u))))] = true
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if ways[address] {
			return plain.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
}

func (p *Policy) withDefaults() *Policy {
	out := Policy{}
	if p != nil {
		out = *p
	}
	if out.Denied == nil {
		out.Denied = Metadata()
	}
	return &out
}

// proxies are the proxies' URLs by the scheme that they serve.
func (c Connections) proxies() (map[string]*url.URL, error) {
	out := make(map[string]*url.URL)
	for scheme, text := range map[string]string{"http": c.HTTPProxy, "https": c.HTTPSProxy} {
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the proxy %q is not a URL such as http://proxy.example:3128", text)
		}
		out[scheme] = u
	}
	return out, nil
}

func (c Connections) proxy(by map[string]*url.URL) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		host := r.URL.Hostname()
		for _, direct := range c.Direct {
			if host == direct || strings.HasPrefix(direct, ".") && strings.HasSuffix(host, direct) {
				return nil, nil
			}
		}
		return by[r.URL.Scheme], nil
	}
}

func (c Connections) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.Authorities != "" {
		pem, err := os.ReadFile(c.Authorities)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the authorities: %s holds no certificate", c.Authorities)
		}
	}
	if c.Certificate == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}

// Login is a server's name and password.
type Login struct{ User, Password string }

// ReadCredentials reads a file in netrc's format: logins by the host, "" for the
// default entry.
func ReadCredentials(name string) (map[string]Login, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	defer file.Close()
	words := bufio.NewScanner(file)
	words.Split(bufio.ScanWords)
	out := make(map[string]Login)
	host, begun := "", false
	for words.Scan() {
		word := words.Text()
		if word == "default" {
			host, begun = "", true
			continue
		}
		if !words.Scan() {
			return nil, fmt.Errorf("read credentials: %s ends after %q", name, word)
		}
		value, login := words.Text(), out[host]
		switch {
		case word == "machine":
			host, begun = strings.ToLower(value), true
			continue
		case !begun:
			return nil, fmt.Errorf("read credentials: %s begins with %q, not with machine", name, word)
		case word == "login":
			login.User = value
		case word == "password":
			login.Password = value
		case word == "account":
		default:
			return nil, fmt.Errorf("read credentials: %s: %q is none of machine, login, password and account", name, word)
		}
		out[host] = login
	}
	return out, errors.Join(words.Err())
}
