package bench

import (
	"testing"
	"time"
)

// What every wake-up has in common is even; what a stall does to one stretch shows in
// each that begins or ends within it.
func TestUneven(t *testing.T) {
	late := make([]int64, 1020)
	for i := range late {
		late[i] = int64(time.Millisecond)
	}
	if got := uneven(late); got != 0 {
		t.Errorf("%s of wake-ups that are all as late", got)
	}
	for i := range 10 { // ten in a thousand, twice
		late[500+i] += int64(5 * time.Millisecond)
	}
	if got := uneven(late); got != 5*time.Millisecond {
		t.Errorf("%s, of 2 in 100 that are 5 ms off", got)
	}
	if got := uneven(late[:10]); got != 0 {
		t.Errorf("%s of less than a stretch", got)
	}
}
