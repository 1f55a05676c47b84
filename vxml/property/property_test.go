package property

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"5s": 5 * time.Second, "200ms": 200 * time.Millisecond, ".5s": 500 * time.Millisecond,
		"0s": 0, "1.5s": 1500 * time.Millisecond, " 2s ": 2 * time.Second, "3": 3 * time.Second,
	}
	for text, want := range good {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "-1s", "5 minutes", "1e99s", "NaN"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// A layer of a page is put within the same properties once for all who run the page, and
// is no other thing than a set made for one of them.
func TestLayers(t *testing.T) {
	document, item := &Layer{}, &Layer{}
	for name, value := range map[string]string{"timeout": "8s", "maxnbest": "3", "x.y": "1"} {
		document.Set(name, value)
	}
	item.Set("timeout", "soon")
	item.Set("maxnbest", "0")
	outer := Defaults()
	first := item.Within(document.Within(outer))
	for range 3 {
		again := item.Within(document.Within(outer))
		if again != first {
			t.Error("the same set is made again")
		}
		if again.Get("timeout") != "soon" || again.Duration("timeout") != 8*time.Second || again.Int("maxnbest") != 3 || !again.Bool("bargein") {
			t.Errorf("timeout %q, %v; maxnbest %d", again.Get("timeout"), again.Duration("timeout"), again.Int("maxnbest"))
		}
		if v, ok := again.Lookup("none"); ok {
			t.Errorf("a property that nobody set is %q", v)
		}
	}
	other := item.Within(document.Within(outer.Within(map[string]string{"termchar": "*"})))
	if other.Get("termchar") != "*" || first.Get("termchar") != "#" {
		t.Error("within another set it is the same")
	}
	if (*Layer)(nil).Within(outer) != outer {
		t.Error("a layer that sets nothing")
	}
}

func TestScopes(t *testing.T) {
	document := Defaults().Within(map[string]string{"timeout": "8s", "maxnbest": "nonsense", "x.y": "1"})
	item := document.Within(map[string]string{"timeout": "soon", "bargein": "false"})
	if got := item.Duration("timeout"); got != 8*time.Second {
		t.Errorf("a value that is no time hides the outer one: %v", got)
	}
	if got := item.Int("maxnbest"); got != 1 {
		t.Errorf("maxnbest %d", got)
	}
	if item.Bool("bargein") || !document.Bool("bargein") {
		t.Error("bargein is not scoped")
	}
	if !item.Lists("inputmodes", "voice") || item.Lists("inputmodes", "video") {
		t.Error("inputmodes")
	}
	if all := item.All(); all["x.y"] != "1" || all["bargein"] != "false" || all["termchar"] != "#" {
		t.Errorf("all: %v", all)
	}
	if _, ok := item.Lookup("none"); ok || item.Float("none") != 0 {
		t.Error("a property that nobody set")
	}
}
