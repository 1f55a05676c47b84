package caller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/zaf/g711"
)

// eventType is the payload type the caller offers telephone-event with.
const eventType = 101

// frame is what the caller does in 20 ms.
type frame struct {
	audio []int16       // nil: silence
	key   byte          // an event instead, when not zero
	index int           // of the event's frames
	done  chan struct{} // closed as it is sent; nil for all but the last of an action
}

// line is the caller's RTP: it sends without a pause, as a telephone does,
// checks and records what it hears. It owns two sockets and two goroutines.
type line struct {
	rtp, rtcp *net.UDPConn
	began     time.Time
	group     sync.WaitGroup

	mu         sync.Mutex
	remote     netip.AddrPort
	events     int // payload type towards the far end
	queue      []frame
	sent       int
	pressed    int // packets of events among them
	reports    int // RTCP packets received
	recording  Recording
	continuity Continuity
	ear        ear
	anchor     anchor
}

// anchor ties the timeline of the stream that is heard to the recording's.
type anchor struct {
	ssrc      uint32
	timestamp uint32
	at        int // position in the recording
}

// openLine takes an even port and the one above it.
func openLine(local netip.Addr) (*line, error) {
	const attempts = 200
	for range attempts {
		port := uint16(46000 + 2*rand.IntN(7000)) // above the platform's range
		rtpConn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, port)))
		if err != nil {
			continue
		}
		rtcpConn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, port+1)))
		if err != nil {
			rtpConn.Close()
			continue
		}
		return &line{rtp: rtpConn, rtcp: rtcpConn}, nil
	}
	return nil, fmt.Errorf("no free pair of UDP ports on %s", local)
}

func (l *line) local() netip.AddrPort { return l.rtp.LocalAddr().(*net.UDPAddr).AddrPort() }

// start begins to send to the far end; receiving begins too.
func (l *line) start(ctx context.Context, remote netip.AddrPort, events int) {
	l.remote, l.events, l.began = remote, events, time.Now()
	l.group.Go(func() { l.send(ctx) })
	l.group.Go(l.receive)
	l.group.Go(l.receiveReports)
}

// stop closes the line and waits; the context given to start must be over.
func (l *line) stop() error {
	err := errors.Join(l.rtp.Close(), l.rtcp.Close())
	l.group.Wait()
	return err
}

// send paces by absolute times, so that the average never drifts.
func (l *line) send(ctx context.Context) {
	header := rtp.Header{
		Version: 2, Marker: true, SSRC: rand.Uint32(), SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32(),
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		timer.Reset(time.Until(l.began.Add(time.Duration(n) * frameTime)))
		select {
		case <-ctx.Done():
			l.abandon()
			return
		case <-timer.C:
		}
		l.sendFrame(&header, l.next(n))
		header.SequenceNumber++
		header.Timestamp += frameSamples
		header.Marker = false
	}
}

// next takes the frame to send and puts it on the recording.
func (l *line) next(n int) frame {
	l.mu.Lock()
	defer l.mu.Unlock()
	var f frame
	if len(l.queue) > 0 {
		f, l.queue = l.queue[0], l.queue[1:]
	}
	heard := f.audio
	if f.key != 0 {
		l.pressed++
	}
	if f.key != 0 && f.index < toneFrames {
		heard = tone(f.key, f.index)
	}
	if heard == nil {
		heard = make([]int16, frameSamples)
	}
	l.recording.Said = place(l.recording.Said, n*frameSamples, heard)
	l.sent++
	return f
}

// move goes on with another address of the far end.
func (l *line) move(remote netip.AddrPort, events int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remote, l.events = remote, events
}

func (l *line) farEnd() (remote netip.AddrPort, events int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.remote, l.events
}

func (l *line) sendFrame(header *rtp.Header, f frame) {
	remote, events := l.farEnd()
	// Before the packet leaves: the far end may hang up upon it at once, and
	// the step that sent it is done all the same.
	if f.done != nil {
		close(f.done)
	}
	packet := rtp.Packet{Header: *header}
	if f.key != 0 {
		packet.PayloadType = uint8(events)
		packet.Marker = f.index == 0
		packet.Timestamp -= uint32(f.index * frameSamples) // the event's beginning
		packet.Payload = eventPayload(f.key, f.index)
	} else {
		packet.Payload = encode(f.audio)
	}
	// A packet that cannot be sent is lost, as any other on its way; the far
	// end's counters tell.
	if raw, err := packet.Marshal(); err == nil {
		_, _ = l.rtp.WriteToUDPAddrPort(raw, remote)
	}
}

// encode makes a PCMU frame of at most 20 ms; what is missing is silence.
func encode(audio []int16) []byte {
	payload := make([]byte, frameSamples)
	for i := range payload {
		payload[i] = 0xff
	}
	for i, s := range audio {
		payload[i] = g711.EncodeUlawFrame(s)
	}
	return payload
}

// abandon lets go of whoever waits for frames that will not be sent.
func (l *line) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.queue {
		if f.done != nil {
			close(f.done)
		}
	}
	l.queue = nil
}

// enqueue adds frames; the channel closes when the last is sent or abandoned.
func (l *line) enqueue(frames []frame) <-chan struct{} {
	done := make(chan struct{})
	if len(frames) == 0 {
		close(done)
		return done
	}
	frames[len(frames)-1].done = done
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, frames...)
	return done
}

// say queues speech.
func (l *line) say(audio []int16) <-chan struct{} {
	var frames []frame
	for len(audio) > 0 {
		n := min(frameSamples, len(audio))
		frames = append(frames, frame{audio: audio[:n:n]})
		audio = audio[n:]
	}
	return l.enqueue(frames)
}

// press queues keys, each with a pause before it and its end packets.
func (l *line) press(digits string) <-chan struct{} {
	var frames []frame
	for i := range len(digits) {
		frames = append(frames, make([]frame, pauseFrames)...)
		for index := range toneFrames + endPackets {
			frames = append(frames, frame{key: digits[i], index: index})
		}
	}
	return l.enqueue(frames)
}

// attend forgets what was heard so far; finished tells whether the far end has
// spoken since and fallen silent.
func (l *line) attend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ear.attend(time.Now())
}

func (l *line) finished(quiet time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ear.finished(time.Now(), quiet)
}
