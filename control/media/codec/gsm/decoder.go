package gsm

import "errors"

// ErrFrame says that octets are not a frame of the codec.
var ErrFrame = errors.New("no frame of GSM full rate")

// Decoder reads frames of one stream. Its zero value is ready; it is used by one
// goroutine.
type Decoder struct {
	course   course
	memory   [order + 1]int16 // of the short-term filter
	past     [longest]int16   // excitation
	lag      int16
	emphasis int16

	frame   parameters
	samples [Samples]int16
}

// Append appends the samples of a frame, or says ErrFrame.
func (d *Decoder) Append(dst []int16, frame []byte) ([]int16, error) {
	if !d.frame.read(frame) {
		return dst, ErrFrame
	}
	for i := range d.frame.sub {
		d.excite(&d.frame.sub[i], d.samples[i*sub40:][:sub40])
	}
	d.course.run(&d.frame.filter, d.samples[:], d.shape)
	for i, s := range d.samples { // sections 5.3.5 to 5.3.7
		d.emphasis = add(s, multR(d.emphasis, 28180))
		d.samples[i] = add(d.emphasis, d.emphasis) &^ 7
	}
	return append(dst, d.samples[:]...), nil
}

// excite makes a subframe's excitation (sections 5.3.1 and 5.3.2). A lag that there
// cannot be is the one before.
func (d *Decoder) excite(x *excitation, out []int16) {
	if x.lag >= shortest && x.lag <= longest {
		d.lag = x.lag
	}
	var now, predicted [sub40]int16
	x.place(&now)
	x.predict(&d.past, max(d.lag, shortest), &predicted)
	for i := range now {
		now[i] = add(now[i], predicted[i])
	}
	remember(&d.past, &now)
	copy(out, now[:])
}

// shape is the short-term synthesis filter (section 5.3.4).
func (d *Decoder) shape(r *[order]int16, samples []int16) {
	for at, s := range samples {
		for i := order - 1; i >= 0; i-- {
			s = sub(s, multR(r[i], d.memory[i]))
			d.memory[i+1] = add(d.memory[i], multR(r[i], s))
		}
		d.memory[0] = s
		samples[at] = s
	}
}
