package sip

// phase is where a dialog stands:
//
//	offered -answer-> answered -ack-> confirmed
//	   |                 |                |
//	   +-----------------+----------------+--> over
//
//	early -confirm-> confirmed
//
// A dialog that we began is early from a provisional response of the far end's
// on, if there is one, and confirmed by its 2xx, which is acknowledged at once.
type phase uint8

const (
	offered   phase = iota // an INVITE came and has no final response
	early                  // our INVITE has a provisional response and no final one
	answered               // our 2xx is on its way, its ACK has not come
	confirmed              // the session is up
	over
)

// move is what happens to a dialog.
type move uint8

const (
	mvAnswer  move = iota // we send a 2xx
	mvAck                 // the ACK to it comes
	mvConfirm             // the far end's 2xx comes
	mvReject              // we send another final response
	mvCancel              // the caller gives up before the answer
	mvBye                 // either side ends it
	mvNoAck               // a 2xx was never acknowledged
	mvLost                // the far end cannot be reached any more
)

// after is the phase a move leads to; false when it is not possible now.
func (p phase) after(m move) (phase, bool) {
	switch {
	case p == over:
		return over, false
	case m == mvAnswer:
		return answered, p == offered
	case m == mvAck:
		return confirmed, p == answered
	case m == mvConfirm:
		return confirmed, p == early
	case m == mvReject, m == mvCancel:
		return over, p == offered
	case m == mvNoAck:
		return over, p == answered || p == confirmed
	default: // mvBye, mvLost
		return over, true
	}
}
