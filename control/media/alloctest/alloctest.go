// Package alloctest counts the allocations of code that takes its memory from a pool.
package alloctest

import "testing"

// PerRun is testing.AllocsPerRun, but always 0 under the race detector: that has each
// sync.Pool forget at random. f runs as often then.
func PerRun(runs int, f func()) float64 {
	n := testing.AllocsPerRun(runs, f)
	if forgetful {
		return 0
	}
	return n
}
