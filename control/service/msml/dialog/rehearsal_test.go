package dialog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/record"
	"mcp/control/service/msml/doc"
	"mcp/vxml/fetch"
)

// rehearsal performs dialogs in simulated time, on boards instead of a call, with a web
// server whose recordings arrive as a test says.
type rehearsal struct {
	*testing.T
	place  *Place
	boards *boards
	client *Client
	parts  Parts
	told   chan doc.Event
	keys   chan media.Digit
	begun  time.Time
}

// rehearse runs a test with recordings by their URLs.
func rehearse(t *testing.T, recordings map[string][]piece, test func(r *rehearsal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rehearsal{T: t, boards: &boards{}, told: make(chan doc.Event, 99), keys: make(chan media.Digit), begun: time.Now()}
		r.client = &Client{Call: "7", Log: slog.New(slog.DiscardHandler), Tell: func(e doc.Event) { r.told <- e }}
		web := &shop{recordings: recordings}
		r.parts.Fetcher = fetch.New(fetch.Config{Client: &http.Client{Transport: web}, MaxBody: 64 << 20, Timeout: 10 * time.Second})
		r.place = &Place{ID: "conn:a", Stage: r.boards, Keys: NewKeys(func(byte) {})}
		r.place.Keys.Pump(r.keys)
		test(r)
		r.place.Close()
		r.client.Wait()
		r.place.Keys.Close()
		time.Sleep(2 * time.Minute) // until the server has noticed that nobody hears it
		synctest.Wait()
		if n := web.serving(); n > 0 {
			t.Errorf("%d recordings are still being sent", n)
		}
	})
}

// start begins a dialog d of some elements.
func (r *rehearsal) start(elements string) error {
	r.Helper()
	ops, err := doc.Parse([]byte(`<msml version="1.1"><dialogstart target="conn:a" name="d">` + elements + `</dialogstart></msml>`))
	if err != nil {
		return err
	}
	_, err = r.place.Start(r.parts, r.client, "d", ops[0])
	return err
}

// exit waits for the dialog's end and what it says of itself.
func (r *rehearsal) exit() map[string]string {
	for e := range r.told {
		if e.Name == "msml.dialog.exit" {
			return values(e)
		}
	}
	return nil
}

func values(e doc.Event) map[string]string {
	all := map[string]string{}
	for _, item := range e.Items {
		all[item.Name] = item.Value
	}
	return all
}

// cue is something that happens at a time.
type cue struct {
	at          time.Duration
	event, keys string
}

// follow carries out cues, in order.
func (r *rehearsal) follow(cues []cue) {
	for _, c := range cues {
		time.Sleep(c.at - time.Since(r.begun))
		for _, key := range []byte(c.keys) {
			r.keys <- media.Digit{Key: key}
		}
		if d := r.place.Find("d"); d != nil && c.event != "" {
			d.Signal("", c.event)
		}
		synctest.Wait()
	}
}

// boards are a stage that notes what is heard there.
type boards struct {
	mu   sync.Mutex
	pcm  []int16
	keys string
	last *act
}

// displace stops what plays, as another Play would on a connection.
func (b *boards) displace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last.Stop()
}

// letter is audio of a length that a test tells apart by its name: a, b, …; a dash is
// silence.
func letter(name byte, t time.Duration) []int16 {
	pcm := make([]int16, samples(t))
	for i := range pcm {
		if name != '-' {
			pcm[i] = int16(name-'a'+1) * 3000
		}
	}
	return pcm
}

// score is what was heard, such as a1s b500ms.
func (b *boards) score() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for at := 0; at < len(b.pcm); {
		name, n := named(b.pcm[at]), 1
		for at+n < len(b.pcm) && named(b.pcm[at+n]) == name {
			n++
		}
		all = append(all, string(name)+(time.Duration(n)*time.Second/audiofile.Rate).String())
		at += n
	}
	return strings.Join(all, " ")
}

func named(sample int16) byte {
	if sample < 1500 {
		return '-'
	}
	return 'a' + byte((sample+1500)/3000) - 1
}

// act is a Sound on the boards.
type act struct {
	once  sync.Once
	quit  chan struct{}
	done  chan struct{}
	heard int
	err   error
}

func (a *act) Done() <-chan struct{}   { return a.done }
func (a *act) Stop()                   { a.once.Do(func() { close(a.quit) }) }
func (a *act) Err() error              { return a.err }
func (a *act) Position() time.Duration { return time.Duration(a.heard) * time.Second / audiofile.Rate }

func (b *boards) Play(pcm []int16) (Sound, error) {
	return b.PlaySupply(stretch{{wound(pcm), 1}}.supply(0))
}

func (b *boards) PlaySupply(from media.Supply) (Sound, error) {
	a := &act{quit: make(chan struct{}), done: make(chan struct{})}
	b.mu.Lock()
	b.last = a
	b.mu.Unlock()
	go func() {
		<-a.quit
		from.Close()
	}()
	go func() {
		defer close(a.done)
		defer a.Stop()
		for {
			pcm, err := from.Next()
			if err != nil {
				if err != io.EOF {
					a.err = err
				}
				return
			}
			begun := time.Now()
			select {
			case <-time.After(time.Duration(len(pcm)) * time.Second / audiofile.Rate):
			case <-a.quit:
				pcm, err = pcm[:samples(time.Since(begun))], io.EOF
			}
			a.heard += len(pcm)
			b.mu.Lock()
			b.pcm = append(b.pcm, pcm...)
			b.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return a, nil
}

func (b *boards) Press(ctx context.Context, keys string) error {
	for _, key := range keys {
		select {
		case <-time.After(200 * time.Millisecond):
			b.keys += string(key)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (b *boards) Hear(*record.Recorder) (func(), error) { return nil, errors.New("nobody speaks") }

func (b *boards) Clock() *clock.Clock { return nil }

// piece is what arrives of a recording, and how long after the piece before.
type piece struct {
	after time.Duration
	pcm   []int16
}

// whole is a recording that is there at once.
func whole(name byte, t time.Duration) []piece { return []piece{{0, letter(name, t)}} }

// shop serves recordings. It stands still where the last piece of one is empty.
type shop struct {
	recordings map[string][]piece
	mu         sync.Mutex
	open       int
}

func (s *shop) serving() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *shop) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
}

// RoundTrip implements http.RoundTripper.
func (s *shop) RoundTrip(q *http.Request) (*http.Response, error) {
	pieces, ok := s.recordings[q.URL.Path[1:]]
	if !ok {
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: q}, nil
	}
	out, in := io.Pipe()
	context.AfterFunc(q.Context(), func() { out.CloseWithError(q.Context().Err()) })
	s.add(1)
	go func() {
		defer s.add(-1)
		for _, p := range pieces {
			time.Sleep(p.after)
			if len(p.pcm) == 0 {
				<-q.Context().Done()
				return
			}
			law, err := codec.PCMU.Encode(p.pcm)
			if err == nil {
				_, err = in.Write(law)
			}
			if err != nil {
				return
			}
		}
		in.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"audio/basic"}}, Body: out, ContentLength: -1, Request: q}, nil
}

// same compares values by name, those that are wanted.
func (r *rehearsal) same(got, want map[string]string) {
	r.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			r.Errorf("%s is %q, wanted %q of %s", name, got[name], want[name], fmt.Sprint(got))
		}
	}
}
