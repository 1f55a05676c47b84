package ors

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Scheme is that of the URLs by which a page reaches the session that its call belongs to.
const Scheme = "ors"

//go:embed loop.vxml
var loop []byte

// PageURL is that of the page that runs a session's treatments.
func PageURL(session string) string {
	return Scheme + "://" + hex.EncodeToString([]byte(session)) + "/loop.vxml"
}

// again is how long a session that has no treatment yet is left in peace.
const again = 500 * time.Millisecond

// RoundTrip implements http.RoundTripper for the URLs of PageURL and those beside it.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	session, err := hex.DecodeString(r.URL.Host)
	if err != nil || Name(string(session)) != nil {
		return respond(r, http.StatusNotFound, "text/plain", []byte("no session")), nil
	}
	switch r.URL.Path {
	case "/loop.vxml":
		return respond(r, http.StatusOK, "application/voicexml+xml", loop), nil
	case "/next":
		return c.next(r, string(session))
	case "/done":
		return c.done(r, string(session))
	}
	return respond(r, http.StatusNotFound, "text/plain", []byte("no such thing")), nil
}

// next asks for the next treatment, until there is one or for a while.
func (c *Client) next(r *http.Request, session string) (*http.Response, error) {
	for until := time.Now().Add(c.config.Hold); ; {
		_, body, err := c.Request(r.Context(), session, c.config.Request, nil)
		if err != nil {
			return failed(r, err)
		}
		t, none, err := ParseTreatment(body)
		switch {
		case err != nil:
			return nil, err
		case !none || time.Now().After(until):
			return respond(r, http.StatusOK, "application/xml", t.document(none)), nil
		}
		if err := pause(r.Context(), again); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done tells the result of a treatment.
func (c *Client) done(r *http.Request, session string) (*http.Response, error) {
	var form url.Values
	if r.Body != nil {
		defer r.Body.Close()
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, err
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, fmt.Errorf("the result of a treatment: %w", err)
		}
	}
	if err := c.Event(r.Context(), session, c.config.Done, form); err != nil {
		return failed(r, err)
	}
	return respond(r, http.StatusOK, "text/plain", nil), nil
}

// failed hands a server's status on.
func failed(r *http.Request, err error) (*http.Response, error) {
	var status *StatusError
	if errors.As(err, &status) {
		return respond(r, status.Status, "text/plain", []byte(err.Error())), nil
	}
	return nil, err
}

func respond(r *http.Request, status int, mediaType string, body []byte) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {mediaType}, "Cache-Control": {"no-store"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// Ended tells a session that its call is over, and why.
func (c *Client) Ended(ctx context.Context, session string, with url.Values) error {
	return c.Event(ctx, session, c.config.Ended, with)
}
