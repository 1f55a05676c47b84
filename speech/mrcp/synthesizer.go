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
