package vxml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"mcp/vxml/doc"
	"mcp/vxml/fetch"
	"mcp/vxml/grammar"
	"mcp/vxml/prefetch"
	"mcp/vxml/xmltree"
)

// library compiles pages and grammars once for all sessions. What is compiled
// is told by where it came from and what it says, so that a changed document is
// a new one and a revalidated one is not.
type library struct {
	fetcher   *fetch.Fetcher
	log       *slog.Logger
	mu        sync.Mutex
	pages     map[edition]*doc.Page
	grammars  map[edition]source
	addresses map[reference]address
}

// edition is a document: its address, media type, and content, of which a builtin
// grammar has none. A grammar is another where its mode is not what the page says.
type edition struct {
	url, mediaType, mode string
	sum                  [sha256.Size]byte
}

func editionOf(r *fetch.Resource, mode string) edition {
	return edition{r.URL, r.MediaType, mode, r.Digest()}
}

// reference is a URI as a page has it, and what it is relative to; address is what it
// comes to.
type (
	reference struct{ base, uri string }
	address   struct{ absolute, fragment string }
)

// librarySize is how many pages, grammars and addresses are kept; when there are
// more the shelf is cleared and fills again with what is in use.
const librarySize = 1024

func newLibrary(f *fetch.Fetcher, log *slog.Logger) *library {
	return &library{
		fetcher: f, log: log, pages: make(map[edition]*doc.Page), grammars: make(map[edition]source), addresses: make(map[reference]address),
	}
}

// shelved returns what the shelf has for key, or makes it.
func shelved[K comparable, T any](mu *sync.Mutex, shelf map[K]T, key K, make func() (T, error)) (T, error) {
	mu.Lock()
	found, ok := shelf[key]
	mu.Unlock()
	if ok {
		return found, nil
	}
	made, err := make()
	if err != nil {
		return made, err
	}
	mu.Lock()
	defer mu.Unlock()
	if len(shelf) >= librarySize {
		clear(shelf)
	}
	shelf[key] = made
	return made, nil
}

// resolve is fetch.Resolve.
func (l *library) resolve(base, uri string) (absolute, fragment string, err error) {
	a, err := shelved(&l.mu, l.addresses, reference{base, uri}, func() (a address, err error) {
		a.absolute, a.fragment, err = fetch.Resolve(base, uri)
		return a, err
	})
	return a.absolute, a.fragment, err
}

func (l *library) get(ctx context.Context, req fetch.Request) (*fetch.Resource, error) {
	r, err := l.fetcher.Get(ctx, req)
	return r, fetchEvent(err)
}

// fetchEvent is the event of a failed fetch.
func fetchEvent(err error) error {
	if err == nil {
		return nil
	}
	var failed *fetch.Error
	if errors.As(err, &failed) {
		return &Event{Name: failed.EventName(), Message: failed.Error()}
	}
	return err
}

// open fetches what may be used while it arrives.
func (l *library) open(ctx context.Context, req fetch.Request) (*fetch.Stream, error) {
	s, err := l.fetcher.Open(ctx, req)
	return s, fetchEvent(err)
}

// page fetches and compiles a document.
func (l *library) page(ctx context.Context, req fetch.Request) (*doc.Page, error) {
	r, err := l.get(ctx, req)
	if err != nil {
		return nil, err
	}
	return l.compiled(r)
}

// compiled compiles a document that was fetched.
func (l *library) compiled(r *fetch.Resource) (*doc.Page, error) {
	page, err := shelved(&l.mu, l.pages, editionOf(r, ""), func() (*doc.Page, error) {
		page, err := doc.Compile(xmltree.Labelled(r.Body, r.MediaType), r.URL)
		if err == nil {
			for _, a := range page.Advice { // once for all sessions
				l.log.Warn("page is probably not as its author meant it", "page", a.URL, "line", a.Line, "element", a.Element, "advice", a.Text)
			}
		}
		return page, err
	})
	if err != nil {
		return nil, &Event{Name: "error.badfetch", Message: err.Error()}
	}
	if len(page.Headers) > 0 && !r.FromCache {
		l.fetcher.Amend(r.URL, page.Headers)
	}
	return page, nil
}

// source is a grammar as fetched: compiled when it is SRGS, and otherwise for a
// recognizer to read.
type source struct {
	resource *fetch.Resource
	compiled *grammar.Grammar
}

// grammar fetches a grammar. Mode is what the page says of it.
func (l *library) grammar(ctx context.Context, req fetch.Request, mode string) (source, error) {
	if strings.HasPrefix(req.URL, grammar.BuiltinScheme) {
		return shelved(&l.mu, l.grammars, edition{url: req.URL}, func() (source, error) { return builtin(req.URL) })
	}
	r, err := l.get(ctx, req)
	if err != nil {
		return source{}, err
	}
	return shelved(&l.mu, l.grammars, editionOf(r, mode), func() (source, error) { return read(r, mode) })
}

// read compiles a grammar that was fetched.
func read(r *fetch.Resource, mode string) (source, error) {
	if bytes.HasPrefix(r.Body, []byte("#ABNF")) {
		return abnf(r, mode)
	}
	out := source{resource: r}
	if !isXML(r) {
		if mode == "dtmf" {
			return out, &Event{Name: "error.unsupported.format", Message: r.URL + ": a DTMF grammar of type " + r.MediaType}
		}
		return out, nil
	}
	if body := xmltree.Labelled(r.Body, r.MediaType); !bytes.Equal(body, r.Body) {
		out.resource = &fetch.Resource{URL: r.URL, MediaType: srgsType, Body: body}
	}
	var err error
	out.compiled, err = compile(out.resource, mode)
	var wrong *grammar.Error
	if errors.As(err, &wrong) && wrong.Limit && mode != "dtmf" {
		return out, nil // a recognizer may be able to
	}
	return out, grammarEvent(err)
}

// abnf is a grammar in ABNF form, made one in XML form: any recognizer reads that.
func abnf(r *fetch.Resource, mode string) (source, error) {
	root, _, err := grammar.Read(r.Body, r.URL)
	if err != nil {
		return source{}, grammarEvent(err)
	}
	out := source{resource: &fetch.Resource{URL: r.URL, MediaType: srgsType, Body: []byte(xmltree.Write(root))}}
	out.compiled, err = compile(out.resource, mode)
	return out, grammarEvent(err)
}

func compile(r *fetch.Resource, mode string) (*grammar.Grammar, error) {
	defaults := grammar.Defaults{URI: r.URL}
	if mode == "dtmf" {
		defaults.Mode = grammar.DTMF
	}
	return grammar.Parse(r.Body, defaults)
}

func builtin(uri string) (source, error) {
	body, _, err := grammar.Builtin(uri)
	if err != nil {
		event := grammarEvent(err)
		var wrong *grammar.Error
		switch {
		case !errors.As(err, &wrong):
		case wrong.Unsupported:
			event = &Event{Name: "error.unsupported.builtin", Message: err.Error()}
		case wrong.BadParams: // VoiceXML 2.0 appendix P
			event = &Event{Name: "error.badfetch", Message: err.Error()}
		}
		return source{}, event
	}
	out := source{resource: &fetch.Resource{URL: uri, MediaType: srgsType, Body: body}}
	out.compiled, err = compile(out.resource, "")
	return out, grammarEvent(err)
}

const srgsType = "application/srgs+xml"

// isXML tells a grammar in XML form by its type or, since servers often do not
// know, by its beginning.
func isXML(r *fetch.Resource) bool {
	if strings.HasPrefix(r.MediaType, srgsType) {
		return true
	}
	head := strings.TrimLeft(strings.TrimPrefix(string(r.Body[:min(len(r.Body), 256)]), "\ufeff"), " \t\r\n")
	return strings.HasPrefix(head, "<?xml") || strings.HasPrefix(head, "<grammar") || strings.HasPrefix(head, "<!")
}

// grammarEvent is the event of a grammar that cannot be used.
func grammarEvent(err error) error {
	var wrong *grammar.Error
	if !errors.As(err, &wrong) {
		return err
	}
	if wrong.Unsupported {
		return &Event{Name: "error.unsupported.format", Message: err.Error()}
	}
	return &Event{Name: "error.grammar", Message: err.Error()}
}

// readAhead begins to fetch what the page that is being entered may need, where
// it permits that. The cache then has it, or the request that is under way is
// waited for when it is needed (VoiceXML 2.0 section 6.1.3).
func (s *session) readAhead(ctx context.Context, page *doc.Page) {
	set := s.properties()
	var jobs []prefetch.Job
	for i := range page.References {
		r := &page.References[i]
		hint := r.Fetch.Hint
		if hint == "" {
			hint = set.Get(r.Kind + "fetchhint")
		}
		if hint == "prefetch" {
			jobs = s.fetchAhead(jobs, r)
		}
	}
	s.ahead.Start(ctx, jobs)
}

// fetchAhead adds a job that fetches what is referred to, if it can be.
func (s *session) fetchAhead(jobs []prefetch.Job, r *doc.Reference) []prefetch.Job {
	absolute, _, err := s.in.library.resolve(s.base(r.Pos), r.URI)
	if err != nil || !strings.HasPrefix(absolute, "http") {
		return jobs
	}
	req := s.fetching(absolute, fetchOf{r.Fetch, r.Kind})
	return append(jobs, func(ctx context.Context) {
		if err := s.in.library.stock(ctx, r, req); err != nil && ctx.Err() == nil {
			s.log.Debug("not fetched ahead", "uri", absolute, "page", r.URL, "line", r.Line, "error", err)
		}
	})
}

// stock fetches, and compiles, what will perhaps be asked for.
func (l *library) stock(ctx context.Context, r *doc.Reference, req fetch.Request) error {
	var err error
	switch r.Kind {
	case "document":
		_, err = l.page(ctx, req)
	case "grammar":
		_, err = l.grammar(ctx, req, r.Mode)
	default:
		_, err = l.get(ctx, req)
	}
	return err
}
