// Package lifecycle holds the state machines of package call: that of a call, and
// that of a party whom a call has called. Each is a pure function from a state and
// a trigger, which is what happens, to the next state and to effects, which are what
// is to be done. Package call feeds them and performs the effects.
package lifecycle

import (
	"fmt"
	"log/slog"
)

// State is where a call is in its life.
//
//	           prepared            acknowledged                     far end's
//	Offered ------------> Answering ---------> Up <-------- Waiting  media
//	   |  \                 |    |  `-----------|------------^ no media yet
//	   |   \                |    |              |  hang-up by either side,
//	   |    \ refused       |    | failed       |  or the service has ended
//	   |     \              |    v              v
//	   |     `--------------|--> Over <------ Clearing
//	   | cancelled          |     ^    service ended
//	   `-----> Aborting <---'     |
//	              |  hung up      |
//	              `---------------'
//	                preparation or answering ended
type State uint8

// The states of a call.
const (
	Offered   State = iota // the INVITE is here; media and service are being prepared
	Aborting               // the caller gave up early; preparing or answering is still ending
	Answering              // 200 is out, the ACK is awaited
	Waiting                // answered without media; the service begins when a re-INVITE brings some
	Up                     // the service runs
	Clearing               // the dialog is over or a BYE is out; the service is ending
	Over                   // everything is released and the record is written
)

var stateNames = [...]string{"offered", "aborting", "answering", "waiting", "up", "clearing", "over"}

func (s State) String() string { return nameOf(stateNames[:], uint8(s)) }

// LogValue implements slog.LogValuer: a line that is not written takes no name.
func (s State) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Trigger is what can happen to a call.
type Trigger uint8

// The triggers, in the order a call usually meets them.
const (
	Prepared         Trigger = iota // media and service are ready
	Refused                         // they could not be made ready
	Acknowledged                    // the answer was acknowledged
	AcknowledgedBare                // it was, and there is no media yet
	MediaAgreed                     // a re-INVITE has brought media
	AnswerFailed                    // it was not, or the caller cancelled first
	Cancelled                       // CANCEL
	FarEndHungUp                    // BYE, or the dialog was lost
	HangUp                          // the service asks to hang up
	ServiceEnded                    // the service has returned
	Renegotiation                   // a re-INVITE
	MediaSilent                     // the caller's audio has stayed away for too long
	ShutDown                        // the platform ends the call
)

var triggerNames = [...]string{
	"prepared", "refused", "acknowledged", "acknowledged bare", "media agreed", "answer failed", "cancelled",
	"far end hung up", "hang-up", "service ended", "renegotiation", "media silent", "shut down",
}

func (t Trigger) String() string { return nameOf(triggerNames[:], uint8(t)) }

// LogValue implements slog.LogValuer, as State's.
func (t Trigger) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Effect is what a transition asks to be done.
type Effect uint8

// The effects.
const (
	SendAnswer     Effect = iota // 200 OK with SDP
	SendRefusal                  // the final response that the refusal names
	AbandonPrepare               // cancel the preparation's context
	StartService                 // run the service
	TellService                  // let the service know that the far end is gone
	SendBye                      // end the dialog
	Renegotiate                  // answer a re-INVITE
	KeepOffer                    // a re-INVITE has overtaken the news of the ACK: answer it then
	AwaitMedia                   // see that the far end does not leave it without media for ever
	RefuseOffer                  // refuse a re-INVITE that comes at the wrong time
	Finish                       // release everything, write the record
)

var effectNames = [...]string{
	"send answer", "send refusal", "abandon prepare", "start service", "tell service",
	"send bye", "renegotiate", "keep offer", "await media", "refuse offer", "finish",
}

func (e Effect) String() string { return nameOf(effectNames[:], uint8(e)) }

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Next tells what a trigger does to a call in a state: the state that follows, and
// what is to be done, in that order. A trigger that means nothing in a state, because it
// comes too late, changes nothing.
func Next(s State, t Trigger) (State, []Effect) {
	switch s {
	case Offered:
		return nextOffered(t)
	case Aborting:
		return nextAborting(t)
	case Answering:
		return nextAnswering(t)
	case Waiting:
		return nextWaiting(t)
	case Up:
		return nextUp(t)
	case Clearing:
		return nextClearing(t)
	}
	return s, nil
}

func nextOffered(t Trigger) (State, []Effect) {
	switch t {
	case Prepared:
		return Answering, []Effect{SendAnswer}
	case Refused:
		return Over, []Effect{SendRefusal, Finish}
	case Cancelled, FarEndHungUp:
		return Aborting, []Effect{AbandonPrepare}
	case ShutDown:
		return Aborting, []Effect{AbandonPrepare, SendRefusal}
	case Renegotiation:
		return Offered, []Effect{RefuseOffer}
	}
	return Offered, nil
}

func nextAborting(t Trigger) (State, []Effect) {
	switch t {
	case Prepared, Refused, Acknowledged, AcknowledgedBare, AnswerFailed:
		return Over, []Effect{Finish}
	case Renegotiation:
		return Aborting, []Effect{RefuseOffer}
	}
	return Aborting, nil
}

// nextAnswering leaves a CANCEL to the dialog, which ends the answering with an
// error then. A BYE or a re-INVITE may overtake the news of the ACK before it.
func nextAnswering(t Trigger) (State, []Effect) {
	switch t {
	case Acknowledged:
		return Up, []Effect{StartService}
	case AcknowledgedBare:
		return Waiting, []Effect{AwaitMedia}
	case AnswerFailed:
		return Over, []Effect{Finish}
	case Cancelled, FarEndHungUp:
		return Aborting, nil
	case ShutDown:
		return Aborting, []Effect{SendBye}
	case Renegotiation:
		return Answering, []Effect{KeepOffer}
	}
	return Answering, nil
}

// nextWaiting is a session that was prepared to be run later (RFC 5552 section 2.3).
func nextWaiting(t Trigger) (State, []Effect) {
	switch t {
	case MediaAgreed:
		return Up, []Effect{StartService}
	case FarEndHungUp, Cancelled:
		return Over, []Effect{Finish}
	case HangUp, MediaSilent, ShutDown:
		return Over, []Effect{SendBye, Finish}
	case Renegotiation:
		return Waiting, []Effect{Renegotiate}
	}
	return Waiting, nil
}

func nextUp(t Trigger) (State, []Effect) {
	switch t {
	case FarEndHungUp, Cancelled:
		return Clearing, []Effect{TellService}
	case HangUp, MediaSilent, ShutDown:
		return Clearing, []Effect{SendBye, TellService}
	case ServiceEnded:
		return Over, []Effect{SendBye, Finish}
	case Renegotiation:
		return Up, []Effect{Renegotiate}
	}
	return Up, nil
}

func nextClearing(t Trigger) (State, []Effect) {
	switch t {
	case ServiceEnded:
		return Over, []Effect{Finish}
	case Renegotiation:
		return Clearing, []Effect{RefuseOffer}
	}
	return Clearing, nil
}
