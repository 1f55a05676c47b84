package web

import (
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, r *http.Request) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPagesOfTheApplicationAreVoiceXML(t *testing.T) {
	h := Handler(App(), slog.New(slog.DiscardHandler))
	for _, page := range []string{"main", "choice", "digits", "goodbye"} {
		r := get(t, h, httptest.NewRequest("GET", "/"+page+".vxml", nil))
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/voicexml+xml" {
			t.Errorf("%s: %s, %s", page, r.Status, r.Header.Get("Content-Type"))
		}
		var document struct{ XMLName xml.Name }
		if err := xml.Unmarshal([]byte(body(t, r)), &document); err != nil || document.XMLName.Local != "vxml" {
			t.Errorf("%s: %v, %v", page, document.XMLName, err)
		}
	}
}

func TestParametersComeBackFromQueryAndForm(t *testing.T) {
	h := Handler(App(), slog.New(slog.DiscardHandler))
	if page := body(t, get(t, h, httptest.NewRequest("GET", "/choice.vxml?department=sales", nil))); !strings.Contains(page, `expr="'sales'"`) {
		t.Error(page)
	}
	form := strings.NewReader(url.Values{"digits": {"1234"}}.Encode())
	post := httptest.NewRequest("POST", "/digits.vxml", form)
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if page := body(t, get(t, h, post)); !strings.Contains(page, `expr="'1234'"`) {
		t.Error(page)
	}
}

func TestParametersCannotBreakOut(t *testing.T) {
	h := Handler(fstest.MapFS{"p.vxml": {Data: []byte(`<x a="'{{param "v"}}'"/>`)}}, slog.New(slog.DiscardHandler))
	page := body(t, get(t, h, httptest.NewRequest("GET", "/p.vxml?v="+url.QueryEscape(`'"><&\`), nil)))
	if want := `<x a="'\&#39;&#34;&gt;&lt;&amp;\\'"/>`; page != want {
		t.Errorf("got %s, want %s", page, want)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	h := Handler(App(), slog.New(slog.DiscardHandler))
	for _, page := range []string{"/none.vxml", "/none.wav", "/../web.go"} {
		if r := get(t, h, httptest.NewRequest("GET", page, nil)); r.StatusCode != 404 {
			t.Errorf("%s: %s", page, r.Status)
		}
	}
}
