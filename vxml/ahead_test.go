package vxml_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp/vxml"
	"mcp/vxml/fetch"
)

// counted is a site whose answers may be kept; it knows what was asked for.
type counted struct {
	pages site
	mu    sync.Mutex
	asked []string
	ended []string // requests that ended before they were answered
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.asked = append(c.asked, r.URL.Path)
	c.mu.Unlock()
	if r.URL.Path == "/slow" {
		<-r.Context().Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = append(c.ended, r.URL.Path)
		return nil, r.Context().Err()
	}
	rec := httptest.NewRecorder()
	rec.Header().Set("Cache-Control", "max-age=60")
	if body, ok := c.pages[r.URL.Path]; !ok {
		rec.WriteHeader(http.StatusNotFound)
	} else if _, err := rec.WriteString(body); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (c *counted) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(slices.Values(c.asked))
}

// What a page permits is fetched while the caller is asked, once, and given up
// with the page (VoiceXML 2.0 section 6.1.3).
func TestPrefetch(t *testing.T) {
	const rest = `<field name="f" type="digits?length=1"><prompt>F?</prompt><noinput><exit/></noinput></field>
		<block><if cond="false"><audio src="a.wav"/><script src="s.js"/><data src="d.xml" name="d"/><goto next="b.vxml"/><submit next="not" namelist="f"/>
		<goto expr="'not'"/><goto next="#x"/></if></block></form><form id="x"><block/><field name="g"><grammar src="g.grxml"/></field>`
	properties := func(kinds ...string) string {
		var all string
		for _, kind := range kinds {
			all += `<property name="` + kind + `fetchhint" value="prefetch"/>`
		}
		return all
	}
	tests := []struct {
		name, body string
		want       []string // beside the page
	}{
		{"nothing, as nothing is asked for", `<form>` + rest + `</form>`, nil},
		{"by properties of the page", properties("audio", "script", "data", "document", "grammar") + `<form>` + rest + `</form>`,
			[]string{"/a.wav", "/b.vxml", "/d.xml", "/g.grxml", "/s.js"}},
		{"by a dialog's property", `<form>` + properties("audio") + rest + `</form><form><block><audio src="other.wav"/></block></form>`, []string{"/a.wav"}},
		{"by the attribute, which goes before", properties("audio") + `<form>` + rest + `</form><form><block><audio fetchhint="safe" src="other.wav"/>
			<script fetchhint="prefetch" src="s2.js"/></block></form>`, []string{"/a.wav", "/s2.js"}},
		{"an object's data, by its code base", `<form>` + rest + `</form><form><object name="o" classid="x:y" codebase="deep/" fetchhint="prefetch" data="x.wav"/></form>`,
			[]string{"/deep/x.wav"}},
		{"by the base of a prompt", `<form>` + rest + `</form><form><block><prompt xml:base="http://site/deep/"><audio fetchhint="prefetch" src="x.wav"/></prompt></block></form>`,
			[]string{"/deep/x.wav"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counted{pages: site{"/a.vxml": vxmlPage(tt.body)}}
				attend(t, c, newPhone())
				if got, want := c.all(), slices.Sorted(slices.Values(append(tt.want, "/a.vxml"))); !slices.Equal(got, want) {
					t.Errorf("asked for %q, want %q", got, want)
				}
			})
		})
	}
}

// What was fetched ahead is not fetched again; what is slow ends with the page.
func TestPrefetchIsUsedAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{pages: site{
			"/a.vxml": vxmlPage(`<form><field name="f" type="digits?length=1"><prompt>F?</prompt></field>
				<block><if cond="false"><audio fetchhint="prefetch" src="slow"/></if><goto fetchhint="prefetch" next="b.vxml"/></block></form>`),
			"/b.vxml": vxmlPage(`<form><field name="f" type="digits?length=1"><prompt>G?</prompt><noinput><exit/></noinput></field></form>`),
		}}
		p := newPhone()
		p.press(2*time.Second, 0, "1")
		attend(t, c, p)
		if got, want := c.all(), []string{"/a.vxml", "/b.vxml", "/slow"}; !slices.Equal(got, want) {
			t.Errorf("asked for %q, want %q", got, want)
		}
		if !slices.Equal(c.ended, []string{"/slow"}) {
			t.Errorf("ended %q", c.ended)
		}
	})
}

func attend(t *testing.T, c *counted, p vxml.Platform) {
	t.Helper()
	in := vxml.New(vxml.Options{Fetcher: fetch.New(fetch.Config{Client: &http.Client{Transport: c}, Timeout: time.Hour})})
	if _, err := in.Run(context.Background(), vxml.Start{URL: "http://site/a.vxml"}, p); err != nil {
		t.Fatal(err)
	}
}
