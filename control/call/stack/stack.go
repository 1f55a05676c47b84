// Package stack grows the stacks of goroutines that make deep calls once, at their
// start, instead of step by step on the way down.
package stack

// depth is what the goroutines that serve a call come to, or most of it, within the
// sizes that the runtime keeps at hand.
const depth = 12 << 10

// Deepen grows the stack of a new goroutine to the size that it is going to need. The
// runtime would double it each time that it overflows, and copy all frames that are on it
// by then; an empty stack has none to copy. The garbage collector shrinks the stack of a
// goroutine that waits and does not use it.
func Deepen() { room(0) }

// room has a frame that there must be room for, but touches it only if asked to: memory
// that has been cleared would have to be fetched first.
//
//go:noinline
func room(used int) byte {
	if used == 0 {
		return 0
	}
	var frame [depth]byte
	frame[used] = 1
	return frame[used/2]
}
