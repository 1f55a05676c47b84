package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mcp/control/reporting/recent"
)

// Client reads from one platform's socket.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client of the platform that serves the socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Calls lists the platform's calls.
func (c *Client) Calls(ctx context.Context) ([]recent.Dialogue, error) {
	var out []recent.Dialogue
	body, err := c.get(ctx, "/calls")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&out); err != nil {
		return nil, fmt.Errorf("read the calls of %s: %w", c.socket, err)
	}
	return out, nil
}

// Follow calls f with lines until the call ends, the platform does or f fails.
func (c *Client) Follow(ctx context.Context, want recent.Wanted, f func(recent.Line) error) error {
	query := url.Values{"call": {want.Call}, "variables": {strconv.FormatBool(want.Variables)}}
	body, err := c.get(ctx, "/trace?"+query.Encode())
	if err != nil {
		return err
	}
	defer body.Close()
	for lines := json.NewDecoder(body); ; {
		var l recent.Line
		switch err := lines.Decode(&l); {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("follow the call: %w", err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
}

func (c *Client) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://platform"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.socket, err)
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.socket, err)
	}
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		return nil, errors.Join(fmt.Errorf("ask %s: %s", c.socket, strings.TrimSpace(string(text))), r.Body.Close())
	}
	return r.Body, nil
}
