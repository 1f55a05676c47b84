package sip

import "testing"

// TestEveryMoveInEveryPhase names every pair; what is not listed is impossible.
func TestEveryMoveInEveryPhase(t *testing.T) {
	type pair struct {
		p phase
		m move
	}
	possible := map[pair]phase{
		{offered, mvAnswer}: answered,
		{offered, mvReject}: over,
		{offered, mvCancel}: over,
		{offered, mvBye}:    over,
		{offered, mvLost}:   over,
		{early, mvConfirm}:  confirmed,
		{early, mvBye}:      over,
		{early, mvLost}:     over,
		{answered, mvAck}:   confirmed,
		{answered, mvBye}:   over,
		{answered, mvNoAck}: over,
		{answered, mvLost}:  over,
		// A re-INVITE's 2xx can go without its ACK, too.
		{confirmed, mvNoAck}: over,
		{confirmed, mvBye}:   over,
		{confirmed, mvLost}:  over,
	}
	for p := offered; p <= over; p++ {
		for m := mvAnswer; m <= mvLost; m++ {
			want, ok := possible[pair{p, m}]
			got, can := p.after(m)
			if can != ok || ok && got != want {
				t.Errorf("phase %d, move %d: %d %v, want %d %v", p, m, got, can, want, ok)
			}
		}
	}
}
