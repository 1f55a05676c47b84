package line

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/pion/rtp"
)

// clip is something to send.
type clip struct {
	pcm      []int16
	at       int   // samples of it that were sent
	cues     []Cue // yet to come
	finished func()
	paused   bool
}

// Cue is a point in what is sent at which something is to be done.
type Cue struct {
	At   int // samples before it
	Call func()
}

// voice paces what a port sends: a frame each 20 ms by the clock, one SSRC and
// one run of sequence numbers for the port's life. After a silence the timestamp
// has moved on by the time that went by, and the marker is set (RFC 3551 section 4.1).
type voice struct {
	send func(rtp.Header, []int16)

	mu   sync.Mutex
	clip *clip

	wake    chan struct{}
	quit    chan struct{}
	ssrc    uint32
	seq     uint16
	base    uint32    // timestamp at epoch
	epoch   time.Time // the beginning of the port's timeline
	elapsed uint32    // timestamp after the last frame sent, from base
}

func newVoice(send func(rtp.Header, []int16)) *voice {
	return &voice{send: send, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), base: rand.Uint32(), epoch: time.Now()}
}

func (v *voice) play(c *clip) {
	v.mu.Lock()
	v.clip = c
	v.mu.Unlock()
	v.rouse()
}

func (v *voice) pause(paused bool) {
	v.mu.Lock()
	if v.clip != nil {
		v.clip.paused = paused
	}
	v.mu.Unlock()
	v.rouse()
}

func (v *voice) rouse() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

func (v *voice) stop() { close(v.quit) }

func (v *voice) run() {
	for {
		select {
		case <-v.quit:
			return
		case <-v.wake:
			v.talk()
		}
	}
}

// talk sends frames until there are none.
func (v *voice) talk() {
	next := time.Now()
	v.elapsed = max(v.elapsed, uint32(next.Sub(v.epoch)/Frame)*FrameSamples)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for marker := true; v.sendFrame(marker); marker = false {
		next = next.Add(Frame)
		// A machine that was busy for long does not make up for it in a burst.
		if late := time.Since(next); late > 5*Frame {
			next = time.Now()
		}
		timer.Reset(time.Until(next))
		select {
		case <-v.quit:
			return
		case <-timer.C:
		}
		v.finish()
	}
}

// sendFrame sends the next frame, padded with silence if it is a clip's last. It
// holds the lock while it sends: after Stop has returned nothing more leaves.
func (v *voice) sendFrame(marker bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.clip == nil || v.clip.paused {
		return false
	}
	frame := make([]int16, FrameSamples)
	v.clip.at += copy(frame, v.clip.pcm[v.clip.at:])
	v.send(rtp.Header{Version: 2, Marker: marker, SequenceNumber: v.seq, Timestamp: v.base + v.elapsed, SSRC: v.ssrc}, frame)
	v.seq++
	v.elapsed += FrameSamples
	return true
}

// finish does what is due now that a frame has had its time, and ends a clip of
// which it was the last.
func (v *voice) finish() {
	v.mu.Lock()
	current := v.clip
	if current == nil {
		v.mu.Unlock()
		return
	}
	due := current.reached()
	over := current.at >= len(current.pcm)
	if over {
		v.clip = nil
	}
	v.mu.Unlock()
	for _, cue := range due {
		cue.Call()
	}
	if over {
		current.finished()
	}
}

// reached takes the cues that have been passed.
func (c *clip) reached() []Cue {
	n := 0
	for n < len(c.cues) && c.cues[n].At <= c.at {
		n++
	}
	due := c.cues[:n]
	c.cues = c.cues[n:]
	return due
}

// seek moves in what is being sent. It tells whether that went back beyond its
// beginning.
func (v *voice) seek(samples int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.clip == nil {
		return false
	}
	at := v.clip.at + samples
	v.clip.at = min(max(at, 0), len(v.clip.pcm))
	return at < 0
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
