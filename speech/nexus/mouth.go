package nexus

import (
	"context"
	"time"

	"github.com/zaf/g711"

	"mcp/speech"
)

// pause is how long a bot may be silent within what it says. What it sends comes
// faster than it is heard, or just as fast; only then has it said all.
const pause = 200 * time.Millisecond

// mouth plays what a bot says, and tells it what has been heard.
type mouth struct {
	line   speech.Line
	conv   Conversation
	saying speech.Saying // nil: nothing is being said
	until  time.Time     // when what there is will have been heard
	ended  bool          // nothing is added to saying any more
	rest   []Audio       // came after that
}

// say plays audio after what is being played.
func (m *mouth) say(ctx context.Context, audio Audio) {
	if len(audio) == 0 {
		return
	}
	if m.saying != nil && m.ended {
		m.rest = append(m.rest, audio)
		return
	}
	if m.saying == nil {
		saying, err := m.line.Say("")
		if err != nil {
			return // the caller has gone
		}
		m.saying, m.ended, m.until = saying, false, time.Now()
		_ = m.conv.Tell(ctx, Notice{Playback: Begun}) // the reader knows why
	}
	octets := []byte(audio)
	if m.line.Codec().Name == "PCMA" {
		octets = g711.Ulaw2Alaw(octets)
	}
	if _, err := m.saying.Write(octets); err != nil {
		return // it was stopped, and Done says so
	}
	now := time.Now()
	if m.until.Before(now) {
		m.until = now
	}
	m.until = m.until.Add(time.Duration(len(octets)) * time.Millisecond / 8)
}

// busy tells that something is being said.
func (m *mouth) busy() bool { return m.saying != nil }

// heard is closed when what was being said has been heard.
func (m *mouth) heard() <-chan struct{} {
	if m.saying == nil {
		return nil
	}
	return m.saying.Done()
}

// over tells the bot, and goes on with what came meanwhile.
func (m *mouth) over(ctx context.Context) {
	m.saying = nil
	_ = m.conv.Tell(ctx, Notice{Playback: Over}) // the reader knows why
	rest := m.rest
	m.rest = nil
	for _, audio := range rest {
		m.say(ctx, audio)
	}
}

// wait is how long until tick has something to do.
func (m *mouth) wait() time.Duration {
	if m.saying == nil || m.ended {
		return time.Hour
	}
	return max(time.Until(m.until.Add(pause)), 0)
}

// tick ends what is being said when the bot has said all.
func (m *mouth) tick() {
	if m.saying != nil && !m.ended && time.Until(m.until.Add(pause)) <= 0 {
		m.finish()
	}
}

// finish lets what there is be heard, and no more.
func (m *mouth) finish() {
	if m.saying != nil && !m.ended {
		m.ended = true
		m.saying.End(nil)
	}
}

// stop silences the bot.
func (m *mouth) stop() {
	m.rest = nil
	if m.saying != nil {
		m.ended = true
		m.saying.Stop()
	}
}
