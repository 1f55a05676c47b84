// Package ors speaks with orchestration servers: it starts sessions, sends them events
// and requests, and asks them what a caller is to be treated with next.
//
// The URLs are those of the Orchestration Server's REST interface, which listens on
// 11200: POST /scxml/session/start, /scxml/session/ID/event/NAME,
// /scxml/session/ID/request/NAME and /scxml/session/ID/terminate. What a session
// answers to a request is up to the application that runs there; what this package
// understands of it is told at Treatment.
//
// Several servers stand in for each other: one that cannot be reached, or answers 502,
// 503 or 504, is left alone for a while.
package ors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// Config is where the servers are and how they are asked.
type Config struct {
	// URLs are the servers', in the order of preference, such as http://ors:11200.
	URLs []string
	// Request is the name of the request for the next treatment, Done that of the event
	// which tells a treatment's result, Ended that of the call's end.
	Request, Done, Ended string
	// Timeout bounds each exchange with one server. 10 s.
	Timeout time.Duration
	// Hold is how long an answer to the request for a treatment may take. 25 s.
	Hold time.Duration
	// Transport carries the exchanges. http.DefaultTransport.
	Transport http.RoundTripper
}

// The bounds of what servers may do.
const (
	maxBody   = 1 << 20
	maxTurns  = 5
	shunned   = 5 * time.Second // for how long a server that failed comes last
	idPattern = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~"
	maxID     = 128
)

// StatusError is an answer that is no success.
type StatusError struct {
	URL    string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.URL, e.Status, http.StatusText(e.Status))
}

var (
	errTurns     = errors.New("too many redirects")
	errDowngrade = errors.New("redirected from https to http")
	errSize      = errors.New("the answer is too large")
)

// ErrID says that something cannot be the name of a session, an event or a request.
var ErrID = errors.New("not a name that can stand in a URL")

// Client asks the servers. It is safe for concurrent use.
type Client struct {
	config Config
	http   *http.Client

	mu     sync.Mutex
	failed map[string]time.Time // by the server's URL: when it last did
}

// New makes a Client.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Hold <= 0 {
		c.Hold = 25 * time.Second
	}
	return &Client{config: c, failed: map[string]time.Time{}, http: &http.Client{Transport: c.Transport, CheckRedirect: redirect}}
}

// redirect follows a few, and none that gives up encryption.
func redirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxTurns:
		return errTurns
	case via[0].URL.Scheme == "https" && to.URL.Scheme != "https":
		return errDowngrade
	}
	return nil
}

// Name checks what is to stand in a URL as a session's, an event's or a request's name.
func Name(s string) error {
	if s == "" || len(s) > maxID || strings.Trim(s, idPattern) != "" || strings.Trim(s, ".") == "" {
		return fmt.Errorf("%w: %.40q", ErrID, s)
	}
	return nil
}

// Start starts a session of an application, an SCXML document's URL, and returns its
// name: that which the answer's Location ends with, or which its body has, as text, or
// as "sessionId", "sessionid", "session" or "id" of a JSON object.
func (c *Client) Start(ctx context.Context, application string, with url.Values) (id string, err error) {
	form := url.Values{"src": {application}}
	for name, values := range with {
		form[name] = values
	}
	a, err := c.exchange(ctx, call{method: http.MethodPost, path: "start", form: form})
	if err != nil {
		return "", fmt.Errorf("start an orchestration session: %w", err)
	}
	if id = sessionIn(a); Name(id) != nil {
		return "", fmt.Errorf("start an orchestration session: no session's name in %.80q", a.body)
	}
	return id, nil
}

func sessionIn(a answer) string {
	if at := a.header.Get("Location"); at != "" {
		return path.Base(at)
	}
	var object map[string]any
	if json.Unmarshal(a.body, &object) == nil {
		for _, key := range []string{"sessionId", "sessionid", "session", "id"} {
			if id, ok := object[key].(string); ok {
				return id
			}
		}
		return ""
	}
	return strings.Trim(strings.TrimSpace(string(a.body)), `"`)
}

// Event tells a session of an event.
func (c *Client) Event(ctx context.Context, session, name string, with url.Values) error {
	if err := errors.Join(Name(session), Name(name)); err != nil {
		return err
	}
	_, err := c.exchange(ctx, call{method: http.MethodPost, path: session + "/event/" + name, form: with})
	if err != nil {
		return fmt.Errorf("event %s of orchestration session %s: %w", name, session, err)
	}
	return nil
}

// Request asks a session something, and returns what it answers; nothing: 204.
func (c *Client) Request(ctx context.Context, session, name string, with url.Values) (mediaType string, body []byte, err error) {
	if err := errors.Join(Name(session), Name(name)); err != nil {
		return "", nil, err
	}
	a, err := c.exchange(ctx, call{method: http.MethodGet, path: session + "/request/" + name, form: with, patience: c.config.Hold})
	if err != nil {
		return "", nil, fmt.Errorf("request %s of orchestration session %s: %w", name, session, err)
	}
	return a.header.Get("Content-Type"), a.body, nil
}

// Terminate ends a session.
func (c *Client) Terminate(ctx context.Context, session string) error {
	if err := Name(session); err != nil {
		return err
	}
	_, err := c.exchange(ctx, call{method: http.MethodPost, path: session + "/terminate"})
	if err != nil {
		return fmt.Errorf("terminate orchestration session %s: %w", session, err)
	}
	return nil
}

// call is what is asked of a server, and answer what it says.
type call struct {
	method, path string // the path below /scxml/session/
	form         url.Values
	patience     time.Duration // beside Config.Timeout
}

type answer struct {
	header http.Header
	body   []byte
}

// exchange asks the servers one after the other, until one knows.
func (c *Client) exchange(ctx context.Context, ask call) (answer, error) {
	var all []error
	for _, server := range c.order() {
		a, err := c.one(ctx, server, ask)
		if err == nil {
			c.note(server, false)
			return a, nil
		}
		all = append(all, err)
		var status *StatusError
		unable := !errors.As(err, &status) && !errors.Is(err, errTurns) && !errors.Is(err, errDowngrade) && !errors.Is(err, errSize) ||
			status != nil && (status.Status == 502 || status.Status == 503 || status.Status == 504)
		if ctx.Err() != nil || !unable {
			break
		}
		c.note(server, true)
	}
	if len(all) == 0 {
		return answer{}, errors.New("no orchestration server is configured")
	}
	return answer{}, errors.Join(all...)
}

// order is the servers with those that have just failed at the end.
func (c *Client) order() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last []string
	for _, server := range c.config.URLs {
		if at, bad := c.failed[server]; bad && time.Since(at) < shunned {
			last = append(last, server)
			continue
		}
		all = append(all, server)
	}
	return append(all, last...)
}

func (c *Client) note(server string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.failed, server); failed {
		c.failed[server] = time.Now()
	}
}

// one asks one server.
func (c *Client) one(ctx context.Context, server string, ask call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout+ask.patience)
	defer cancel()
	address := strings.TrimRight(server, "/") + "/scxml/session/" + ask.path
	var body io.Reader
	if ask.method == http.MethodPost {
		body = bytes.NewReader([]byte(ask.form.Encode()))
	} else if len(ask.form) > 0 {
		address += "?" + ask.form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, ask.method, address, body)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "application/xml, application/json, text/plain;q=0.5")
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case res.StatusCode/100 != 2:
		return answer{}, &StatusError{URL: server, Status: res.StatusCode}
	case err != nil:
		return answer{}, fmt.Errorf("%s: %w", server, err)
	case len(text) > maxBody:
		return answer{}, fmt.Errorf("%s: %w", server, errSize)
	}
	return answer{res.Header, text}, nil
}
