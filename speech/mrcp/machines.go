package mrcp

// The life of one SPEAK request, seen from the client. It is a pure function:
// what happens to the request goes in, what to do about it comes out.
//
//	requested ──200──> pending/active ──SPEAK-COMPLETE──> ended
//	    │                  │   └─barge-in─> barging ──listed──> ended
//	    └─stop─> doomed    └─stop─> stopping <─not listed┘  └─200─> ended
//
// Events and responses may overtake each other, so every state takes every input.

type speakState uint8

const (
	speakRequested speakState = iota // SPEAK sent, no response yet
	speakDoomed                      // as requested, but to be stopped once accepted
	speakPending                     // queued by the server
	speakActive                      // being spoken
	speakBarging                     // BARGE-IN-OCCURRED sent
	speakStopping                    // STOP sent
	speakEnded
	speakStates // their number
)

type speakInput uint8

const (
	speakQueued      speakInput = iota // 200 PENDING
	speakStarted                       // 200 IN-PROGRESS, or an event that implies it
	speakRefused                       // 4xx or 5xx
	speakCompleted                     // SPEAK-COMPLETE, or 200 COMPLETE
	speakWantBargeIn                   // the caller began to speak
	speakWantStop                      // for any other reason it must end
	speakBarged                        // BARGE-IN-OCCURRED answered; our request is in its list
	speakNotBarged                     // answered, and it is not in the list
	speakStopped                       // STOP answered, in whatever way
	speakLost                          // the session is over
	speakInputs                        // their number
)

type speakEffect uint8

const (
	speakAccept      speakEffect = iota // tell who asked that it was accepted
	speakFail                           // note the input's error as the request's own
	speakSendBargeIn                    // send BARGE-IN-OCCURRED
	speakSendStop                       // send STOP
	speakEnd                            // it is over
)

// nextSpeak is the transition function.
func nextSpeak(s speakState, in speakInput) (speakState, []speakEffect) {
	switch {
	case s == speakEnded:
		return speakEnded, nil
	case in == speakLost:
		return speakEnded, []speakEffect{speakFail, speakEnd}
	case in == speakCompleted && s == speakRequested:
		return speakEnded, []speakEffect{speakAccept, speakFail, speakEnd}
	case in == speakCompleted:
		return speakEnded, []speakEffect{speakFail, speakEnd}
	}
	switch s {
	case speakRequested, speakDoomed:
		return nextUnanswered(s, in)
	case speakPending, speakActive:
		return nextSpeaking(s, in)
	default:
		return nextSilencing(s, in)
	}
}

func nextUnanswered(s speakState, in speakInput) (speakState, []speakEffect) {
	switch {
	case in == speakRefused:
		return speakEnded, []speakEffect{speakFail, speakEnd}
	case in == speakWantStop || in == speakWantBargeIn:
		return speakDoomed, nil
	case in != speakQueued && in != speakStarted:
		return s, nil
	case s == speakDoomed:
		return speakStopping, []speakEffect{speakAccept, speakSendStop}
	case in == speakQueued:
		return speakPending, []speakEffect{speakAccept}
	default:
		return speakActive, []speakEffect{speakAccept}
	}
}

func nextSpeaking(s speakState, in speakInput) (speakState, []speakEffect) {
	switch in {
	case speakStarted:
		return speakActive, nil
	case speakWantBargeIn:
		return speakBarging, []speakEffect{speakSendBargeIn}
	case speakWantStop:
		return speakStopping, []speakEffect{speakSendStop}
	}
	return s, nil
}

// nextSilencing waits for the answer that ends it. A server that says it barged
// nothing in may still be speaking, having taken the request for one that must
// not be interrupted, or may have sent SPEAK-COMPLETE just now: STOP settles both.
func nextSilencing(s speakState, in speakInput) (speakState, []speakEffect) {
	switch in {
	case speakBarged, speakStopped:
		return speakEnded, []speakEffect{speakEnd}
	case speakNotBarged:
		if s == speakBarging {
			return speakStopping, []speakEffect{speakSendStop}
		}
	case speakWantStop:
		if s == speakBarging {
			return speakStopping, []speakEffect{speakSendStop}
		}
	}
	return s, nil
}

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
