// Package stack makes room for goroutines that go deep.
package stack

import "runtime"

// depth is what the goroutines that serve a call come to, or most of it, within the
// sizes that the runtime keeps at hand.
const depth = 12 << 10

// Deepen makes a new goroutine's stack as large as it will be. By itself it would double
// on the way down, again and again, and each time all frames would be moved that are on
// it by then; of an empty stack nothing is. The garbage collector takes back what a
// goroutine that waits does not use.
//
//go:noinline
func Deepen() {
	var room [depth]byte
	runtime.KeepAlive(&room)
}
