package voice

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"mcp/control/call"
	"mcp/control/media"
	"mcp/control/media/codec"
	"mcp/control/media/intake"
	gvp "mcp/control/sip/genesys"
	"mcp/control/sip/header"
	"mcp/speech"
)

// intakeRoom is how much of the caller's audio waits for an engine: what it is
// behind by more than that, it does not get.
const intakeRoom = 5 * time.Second

// Line implements speech.Line by a call.
type Line struct{ voices *Voices }

// Party implements speech.Line.
func (l *Line) Party() speech.Party {
	c := l.voices.call
	invite := c.Invite()
	return speech.Party{
		Call: c.ID(), Tenant: tenant(invite.Headers(), invite.RequestURI().Params),
		From: user(invite.RemoteURI()), To: invite.RequestURI().User, Conversation: session(invite, ""),
	}
}

// user is the user part of a URI.
func user(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	part, _, _ := strings.Cut(rest, "@")
	part, _, _ = strings.Cut(part, ";")
	return part
}

// session is the Resource Manager's name for the call, or else another.
func session(invite call.Identity, otherwise string) string {
	return cmp.Or(gvp.Read(invite.Headers()).Session, otherwise)
}

// tenant is whose call it is, as the resource manager says: in the Request-URI, in
// a header of that name, or in the session's.
func tenant(headers header.Fields, params map[string]string) string {
	const name = "gvp-tenant-id"
	if id := params[name]; id != "" {
		return id
	}
	if id := header.First(headers, name); id != "" {
		return id
	}
	return gvp.Read(headers).Tenant
}

// Codec implements speech.Line.
func (l *Line) Codec() speech.Codec {
	c := l.narrow()
	return speech.Codec{PayloadType: c.PayloadType, Name: c.Name, ClockRate: c.ClockRate}
}

// narrow is the codec in which engines have the call's audio: its own if that is
// G.711, and mu-law otherwise.
func (l *Line) narrow() codec.Codec { return media.Law(l.voices.call.Codec()) }

// Listen implements speech.Line.
func (l *Line) Listen() (speech.Hearing, error) { return l.overhear((*media.Leg).Tap) }

// ListenToUs begins to listen to what the caller hears.
func (l *Line) ListenToUs() (speech.Hearing, error) { return l.overhear((*media.Leg).Monitor) }

// overhear listens to one side of the call.
func (l *Line) overhear(listen func(*media.Leg, media.Listener) (*media.Tap, error)) (speech.Hearing, error) {
	queue := intake.New(l.narrow(), intakeRoom)
	tap, err := listen(l.voices.call.Caller(), queue)
	if err != nil {
		return nil, err
	}
	return &hearing{voices: l.voices, queue: queue, tap: tap}, nil
}

// hearing implements speech.Hearing.
type hearing struct {
	voices *Voices
	queue  *intake.Queue
	tap    *media.Tap

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
		h.keys = h.voices.keys.add()
	}
	return h.keys
}

func (h *hearing) Close() {
	if err := h.tap.Close(); err != nil {
		h.voices.parts.Log.Warn("stop copying the caller's audio", "error", err)
	}
	h.queue.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.voices.keys.remove(h.keys)
}

// keys are what engines take of the keys that are pressed.
type keys struct {
	mu    sync.Mutex
	ears  []chan byte
	taken int // since it was asked last
}

// keysWaiting is how many keys an engine may be behind.
const keysWaiting = 64

func (k *keys) add() chan byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	ch := make(chan byte, keysWaiting)
	k.ears = append(k.ears, ch)
	return ch
}

func (k *keys) remove(ch chan byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ears = slices.DeleteFunc(k.ears, func(o chan byte) bool { return o == ch })
}

func (k *keys) press(key byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ch := range k.ears {
		select {
		case ch <- key:
		default:
		}
	}
	if len(k.ears) > 0 {
		k.taken++
	}
}

func (k *keys) forget() (taken int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken, k.taken = k.taken, 0
	return taken
}

// Say implements speech.Line.
func (l *Line) Say(key string) (speech.Saying, error) {
	call, clips, spoken := l.voices.call, l.voices.parts.Clips, l.voices.call.Codec()
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
	clips  *Clips
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
