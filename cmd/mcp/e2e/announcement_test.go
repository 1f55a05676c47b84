package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zaf/g711"

	"mcp/cmd/mcplab/caller"
	"mcp/control/node"
	"mcp/control/reporting"
	"mcp/control/sip"
)

// pitches are the tones that tests play and listen for, far enough from each other
// to be told apart in 20 ms.
var pitches = []float64{400, 700, 1000, 1300, 1600}

// uri is a Request-URI of the platform; params are written as they are.
func (r *rig) uri(user, params string) string {
	if params != "" {
		params = ";" + params
	}
	return "sip:" + user + "@" + strings.TrimPrefix(r.sip, "tcp:") + ";transport=tcp" + params
}

// dial calls a URI and follows a script. To say "hum 400 500ms" is to hum.
func (r *rig) dial(ctx context.Context, to, script string) (*caller.Summary, error) {
	steps, err := caller.ParseScript(script)
	if err != nil {
		r.t.Fatal(err)
	}
	return caller.NewPhone(r.agent, caller.Config{To: to, Quiet: 300 * time.Millisecond, Voice: hum}).Call(ctx, steps)
}

func hum(_ context.Context, text string) ([]int16, error) {
	var hz float64
	var length string
	if _, err := fmt.Sscanf(text, "hum %g %s", &hz, &length); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(length)
	return caller.Hum(hz, d), err
}

// tunes serves tones as recordings: /400/300ms.
func (p *pages) tunes() {
	for _, hz := range pitches {
		for _, length := range []string{"300ms", "2s", "10s"} {
			d, err := time.ParseDuration(length)
			if err != nil {
				panic(err)
			}
			path := "/" + strconv.Itoa(int(hz)) + "/" + length
			p.handle(path, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "audio/basic")
				_, _ = w.Write(mulaw(caller.Hum(hz, d)))
			})
		}
	}
}

func mulaw(pcm []int16) []byte {
	b := make([]byte, len(pcm))
	for i, s := range pcm {
		b[i] = g711.EncodeUlawFrame(s)
	}
	return b
}

// heard lists the tones a caller heard, in order, by pitch.
func heard(s *caller.Summary) []float64 {
	var hz []float64
	for _, t := range tones(s) {
		hz = append(hz, t.Hz)
	}
	return hz
}

func tones(s *caller.Summary) []caller.Tone { return pitched(s.Audio.Heard) }

// pitched finds the tones in what was heard or recorded. A machine that stands still makes
// pauses of its own: those within a tone are shorter than any between two.
func pitched(pcm []int16) []caller.Tone {
	return caller.Tones(pcm, pitches, 500*time.Millisecond, 60*time.Millisecond)
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func TestAnnouncements(t *testing.T) {
	dir := t.TempDir()
	store := func(name string, hz float64) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, wav(caller.Hum(hz, 300*time.Millisecond)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store("busy.wav", 400)
	store("fr_FR/busy.wav", 700)
	store("digits1.wav", 1000)
	store("digits2.wav", 1300)
	if err := os.WriteFile(filepath.Join(dir, "count.seq"), []byte("# a number\nbusy.wav\ndigits$1.wav\ndigits$2.wav\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *node.Config) { c.Announcements.Directory = dir })
	r.pages.tunes()
	web := r.pages.server.URL
	for _, tt := range []struct {
		name   string
		params string
		heard  []float64
	}{
		{"once", "play=" + escape(web+"/400/300ms"), []float64{400}},
		{"repeated, with a delay", "play=" + escape(web+"/400/300ms") + ";repeat=3;delay=700", []float64{400, 400, 400}},
		{"for ever, cut off", "play=" + escape(web+"/400/300ms") + ";repeat=forever;delay=700;duration=1500", []float64{400, 400}},
		{"extension that nobody knows", "play=" + escape(web+"/700/300ms") + ";cool=yes", []float64{700}},
		{"provisioned", "play=/provisioned/busy", []float64{400}},
		{"locale", "play=/provisioned/busy;locale=fr_FR", []float64{700}},
		{"another language of the country", "play=/provisioned/busy;locale=ca_FR", []float64{700}},
		{"locale that is not there", "play=/provisioned/busy;locale=de", []float64{400}},
		{"sequence with parameters", "play=/provisioned/count;param1=2;param2=1", []float64{400, 1300, 1000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			summary, err := r.dial(t.Context(), r.uri("annc", tt.params), "await")
			if err != nil {
				t.Fatal(err)
			}
			if got := heard(summary); !slices.Equal(got, tt.heard) {
				t.Errorf("heard %v, want %v: %v", got, tt.heard, tones(summary))
			}
			if faults := summary.Received.Faults(); len(faults) > 0 {
				t.Error(faults)
			}
		})
	}
	r.nothingLeft()
}

// wav is a recording in linear samples.
func wav(pcm []int16) []byte {
	var b []byte
	u32 := func(n int) { b = append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24)) }
	u16 := func(n int) { b = append(b, byte(n), byte(n>>8)) }
	b = append(b, "RIFF"...)
	u32(36 + 2*len(pcm))
	b = append(b, "WAVEfmt "...)
	u32(16)
	u16(1)
	u16(1)
	u32(8000)
	u32(16000)
	u16(2)
	u16(16)
	b = append(b, "data"...)
	u32(2 * len(pcm))
	for _, s := range pcm {
		u16(int(s))
	}
	return b
}

// TestRefusedRequests holds the platform to the status and phrase that RFC 4240
// and RFC 5552 name for what it cannot do.
func TestRefusedRequests(t *testing.T) {
	r := newRig(t, nil)
	web := r.pages.server.URL
	r.pages.handle("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	r.pages.handle("/text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no audio") })
	for _, tt := range []struct {
		name, uri string
		status    int
		reason    string
		warns     bool
	}{
		{"announcement of nothing", r.uri("annc", ""), 400, "Mandatory play parameter missing", false},
		{"announcement that is not there", r.uri("annc", "play="+escape(web+"/none")), 404, "Announcement content not found", false},
		{"announcement behind a broken server", r.uri("annc", "play="+escape(web+"/broken")), 400, "Announcement content could not be retrieved", true},
		{"announcement that is no audio", r.uri("annc", "play="+escape(web+"/text")), 400, "Announcement content could not be retrieved", true},
		{"announcement nobody provisioned", r.uri("annc", "play=/provisioned/none"), 404, "Announcement content not found", false},
		{"announcement above the directory", r.uri("annc", "play="+escape("/provisioned/../x")), 404, "Announcement content not found", false},
		{"repeat that is no number", r.uri("annc", "play="+escape(web+"/400/300ms")+";repeat=often"), 400, "Bad Request", true},
		{"conference without a name", r.uri("conf", ""), 404, "Not Found", true},
		{"service that nobody knows", r.uri("fax=1", ""), 488, "Not Acceptable Here", true},
		{"keyword without a value", r.uri("dialog", "voicexml"), 400, "Missing VXML Value", true},
		{"method that HTTP does not have here", r.uri("dialog", "method=put"), 400, "Bad Request", true},
		{"age that is no number", r.uri("dialog", "maxage=old"), 400, "Bad Request", true},
		{"page that is not there", r.uri("dialog", "voicexml="+escape(web+"/none.vxml")), 500, "Server Internal Error", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.dial(t.Context(), tt.uri, "await")
			var refused *sip.RejectedError
			if !errors.As(err, &refused) || refused.Status != tt.status || refused.Reason != tt.reason {
				t.Fatalf("got %v, want %d %s", err, tt.status, tt.reason)
			}
			warning := strings.Join(refused.Headers["warning"], "")
			if strings.HasPrefix(warning, "399 ") != tt.warns {
				t.Errorf("warning %q", warning)
			}
		})
	}
	r.record(1)
	if !slices.ContainsFunc(r.records(), func(rec *reporting.Record) bool {
		return rec.End.Cause == reporting.Refused && rec.End.SIPStatus == 400
	}) {
		t.Error("no record of a refusal")
	}
	r.nothingLeft()
}

// TestFirstPageIsFetchedAsAsked reads RFC 5552's parameters off the web server.
func TestFirstPageIsFetchedAsAsked(t *testing.T) {
	r := newRig(t, nil)
	asked := make(chan string, 2)
	r.pages.handle("/app.vxml", func(w http.ResponseWriter, q *http.Request) {
		if err := q.ParseForm(); err != nil {
			t.Error(err)
		}
		asked <- q.Method + " " + q.PostForm.Encode() + " " + q.Header.Get("Cache-Control")
		fmt.Fprint(w, `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block><disconnect/></block></form></vxml>`)
	})
	page := "voicexml=" + escape(r.pages.server.URL+"/app.vxml")
	for params, want := range map[string]string{
		page + ";method=POST;postbody=" + escape("a=1&b=%20c"): "POST a=1&b=+c ",
		page + ";maxage=0": "GET  ",
	} {
		if _, err := r.dial(t.Context(), r.uri("dialog", params), "await"); err != nil {
			t.Fatal(err)
		}
		if got := <-asked; !strings.HasPrefix(got, want) {
			t.Errorf("%s: asked with %q, want %q", params, got, want)
		}
	}
	r.nothingLeft()
}
