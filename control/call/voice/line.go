package voicexml

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/intake"
	"mcp/speech"
)

// intakeRoom is how much of the caller's audio waits for an engine: what it is
// behind by more than that, it does not get.
const intakeRoom = 5 * time.Second

// line implements speech.Line by a call.
type line struct{ phone *phone }

// Party implements speech.Line.
func (l *line) Party() speech.Party {
	invite := l.phone.call.Invite()
	headers, uri := invite.Headers(), invite.RequestURI()
	return speech.Party{
		Call: l.phone.call.ID(), Tenant: tenant(headers, uri.Params),
		From: user(invite.RemoteURI()), To: uri.User, Conversation: sessionID(headers, ""),
	}
}

// tenant is whose call it is, as the resource manager says: in the Request-URI, in
// a header of that name, or in the session's.
func tenant(headers map[string][]string, params map[string]string) string {
	const name = "gvp-tenant-id"
	if id := params[name]; id != "" {
		return id
	}
	if id := first(headers[name]); id != "" {
		return id
	}
	for _, p := range strings.Split(first(headers["x-genesys-gvp-session-id"]), ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(p), "gvp.rm.tenant-id="); ok {
			return id
		}
	}
	return ""
}

// Codec implements speech.Line.
func (l *line) Codec() speech.Codec {
	c := l.narrow()
	return speech.Codec{PayloadType: c.PayloadType, Name: c.Name, ClockRate: c.ClockRate}
}

// narrow is the codec in which engines have the call's audio: its own if that is
// G.711, and mu-law otherwise.
func (l *line) narrow() codec.Codec { return media.Law(l.phone.call.Codec()) }

// Listen implements speech.Line.
func (l *line) Listen() (speech.Hearing, error) { return l.overhear((*media.Leg).Tap) }

// overhear listens to one side of the call.
func (l *line) overhear(listen func(*media.Leg, media.Listener) (*media.Tap, error)) (speech.Hearing, error) {
	queue := intake.New(l.narrow(), intakeRoom)
	tap, err := listen(l.phone.call.Caller(), queue)
	if err != nil {
		return nil, err
	}
	return &hearing{phone: l.phone, queue: queue, tap: tap}, nil
}

// hearing implements speech.Hearing.
type hearing struct {
	phone *phone
	queue *intake.Queue
	tap   *media.Tap

	mu   sync.Mutex
	keys chan byte
}

func (h *hearing) Next(ctx context.Context) (speech.Sound, error) {
	c, err := h.queue.Next(ctx)
	return speech.Sound{Audio: c.Audio, Lost: c.Lost}, err
}

// Keys implements speech.Hearing.
func (h *hearing) Keys() <-chan byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys == nil {
		h.keys = h.phone.ears.add()
	}
	return h.keys
}

func (h *hearing) Close() {
	if err := h.tap.Close(); err != nil {
		h.phone.log.Warn("stop copying the caller's audio", "error", err)
	}
	h.queue.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phone.ears.remove(h.keys)
}

// ears are the engines that take keys.
type ears struct {
	mu    sync.Mutex
	all   []chan byte
	taken int // keys since the last turn
}

// keysWaiting is how many keys an engine may be behind.
const keysWaiting = 64

func (e *ears) add() chan byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := make(chan byte, keysWaiting)
	e.all = append(e.all, ch)
	return ch
}

func (e *ears) remove(ch chan byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = slices.DeleteFunc(e.all, func(o chan byte) bool { return o == ch })
}

func (e *ears) press(key byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ch := range e.all {
		select {
		case ch <- key:
		default:
		}
	}
	if len(e.all) > 0 {
		e.taken++
	}
}

// forgetKeys takes from the page what engines have taken: it is not meant for its
// next question.
func (p *phone) forgetKeys() {
	p.ears.mu.Lock()
	n := p.ears.taken
	p.ears.taken = 0
	p.ears.mu.Unlock()
	for range n {
		select {
		case <-p.digits:
		default:
			return
		}
	}
}

// Say implements speech.Line.
func (l *line) Say(key string) (speech.Saying, error) {
	call, clips, spoken := l.phone.call, l.phone.service.clips, l.phone.call.Codec()
	if known := clips.find(said(key, spoken)); key != "" && known != nil {
		playing, err := call.Media().Play(call.Caller(), known)
		if err != nil {
			return nil, err
		}
		return &saying{Playback: playing}, nil
	}
	live := media.NewLive(spoken)
	playing, err := call.Media().PlayLive(call.Caller(), live)
	if err != nil {
		return nil, err
	}
	return &saying{Playback: playing, live: live, key: key, clips: clips, spoken: spoken}, nil
}

// saying implements speech.Saying.
type saying struct {
	*media.Playback
	live   *media.Live // nil: it was known
	key    string
	clips  *clips
	spoken codec.Codec
}

func (s *saying) Known() bool { return s.live == nil }

func (s *saying) Write(p []byte) (int, error) {
	if s.live == nil {
		return 0, media.ErrClosed
	}
	return s.live.Write(p)
}

func (s *saying) End(err error) {
	if s.live == nil {
		return
	}
	s.live.End(err)
	if clip := s.live.Clip(); err == nil && s.key != "" && clip.Samples() > 0 {
		s.clips.keep(said(s.key, s.spoken), clip)
	}
}
