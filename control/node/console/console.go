// Package console serves what people look at while the platform runs: the calls that
// are up and the last that were, each with a diagram of its messages and of how well
// its audio was carried, and the media plane. A browser gets pages, which are embedded
// here as they are and load nothing from elsewhere; "mcp top" gets the JSON behind them.
//
// Nothing can be changed by it. It shows numbers and applications of callers, so that
// it listens on loopback unless told otherwise, and then asks for a password.
package console

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Config is the section of the console.
type Config struct {
	Listen       string   `yaml:"listen" names:"listener" doc:"address of the console for browsers and mcp top; empty: none"`
	User         string   `yaml:"user" doc:"name to log in with"`
	PasswordFile string   `yaml:"password-file" names:"file" doc:"file with the password; needed for an address that is no loopback"`
	Hosts        []string `yaml:"hosts" doc:"names that browsers may call it by, beside localhost and addresses"`
}

// Defaults listens on loopback.
func Defaults() Config { return Config{Listen: "127.0.0.1:8380", User: "operator"} }

// Validate checks the section: who can reach the address can see who calls whom.
func (c Config) Validate() error {
	if c.Listen == "" || c.PasswordFile != "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if addr, bad := netip.ParseAddr(host); host != "localhost" && (bad != nil || !addr.IsLoopback()) {
		return fmt.Errorf("listen: %s is no loopback address: a password-file is needed", c.Listen)
	}
	return nil
}

func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("health.console.password-file: %w", err)
	}
	if password := strings.TrimSpace(string(text)); password != "" {
		return password, nil
	}
	return "", errors.New("health.console.password-file: the file is empty")
}

//go:embed assets
var assets embed.FS

// policy lets pages load what is served beside them, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// handler serves the console.
func (c *Console) handler(cfg Config, password string) (http.Handler, error) {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/overview", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Overview()) })
	mux.HandleFunc("GET /api/calls", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.parts.Calls.List()) })
	mux.HandleFunc("GET /api/legs", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Report().Legs) })
	mux.HandleFunc("GET /api/report", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Report()) })
	mux.HandleFunc("GET /api/calls/{id}", func(w http.ResponseWriter, r *http.Request) {
		details, known := c.parts.Calls.Find(r.PathValue("id"))
		if !known {
			http.Error(w, "there is no such call, or it is not remembered any more", http.StatusNotFound)
			return
		}
		answer(w, details)
	})
	return guard{cfg, password, mux}, nil
}

func answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what) // whoever asked has gone
}

// guard asks who is there, and keeps other web sites out of the browser's answers.
type guard struct {
	config   Config
	password string // empty: nobody is asked
	next     http.Handler
}

func (g guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !g.known(r.Host):
		// A name that leads here, but is another site's, would make its pages ours (DNS rebinding).
		http.Error(w, fmt.Sprintf("%q is no name of this console; see health.console.hosts", r.Host), http.StatusMisdirectedRequest)
	case !g.admits(r):
		h.Set("WWW-Authenticate", `Basic realm="MCP console", charset="UTF-8"`)
		http.Error(w, "a name and a password are needed", http.StatusUnauthorized)
	default:
		g.next.ServeHTTP(w, r)
	}
}

// known tells whether a request's Host is one of ours.
func (g guard) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(g.config.Hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

func (g guard) admits(r *http.Request) bool {
	if g.password == "" {
		return true
	}
	user, password, _ := r.BasicAuth()
	rightUser := subtle.ConstantTimeCompare([]byte(user), []byte(g.config.User))
	return subtle.ConstantTimeCompare([]byte(password), []byte(g.password))&rightUser == 1
}
