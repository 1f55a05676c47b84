// Package consultest is a Consul agent as far as registering a service goes: the
// paths of its HTTP API below /v1/agent that a service uses, with ACL tokens and a
// way to lose everything, as an agent does that restarts.
package consultest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"
)

// Agent is a running stand-in.
type Agent struct {
	*httptest.Server

	mu       sync.Mutex
	token    string // that calls must carry; empty: none
	broken   bool
	services map[string]*Entry
	changed  chan struct{}
}

// Entry is a service that is registered.
type Entry struct {
	api.AgentServiceRegistration
	Maintenance string // why it rests; empty: it does not
}

// Start serves on loopback, with TLS if wanted.
func Start(tls bool) *Agent {
	a := unstarted()
	if tls {
		a.StartTLS()
	} else {
		a.Server.Start()
	}
	return a
}

// StartOn serves on a listener.
func StartOn(l net.Listener) *Agent {
	a := unstarted()
	a.Listener.Close()
	a.Listener = l
	a.Server.Start()
	return a
}

func unstarted() *Agent {
	a := &Agent{services: map[string]*Entry{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/agent/service/register", a.register)
	mux.HandleFunc("PUT /v1/agent/service/deregister/{id}", a.known(a.deregisterLocked))
	mux.HandleFunc("PUT /v1/agent/service/maintenance/{id}", a.known(a.maintainLocked))
	mux.HandleFunc("GET /v1/agent/service/{id}", a.known(show))
	a.Server = httptest.NewUnstartedServer(a.guard(mux))
	return a
}

// Require makes calls without this ACL token fail.
func (a *Agent) Require(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = token
}

// Break makes all calls fail until it is called with false.
func (a *Agent) Break(broken bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = broken
}

// Forget loses all services.
func (a *Agent) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.services)
	a.noteLocked()
}

// Services are those that are registered, and a channel that is closed when they
// change.
func (a *Agent) Services() (map[string]Entry, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]Entry{}
	for id, e := range a.services {
		all[id] = *e
	}
	return all, a.changed
}

func (a *Agent) noteLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *Agent) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Consul-Token")
		if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
			token = bearer
		}
		a.mu.Lock()
		broken, allowed := a.broken, a.token == "" || a.token == token
		a.mu.Unlock()
		switch {
		case broken:
			http.Error(w, "No cluster leader", http.StatusInternalServerError)
		case !allowed:
			http.Error(w, "Permission denied", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (a *Agent) register(w http.ResponseWriter, r *http.Request) {
	e := &Entry{}
	if err := json.NewDecoder(r.Body).Decode(&e.AgentServiceRegistration); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if e.Name == "" {
		http.Error(w, "Missing service name", http.StatusBadRequest)
		return
	}
	if e.ID == "" {
		e.ID = e.Name
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.services[e.ID]; old != nil {
		e.Maintenance = old.Maintenance // an agent keeps it, too
	}
	a.services[e.ID] = e
	a.noteLocked()
}

// known serves requests about a service that is registered, with the agent locked, and
// refuses others.
func (a *Agent) known(serve func(http.ResponseWriter, *http.Request, *Entry)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if e := a.services[r.PathValue("id")]; e != nil {
			serve(w, r, e)
			return
		}
		http.Error(w, fmt.Sprintf("unknown service ID: %s", r.PathValue("id")), http.StatusNotFound)
	}
}

func (a *Agent) deregisterLocked(_ http.ResponseWriter, _ *http.Request, e *Entry) {
	delete(a.services, e.ID)
	a.noteLocked()
}

func (a *Agent) maintainLocked(_ http.ResponseWriter, r *http.Request, e *Entry) {
	e.Maintenance = ""
	if r.URL.Query().Get("enable") == "true" {
		e.Maintenance = r.URL.Query().Get("reason")
	}
	a.noteLocked()
}

func show(w http.ResponseWriter, _ *http.Request, e *Entry) {
	// The response goes to a client that this process serves: nothing to be done
	// about its going away.
	_ = json.NewEncoder(w).Encode(api.AgentService{
		ID: e.ID, Service: e.Name, Address: e.Address, Port: e.Port,
		Tags: slices.Clone(e.Tags), Meta: maps.Clone(e.Meta),
	})
}
