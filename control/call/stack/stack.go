// Package stack makes room for goroutines that go deep.
package stack

// depth is what the goroutines that serve a call come to, or most of it, within the
// sizes that the runtime keeps at hand.
const depth = 12 << 10

// Deepen makes a new goroutine's stack as large as it will be. By itself it would double
// on the way down, again and again, and each time all frames would be moved that are on
// it by then; of an empty stack nothing is. The garbage collector takes back what a
// goroutine that waits does not use.
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
