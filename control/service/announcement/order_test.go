package announcement

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcp/control/call"
)

// Each row is a parameter of RFC 4240 section 3.3.
func TestParameters(t *testing.T) {
	s := New(Config{}, nil)
	for _, tt := range []struct {
		name   string
		params map[string]string
		want   order // of which the first three and play are as they always are
		fault  string
	}{
		{"none", nil, order{repeat: 1}, ""},
		{"repeat", map[string]string{"repeat": "3"}, order{repeat: 3}, ""},
		{"repeat for ever, in capitals", map[string]string{"repeat": "Forever"}, order{repeat: 1, forever: true}, ""},
		{"never", map[string]string{"repeat": "0"}, order{repeat: 1}, ""},
		{"repeat backwards", map[string]string{"repeat": "-1"}, order{}, "repeat=-1"},
		{"delay", map[string]string{"delay": "1500"}, order{repeat: 1, delay: 1500 * time.Millisecond}, ""},
		{"delay without a number", map[string]string{"delay": ""}, order{}, "delay="},
		{"duration", map[string]string{"duration": "2000"}, order{repeat: 1, duration: 2 * time.Second, limited: true}, ""},
		{"duration in seconds", map[string]string{"duration": "2s"}, order{}, "duration=2s"},
		{"duration of weeks", map[string]string{"duration": "2147483647"}, order{repeat: 1, duration: longestTime, limited: true}, ""},
		{"content-type", map[string]string{"content-type": "audio/L16;rate=8000"}, order{repeat: 1, mediaType: "audio/L16;rate=8000"}, ""},
		{"extension", map[string]string{"cool": "yes", "early": "no"}, order{repeat: 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			params := map[string]string{"play": "http://web/a"}
			for name, value := range tt.params {
				params[name] = value
			}
			got, err := s.read(params)
			if tt.fault != "" {
				var refused *call.Refusal
				if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(refused.Warning, tt.fault) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil || got.asked != "http://web/a" || !slices.Equal(got.play, []string{"http://web/a"}) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if got.repeat != tt.want.repeat || got.forever != tt.want.forever || got.delay != tt.want.delay ||
				got.duration != tt.want.duration || got.limited != tt.want.limited || got.mediaType != tt.want.mediaType {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// What is provisioned is looked for in the locale that fits best (RFC 4240 section 3).
func TestProvisioned(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"busy.wav": "", "en_CA/busy.wav": "", "fr/busy.wav": "", "fr_FR/busy.wav": "", "fr_FR/gone.wav": "",
		"count.seq": "# what is counted\nhttp://web/$1.wav\n\none$2.wav\n", "void.seq": "\n# nothing\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Config{Directory: dir}, nil)
	for _, tt := range []struct {
		name, id string
		params   map[string]string
		want     string // below dir; several with a space between
		status   int
	}{
		{"no locale", "busy", nil, "busy.wav", 0},
		{"its very locale", "busy", map[string]string{"locale": "fr_FR"}, "fr_FR/busy.wav", 0},
		{"case of the locale", "busy", map[string]string{"locale": "FR_fr"}, "fr_FR/busy.wav", 0},
		{"hyphen in the locale", "busy", map[string]string{"locale": "en-CA"}, "en_CA/busy.wav", 0},
		{"language alone", "busy", map[string]string{"locale": "fr"}, "fr/busy.wav", 0},
		{"country nobody has", "busy", map[string]string{"locale": "fr_BE"}, "fr/busy.wav", 0},
		{"only another country", "busy", map[string]string{"locale": "en_GB"}, "en_CA/busy.wav", 0},
		{"another language of the country", "busy", map[string]string{"locale": "ca_FR"}, "fr_FR/busy.wav", 0},
		{"locale nobody has", "busy", map[string]string{"locale": "de_DE"}, "busy.wav", 0},
		{"locale that is none", "busy", map[string]string{"locale": "../fr"}, "busy.wav", 0},
		{"in one locale only", "gone", map[string]string{"locale": "fr_FR"}, "fr_FR/gone.wav", 0},
		{"in another locale", "gone", nil, "", 404},
		{"sequence", "count", map[string]string{"param1": "four", "param2": "2"}, "http://web/four.wav one2.wav", 0},
		{"parameter left out", "count", map[string]string{"param1": "four"}, "http://web/four.wav one.wav", 0},
		{"parameter that leads elsewhere", "count", map[string]string{"param1": "../x"}, "", 400},
		{"empty sequence", "void", nil, "", 400},
		{"nowhere", "none", nil, "", 404},
		{"above the directory", "../busy", nil, "", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			params := map[string]string{"play": "/provisioned/" + tt.id}
			for name, value := range tt.params {
				params[name] = value
			}
			got, err := s.read(params)
			if tt.status != 0 {
				var refused *call.Refusal
				if !errors.As(err, &refused) || refused.Status != tt.status {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			want := strings.Fields(tt.want)
			for i, file := range want {
				if !strings.Contains(file, "://") {
					want[i] = fileURL(filepath.Join(dir, file))
				}
			}
			if err != nil || !slices.Equal(got.play, want) {
				t.Errorf("got %v, %v; want %v", got.play, err, want)
			}
		})
	}
	if _, err := New(Config{}, nil).read(map[string]string{"play": "/provisioned/busy"}); err == nil {
		t.Error("found without a directory")
	}
}
