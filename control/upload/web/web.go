// Package web stores recordings over HTTP: by PUT with WebDAV's collections (RFC
// 4918), or by POST to a service that takes them.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"mcp/control/upload"
)

// Config is where recordings go and how.
type Config struct {
	URL string // of the folder; names are added to it, but not with Post
	// Post sends each object to URL itself, with its name in a header.
	Post           bool
	User, Password string // HTTP Basic; empty: none
	TokenFile      string // a bearer token, read anew each time; goes before User
	// CAFile, CertFile and KeyFile are PEM files: whom to believe, and who we are.
	CAFile, CertFile, KeyFile string
	// Trust leaves out reading back what was stored by PUT.
	Trust bool
}

// The headers that say what an object is.
const (
	headerID   = "Idempotency-Key"
	headerName = "X-Recording-Name"
	headerSum  = "Repr-Digest" // RFC 9530
)

// Store is an HTTP server that keeps recordings. It implements upload.Store and
// upload.Notice.
type Store struct {
	cfg    Config
	base   *url.URL
	client *http.Client
}

// New checks the configuration.
func New(cfg Config) (*Store, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is not an http or https URL", cfg.URL)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities: %s holds no certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("our certificate: %w", err)
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	return &Store{cfg, base, &http.Client{Transport: transport}}, nil
}

// Close gives back idle connections.
func (s *Store) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, o upload.Object) error {
	if s.cfg.Post {
		return s.send(ctx, http.MethodPost, s.base, o)
	}
	at := s.base.JoinPath(o.Name)
	err := s.send(ctx, http.MethodPut, at, o)
	var answer *answerError
	if errors.As(err, &answer) && (answer.status == http.StatusConflict || answer.status == http.StatusNotFound) {
		// The collection is missing (RFC 4918 section 9.7.1).
		if err = s.makeCollections(ctx, path.Dir(o.Name)); err == nil {
			err = s.send(ctx, http.MethodPut, at, o)
		}
	}
	if err != nil || s.cfg.Trust {
		return err
	}
	return s.verify(ctx, at, o)
}

func (s *Store) send(ctx context.Context, method string, at *url.URL, o upload.Object) error {
	f, err := o.Open()
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	req, err := s.request(ctx, method, at, f)
	if err != nil {
		return err
	}
	req.ContentLength = o.Size
	req.GetBody = func() (io.ReadCloser, error) { // for redirects
		_, err := f.Seek(0, io.SeekStart)
		return io.NopCloser(f), err
	}
	req.Header.Set("Content-Type", o.ContentType)
	req.Header.Set(headerID, o.ID)
	req.Header.Set(headerName, o.Name)
	req.Header.Set(headerSum, "sha-256=:"+base64.StdEncoding.EncodeToString(o.SHA256[:])+":")
	return s.do(req)
}

// makeCollections makes a folder and those above it; ones that are there already
// answer 405.
func (s *Store) makeCollections(ctx context.Context, dir string) error {
	at := ""
	for part := range strings.SplitSeq(dir, "/") {
		if part == "." || part == "" {
			continue
		}
		at += part + "/"
		req, err := s.request(ctx, "MKCOL", s.base.JoinPath(at), nil)
		if err != nil {
			return err
		}
		err = s.do(req)
		var answer *answerError
		if err != nil && !(errors.As(err, &answer) && answer.status == http.StatusMethodNotAllowed) {
			return err
		}
	}
	return nil
}

// verify reads back what was stored: servers differ in what else they tell.
func (s *Store) verify(ctx context.Context, at *url.URL, o upload.Object) error {
	req, err := s.request(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("read back: %w", &answerError{method: req.Method, status: res.StatusCode})
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(res.Body, o.Size+1))
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if n != o.Size || !bytes.Equal(sum.Sum(nil), o.SHA256[:]) {
		return fmt.Errorf("what %s keeps is not what was sent", at.Redacted())
	}
	return nil
}

// Post implements upload.Notice.
func (s *Store) Post(ctx context.Context, id string, metadata []byte) error {
	req, err := s.request(ctx, http.MethodPost, s.base, bytes.NewReader(metadata))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(headerID, id)
	return s.do(req)
}

func (s *Store) request(ctx context.Context, method string, at *url.URL, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, err
	}
	switch {
	case s.cfg.TokenFile != "":
		token, err := os.ReadFile(s.cfg.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	case s.cfg.User != "":
		req.SetBasicAuth(s.cfg.User, s.cfg.Password)
	}
	return req, nil
}

func (s *Store) do(req *http.Request) error {
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 512))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return &answerError{req.Method, res.StatusCode, strings.TrimSpace(string(text))}
	}
	return nil
}

// answerError is an answer that is no success.
type answerError struct {
	method string
	status int
	text   string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s is answered with %d %s: %.200q", e.method, e.status, http.StatusText(e.status), e.text)
}

// Unwrap tells what no further try can mend: the object itself is not wanted.
func (e *answerError) Unwrap() error {
	switch e.status {
	case http.StatusBadRequest, http.StatusGone, http.StatusLengthRequired, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return upload.ErrRefused
	}
	return nil
}
