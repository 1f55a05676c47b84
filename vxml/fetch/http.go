package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is one HTTP answer.
type answer struct {
	resource *Resource
	header   http.Header
	status   int
	moved    bool // by a redirect: it is not the answer of the address asked for
}

// do sends one request, following redirects, and reads the answer. Conditional holds
// the validators of a cached answer, or nil.
func (f *Fetcher) do(ctx context.Context, req Request, conditional http.Header) (*answer, error) {
	a, body, err := f.send(ctx, req, conditional)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if a.resource == nil {
		return a, nil
	}
	if a.resource.Body, err = f.read(body); err != nil {
		return nil, err
	}
	return a, nil
}

// send sends one request, following redirects, and returns with the header of the
// answer. One that confirms what is cached has no resource.
func (f *Fetcher) send(ctx context.Context, req Request, conditional http.Header) (*answer, io.ReadCloser, error) {
	hr, err := http.NewRequestWithContext(ctx, req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		return nil, nil, err
	}
	for k, v := range conditional {
		hr.Header[k] = v
	}
	hr.Header.Set("User-Agent", f.config.UserAgent)
	if control := req.control(); control != "" {
		hr.Header.Set("Cache-Control", control)
	}
	if req.ContentType != "" {
		hr.Header.Set("Content-Type", req.ContentType)
	}
	client := *f.config.Client
	client.Jar = req.Jar
	if login, ok := f.login(hr.URL.Hostname()); ok && hr.URL.User == nil {
		hr.SetBasicAuth(login.User, login.Password)
	}
	client.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		if len(via) > f.config.MaxRedirects {
			return errTurns
		}
		return f.config.Policy.check(to.URL)
	}
	resp, err := client.Do(hr)
	if err != nil {
		if strings.Contains(err.Error(), "unsupported protocol scheme") {
			return nil, nil, errScheme
		}
		return nil, nil, err
	}
	a := &answer{header: resp.Header, status: resp.StatusCode, moved: resp.Request.URL.String() != hr.URL.String()}
	switch {
	case resp.StatusCode == http.StatusNotModified && conditional != nil:
	case resp.StatusCode/100 != 2:
		err = &Error{URL: req.URL, Status: resp.StatusCode}
	case resp.ContentLength > f.config.MaxBody:
		err = errSize
	default:
		a.resource = &Resource{URL: resp.Request.URL.String(), MediaType: resp.Header.Get("Content-Type")}
	}
	if err != nil {
		resp.Body.Close()
		return nil, nil, err
	}
	return a, resp.Body, nil
}

func (f *Fetcher) login(host string) (Login, bool) {
	if login, ok := f.config.Logins[strings.ToLower(host)]; ok {
		return login, true
	}
	login, ok := f.config.Logins[""]
	return login, ok
}

// control is what caches on the way to the server are told (RFC 9111 section 5.2.1).
func (r Request) control() string {
	var all []string
	if r.MaxAge != nil {
		all = append(all, fmt.Sprintf("max-age=%d", int(r.MaxAge.Seconds())))
	}
	if r.MaxStale > 0 {
		all = append(all, fmt.Sprintf("max-stale=%d", int(r.MaxStale.Seconds())))
	}
	return strings.Join(all, ", ")
}

// cached answers from the cache while it is fresh, asks the server whether it
// still holds when it is not, and fetches otherwise. Of many who want the same
// at once, one asks; the others take what the cache has then, or ask for
// themselves when it may not be shared (RFC 9111 section 4).
func (f *Fetcher) cached(ctx context.Context, req Request) (*Resource, error) {
	if hit := f.fresh(req); hit != nil {
		return hit, nil
	}
	leave, first := f.flights.enter(req.URL)
	if first {
		defer leave()
		return f.ask(ctx, req)
	}
	if err := f.flights.wait(ctx, req.URL); err != nil {
		return nil, err
	}
	if hit := f.fresh(req); hit != nil {
		return hit, nil
	}
	return f.ask(ctx, req)
}

// fresh is what the cache has for a request, or nil.
func (f *Fetcher) fresh(req Request) *Resource {
	if e := f.cache.get(req.URL); e != nil && e.usable(time.Now(), req) {
		return e.hit()
	}
	return nil
}

// ask asks the server, and keeps what it may.
func (f *Fetcher) ask(ctx context.Context, req Request) (*Resource, error) {
	var conditional http.Header
	e := f.cache.get(req.URL)
	if e != nil {
		conditional = e.validators()
	}
	now := time.Now()
	a, err := f.do(ctx, req, conditional)
	if err == nil && a.status == http.StatusNotModified && a.moved {
		// Another address has confirmed something of its own.
		a, err = f.do(ctx, req, nil)
	}
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusNotModified {
		renewed := e.renewed(now, a.header)
		f.cache.put(req.URL, renewed)
		return renewed.hit(), nil
	}
	f.keep(now, req.URL, a)
	return a.resource, nil
}

// keep puts a whole answer into the cache, if it may be kept.
func (f *Fetcher) keep(asked time.Time, url string, a *answer) {
	if a.moved {
		f.cache.drop(url)
	}
	if fresh, ok := newEntry(asked, a); ok {
		f.cache.put(a.resource.URL, fresh)
	} else {
		f.cache.drop(a.resource.URL)
	}
}

// Amend adds to what the server said of an answer, as a document does of itself
// (VoiceXML 2.0 section 6.2.1, http-equiv).
func (f *Fetcher) Amend(url string, header http.Header) {
	e := f.cache.get(url)
	if e == nil {
		return
	}
	amended := &answer{resource: e.resource, header: e.header.Clone()}
	for k, v := range header {
		amended.header[k] = v
	}
	if kept, ok := newEntry(e.asked, amended); ok {
		f.cache.put(url, kept)
	} else {
		f.cache.drop(url)
	}
}
