// Package fetch gets documents, grammars, scripts and audio for VoiceXML
// sessions: over HTTP with a shared cache (RFC 9111 as far as VoiceXML 2.0
// section 6.1 needs it), from files, and from whatever other scheme the
// http.Client's transport has been taught (net/http.NewFileTransportFS).
package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Config bounds fetching. The zero value is usable.
type Config struct {
	// Client is used but for its Jar; default: one with NewTransport's defaults.
	Client       *http.Client
	Timeout      time.Duration // of a request that names none; default 10 s
	MaxBody      int64         // default 16 MiB
	MaxRedirects int           // default 5
	CacheBytes   int64         // default 64 MiB
	UserAgent    string        // default "mcp-vxml/1"
	// NoFiles refuses file: URLs.
	NoFiles bool
	Policy  *Policy // default: the zero Policy
	// Logins are the names and passwords of servers that want them, by host.
	Logins map[string]Login
}

func (c Config) withDefaults() Config {
	c.Policy = c.Policy.withDefaults()
	if c.Client == nil {
		// Without files to read nothing can be wrong.
		transport, _ := NewTransport(Connections{Policy: c.Policy})
		c.Client = &http.Client{Transport: transport}
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 16 << 20
	}
	if c.MaxRedirects <= 0 {
		c.MaxRedirects = 5
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 64 << 20
	}
	if c.UserAgent == "" {
		c.UserAgent = "mcp-vxml/1"
	}
	return c
}

// Fetcher fetches for all sessions.
type Fetcher struct {
	config  Config
	cache   store
	files   *cache
	flights flights
	arrivals
}

// New makes a Fetcher.
func New(config Config) *Fetcher {
	config = config.withDefaults()
	return &Fetcher{
		config: config, cache: store{memory: newCache(config.CacheBytes)}, files: newCache(config.CacheBytes),
		flights: flights{all: make(map[string]*flight)}, arrivals: arrivals{all: make(map[string]*download)},
	}
}

// KeepOnDisk lets the cache keep answers in dir, at most limit bytes, over the
// end of the process. It is called before the first request.
func (f *Fetcher) KeepOnDisk(dir string, limit int64) error {
	d, err := openDisk(dir, limit)
	f.cache.disk = d
	return err
}

// Request says what to fetch.
type Request struct {
	URL         string // absolute, without a fragment
	Method      string // GET unless set
	ContentType string
	Body        []byte
	Timeout     time.Duration
	MaxAge      *time.Duration // accept a cached answer only this old; nil: as the server said
	MaxStale    time.Duration  // accept a cached answer this much too old
	Jar         http.CookieJar
	// Witness, when set, hears how the request went, on the goroutine of whoever asks; it
	// must not block.
	Witness func(Exchange)
}

// Resource is what was fetched. It is shared, as its body is, and must not be changed.
type Resource struct {
	URL       string // after redirects
	MediaType string // Content-Type as the server said it
	Body      []byte
	FromCache bool

	digest *digest // that all share who have it from the cache; nil: it is not from there
}

// digest is a body's, once somebody has asked.
type digest struct {
	once sync.Once
	sum  [sha256.Size]byte
}

// Digest is the SHA-256 of the body.
func (r *Resource) Digest() [sha256.Size]byte {
	if r.digest == nil {
		return sha256.Sum256(r.Body)
	}
	r.digest.once.Do(func() { r.digest.sum = sha256.Sum256(r.Body) })
	return r.digest.sum
}

// Error is a failed fetch; Status is 0 when there was no HTTP answer.
type Error struct {
	URL    string
	Status int
	Err    error
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("fetch %s: the server answered %d %s", e.URL, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("fetch %s: %v", e.URL, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// EventName is the VoiceXML event of the failure (VoiceXML 2.0 section 5.2.6).
func (e *Error) EventName() string {
	var timeout net.Error
	scheme, _, _ := strings.Cut(e.URL, ":")
	switch {
	case errors.Is(e.Err, errScheme):
		return "error.unsupported.uri"
	case scheme != "http" && scheme != "https":
		return "error.badfetch"
	case e.Status != 0:
		return fmt.Sprintf("error.badfetch.http.%d", e.Status)
	case errors.As(e.Err, &timeout) && timeout.Timeout(), errors.Is(e.Err, context.DeadlineExceeded):
		return "error.badfetch.timeout"
	}
	return "error.badfetch"
}

var (
	errScheme = errors.New("the scheme is not supported")
	errSize   = errors.New("the answer is too large")
	errTurns  = errors.New("too many redirects")
)

// Resolve makes ref absolute against base, and splits off its fragment. A plain
// path counts as a file.
func Resolve(base, ref string) (absolute, fragment string, err error) {
	r, err := url.Parse(strings.TrimSpace(ref))
	if err != nil {
		return "", "", fmt.Errorf("resolve %q: %w", ref, err)
	}
	if base != "" && r.Opaque == "" { // builtin:digits is what it is
		b, err := url.Parse(base)
		if err != nil {
			return "", "", fmt.Errorf("resolve base %q: %w", base, err)
		}
		r = b.ResolveReference(r)
	} else if r.Scheme == "" {
		path, err := filepath.Abs(r.Path)
		if err != nil {
			return "", "", fmt.Errorf("resolve %q: %w", ref, err)
		}
		r.Scheme, r.Path = "file", path
	}
	fragment = r.Fragment
	r.Fragment, r.RawFragment = "", ""
	return r.String(), fragment, nil
}

// Get carries out the request. Every error is an *Error or the context's own.
func (f *Fetcher) Get(ctx context.Context, req Request) (*Resource, error) {
	req = f.complete(req)
	begun := time.Now()
	var err error
	r := f.remembered(req, begun)
	if r == nil {
		r, err = f.getWithin(ctx, req)
	}
	req.tell(begun, r, err)
	return r, failed(ctx, req, err)
}

func (f *Fetcher) getWithin(ctx context.Context, req Request) (*Resource, error) {
	ctx, cancel := context.WithTimeout(ctx, req.Timeout)
	defer cancel()
	return f.get(ctx, req)
}

// remembered is what memory has for a request, while it is fresh; or nil. Only what
// the policy has been asked about gets there.
func (f *Fetcher) remembered(req Request, now time.Time) *Resource {
	if req.Method != http.MethodGet {
		return nil
	}
	if e := f.cache.memory.get(req.URL); e != nil && e.usable(now, req) {
		return e.hit()
	}
	return nil
}

// complete puts what is usual into a request where it says nothing.
func (f *Fetcher) complete(req Request) Request {
	if req.Method == "" {
		req.Method = http.MethodGet
	}
	if req.Timeout <= 0 {
		req.Timeout = f.config.Timeout
	}
	return req
}

// failed is an error as callers know it: an *Error, or the context's own.
func failed(ctx context.Context, req Request, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return known
	}
	return &Error{URL: req.URL, Err: err}
}

func (f *Fetcher) get(ctx context.Context, req Request) (*Resource, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return nil, err
	}
	if err := f.config.Policy.check(u); err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return f.file(u)
	}
	if req.Method != http.MethodGet {
		answer, err := f.do(ctx, req, nil)
		if err != nil {
			return nil, err
		}
		f.cache.drop(req.URL) // what was there has perhaps changed (RFC 9111 section 4.4)
		return answer.resource, nil
	}
	return f.cached(ctx, req)
}

func (f *Fetcher) file(u *url.URL) (*Resource, error) {
	if f.config.NoFiles {
		return nil, errScheme
	}
	if err := f.config.Policy.file(u.Path); err != nil {
		return nil, err
	}
	file, err := os.Open(u.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if kept := f.files.get(u.Path); kept != nil && kept.is(about) {
		return kept.hit(), nil
	}
	body, err := f.read(file)
	if err != nil {
		return nil, err
	}
	r := &Resource{URL: u.String(), MediaType: mediaType(u.Path), Body: body}
	if settled(about) {
		f.files.put(u.Path, &entry{resource: r, born: about.ModTime()})
	}
	return r, nil
}

// settled tells whether a file was last written long enough ago for its time to
// tell of the next writing.
func settled(about fs.FileInfo) bool {
	const clockStep = 2 * time.Second // of the coarsest file systems
	return about.Mode().IsRegular() && time.Since(about.ModTime()) > clockStep
}

// is tells whether a file is still what was read.
func (e *entry) is(about fs.FileInfo) bool {
	return about.ModTime().Equal(e.born) && about.Size() == int64(len(e.resource.Body))
}

func (f *Fetcher) read(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, f.config.MaxBody+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > f.config.MaxBody {
		return nil, errSize
	}
	return body, nil
}

// mediaType guesses from a file's name what it is.
func mediaType(path string) string {
	types := map[string]string{
		".vxml": "application/voicexml+xml", ".grxml": "application/srgs+xml", ".gram": "application/srgs",
		".js": "text/javascript", ".wav": "audio/x-wav", ".ulaw": "audio/basic", ".au": "audio/basic",
	}
	return types[strings.ToLower(filepath.Ext(path))]
}
