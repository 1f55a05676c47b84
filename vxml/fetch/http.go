package fetch

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"
)

// answer is one HTTP answer.
type answer struct {
	resource *Resource
	header   http.Header
	status   int
}

// do sends one request, following redirects. Conditional holds the validators
// of a cached answer, or nil.
func (f *Fetcher) do(ctx context.Context, req Request, conditional http.Header) (*answer, error) {
	hr, err := http.NewRequestWithContext(ctx, req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		return nil, err
	}
	for k, v := range conditional {
		hr.Header[k] = v
	}
	hr.Header.Set("User-Agent", f.config.UserAgent)
	if req.ContentType != "" {
		hr.Header.Set("Content-Type", req.ContentType)
	}
	client := *f.config.Client
	client.Jar = req.Jar
	client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if len(via) > f.config.MaxRedirects {
			return errTurns
		}
		return nil
	}
	resp, err := client.Do(hr)
	if err != nil {
		if strings.Contains(err.Error(), "unsupported protocol scheme") {
			return nil, errScheme
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && conditional != nil {
		return &answer{header: resp.Header, status: resp.StatusCode}, nil
	}
	if resp.StatusCode/100 != 2 {
		return nil, &Error{URL: req.URL, Status: resp.StatusCode}
	}
	body, err := f.read(resp.Body)
	if err != nil {
		return nil, err
	}
	r := &Resource{URL: resp.Request.URL.String(), MediaType: resp.Header.Get("Content-Type"), Body: body}
	return &answer{resource: r, header: resp.Header, status: resp.StatusCode}, nil
}

// cached answers from the cache while it is fresh, asks the server whether it
// still holds when it is not, and fetches otherwise.
func (f *Fetcher) cached(ctx context.Context, req Request) (*Resource, error) {
	e := f.cache.get(req.URL)
	now := time.Now()
	if e != nil && e.usable(now, req) {
		hit := *e.resource
		hit.FromCache = true
		return &hit, nil
	}
	var conditional http.Header
	if e != nil {
		conditional = e.validators()
	}
	a, err := f.do(ctx, req, conditional)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusNotModified {
		renewed := e.renewed(now, a.header)
		f.cache.put(req.URL, renewed)
		hit := *renewed.resource
		hit.FromCache = true
		return &hit, nil
	}
	if fresh, ok := newEntry(now, a); ok {
		f.cache.put(req.URL, fresh)
	} else {
		f.cache.drop(req.URL)
	}
	return a.resource, nil
}
