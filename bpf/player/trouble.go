package player

import (
	"errors"
	"time"

	"mcp/bpf"
)

// patience is how long a stream's packets may all be refused: a route or a
// neighbour may come back.
const patience = time.Second

// trouble counts a stream's packets that were refused.
type trouble struct {
	said  uint64 // packets tried
	last  uint64 // the one that was refused last
	count int    // refused in a row
}

// note takes down that a packet was refused, before it counts as said, and tells
// that patience is over. That the far end is not to hear anything is no trouble.
func (t *trouble) note(span int, err error) bool {
	var refusal *bpf.DropError
	if errors.As(err, &refusal) && refusal.Unheard() {
		return false
	}
	if t.count > 0 && t.last+1 != t.said {
		t.count = 0
	}
	t.last = t.said
	t.count++
	return t.count*span >= int(patience/tick)
}
