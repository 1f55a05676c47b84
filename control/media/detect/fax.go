package detect

import "time"

// FaxTone is a tone by which a fax machine is known.
type FaxTone string

// The tones of fax machines (ITU-T T.30 sections 4.1 and 4.2).
const (
	CNG FaxTone = "CNG" // of the calling one: 1100 Hz
	CED FaxTone = "CED" // of the called one: 2100 Hz
)

// FaxTones finds fax machines in audio at 8 kHz.
type FaxTones struct {
	shortest time.Duration
	tone     FaxTone
	lasts    time.Duration
}

// leastFax is how long a tone must last whatever is wished for.
const leastFax = 3 * frame

// NewFaxTones makes a detector of tones that last for a while, at least 60 ms.
func NewFaxTones(shortest time.Duration) *FaxTones {
	return &FaxTones{shortest: max(shortest, leastFax)}
}

// Frame takes 20 ms and tells whether a fax machine's tone is heard by now.
func (f *FaxTones) Frame(pcm []int16) (FaxTone, bool) { return f.sine(pureTone(pcm)) }

// sine is Frame of a frame whose tone is known.
func (f *FaxTones) sine(hz float64, sine bool) (FaxTone, bool) {
	now := FaxTone("")
	switch {
	case sine && near(hz, 1100, 38):
		now = CNG
	case sine && near(hz, 2100, 15):
		now = CED
	}
	if now != f.tone {
		f.tone, f.lasts = now, 0
	}
	f.lasts += frame
	return now, now != "" && f.lasts >= f.shortest
}
