// Package gsm is the GSM full-rate codec, RPE-LTP at 13 kbit/s (ETSI EN 300 961, once
// GSM 06.10), in the framing of RTP (RFC 3551 section 4.5.8). Its results are those
// of the standard, bit for bit.
package gsm

// What is in a frame of 20 ms.
const (
	Samples = 160 // at 8 kHz
	Octets  = 33  // of a payload
)

const (
	subframes = 4
	sub40     = Samples / subframes // samples of a subframe
	pulses    = 13                  // of a subframe
	order     = 8                   // of the short-term filter
	longest   = 120                 // lag of the long-term filter, in samples
	shortest  = 40
)

// signature is in the first four bits of each frame.
const signature = 0xd

// parameters are what a frame says: codes, not values.
type parameters struct {
	filter [order]int16 // log-area ratios
	sub    [subframes]excitation
}

// excitation is that of a subframe.
type excitation struct {
	lag, gain int16 // of the long-term filter
	grid      int16
	max       int16 // of the pulses
	pulse     [pulses]int16
}

var filterBits = [order]int{6, 6, 5, 5, 4, 4, 3, 3}

// The widths of an excitation's codes.
const (
	lagBits, gainBits, gridBits, maxBits, pulseBits = 7, 2, 2, 6, 3
)

// each visits the codes in the order in which a frame has them.
func (p *parameters) each(visit func(code *int16, width int)) {
	for i := range p.filter {
		visit(&p.filter[i], filterBits[i])
	}
	for i := range p.sub {
		e := &p.sub[i]
		visit(&e.lag, lagBits)
		visit(&e.gain, gainBits)
		visit(&e.grid, gridBits)
		visit(&e.max, maxBits)
		for k := range e.pulse {
			visit(&e.pulse[k], pulseBits)
		}
	}
}

// append appends the frame.
func (p *parameters) append(dst []byte) []byte {
	bits, have := uint32(signature), 4
	p.each(func(code *int16, width int) {
		bits, have = bits<<width|uint32(*code), have+width
		for have >= 8 {
			have -= 8
			dst = append(dst, byte(bits>>have))
		}
	})
	return dst
}

// read takes a frame apart; false: it is none.
func (p *parameters) read(frame []byte) bool {
	if len(frame) < Octets || frame[0]>>4 != signature {
		return false
	}
	bits, have := uint32(frame[0]&0xf), 4
	frame = frame[1:]
	p.each(func(code *int16, width int) {
		for have < width {
			bits, have = bits<<8|uint32(frame[0]), have+8
			frame = frame[1:]
		}
		have -= width
		*code = int16(bits >> have & (1<<width - 1))
	})
	return true
}
