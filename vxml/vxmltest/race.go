//go:build race

package vxmltest

// What the race detector costs: it looks at each access to memory, and has each
// sync.Pool forget at random.
const (
	slower = 20
	larger = 8
)
