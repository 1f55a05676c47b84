package mrcp

// The life of one RECOGNIZE request, seen from the client; a pure function like
// that of SPEAK.
//
//	requested ──200──> pending/listening ──START-OF-INPUT──> hearing
//	    │                     │                                 │
//	    └─stop─> doomed       └──stop──> stopping <──stop───────┤
//	                                        └─200─> ended <─RECOGNITION-COMPLETE

type recogState uint8

const (
	recogRequested recogState = iota // RECOGNIZE sent, no response yet
	recogDoomed                      // as requested, but to be stopped once accepted
	recogPending                     // queued by the server
	recogListening                   // no input yet
	recogHearing                     // input has begun
	recogStopping                    // STOP sent
	recogEnded
	recogStates // their number
)

type recogInput uint8

const (
	recogQueued     recogInput = iota // 200 PENDING
	recogStarted                      // 200 IN-PROGRESS
	recogRefused                      // 4xx or 5xx
	recogHeard                        // START-OF-INPUT
	recogCompleted                    // RECOGNITION-COMPLETE, or 200 COMPLETE
	recogWantTimers                   // the no-input timer shall start
	recogWantStop                     // nobody wants the result any more
	recogStopped                      // STOP answered, in whatever way
	recogLost                         // the session is over
	recogInputs                       // their number
)

type recogEffect uint8

const (
	recogAccept     recogEffect = iota // tell who asked that it was accepted
	recogFail                          // note the input's error as the request's own
	recogHear                          // tell that input has begun
	recogSendTimers                    // send START-INPUT-TIMERS
	recogSendStop                      // send STOP
	recogEnd                           // it is over
)

// nextRecog is the transition function.
func nextRecog(s recogState, in recogInput) (recogState, []recogEffect) {
	switch {
	case s == recogEnded:
		return recogEnded, nil
	case in == recogLost:
		return recogEnded, []recogEffect{recogFail, recogEnd}
	case in == recogCompleted && s == recogRequested:
		return recogEnded, []recogEffect{recogAccept, recogFail, recogEnd}
	case in == recogCompleted:
		return recogEnded, []recogEffect{recogFail, recogEnd}
	}
	switch s {
	case recogRequested, recogDoomed:
		return nextUnheard(s, in)
	case recogPending, recogListening, recogHearing:
		return nextListening(s, in)
	default:
		if in == recogStopped {
			return recogEnded, []recogEffect{recogEnd}
		}
		return s, nil
	}
}

func nextUnheard(s recogState, in recogInput) (recogState, []recogEffect) {
	accepted := in == recogQueued || in == recogStarted || in == recogHeard
	switch {
	case in == recogRefused:
		return recogEnded, []recogEffect{recogFail, recogEnd}
	case in == recogWantStop:
		return recogDoomed, nil
	case !accepted:
		return s, nil
	case s == recogDoomed:
		return recogStopping, []recogEffect{recogAccept, recogSendStop}
	case in == recogQueued:
		return recogPending, []recogEffect{recogAccept}
	case in == recogHeard:
		return recogHearing, []recogEffect{recogAccept, recogHear}
	default:
		return recogListening, []recogEffect{recogAccept}
	}
}

// nextListening leaves out START-INPUT-TIMERS once input has begun: there is no
// timer left to start.
func nextListening(s recogState, in recogInput) (recogState, []recogEffect) {
	switch in {
	case recogStarted:
		if s == recogPending {
			return recogListening, nil
		}
	case recogHeard:
		if s != recogHearing {
			return recogHearing, []recogEffect{recogHear}
		}
	case recogWantTimers:
		if s != recogHearing {
			return s, []recogEffect{recogSendTimers}
		}
	case recogWantStop:
		return recogStopping, []recogEffect{recogSendStop}
	}
	return s, nil
}
