package lifecycle

import "log/slog"

// PartyState is where a party, somebody whom a call has called, is in its life.
//
//	          accepted           left
//	Calling -----------> Talking -----> Gone
//	   |  \                 |            ^
//	   |   \ declined       | dismissed  |
//	   |    `---------------|----------->|
//	   | dismissed          v            |
//	   |                 Leaving --------|
//	   |                    ^     left   |
//	   v          accepted  |            |
//	Withdrawing ------------'            |
//	       `-----------------------------'
//	               declined
type PartyState uint8

// The states of a party.
const (
	Calling     PartyState = iota // the INVITE is out
	Withdrawing                   // it is being cancelled
	Talking                       // the party has answered
	Leaving                       // a BYE is out
	Gone                          // the leg is closed; what follows comes too late
)

var partyStateNames = [...]string{"calling", "withdrawing", "talking", "leaving", "gone"}

func (s PartyState) String() string { return nameOf(partyStateNames[:], uint8(s)) }

// LogValue implements slog.LogValuer, as State's.
func (s PartyState) LogValue() slog.Value { return slog.StringValue(s.String()) }

// PartyTrigger is what can happen to a party.
type PartyTrigger uint8

// The triggers, in the order a party usually meets them.
const (
	Rang      PartyTrigger = iota // a provisional response, perhaps with early media
	Accepted                      // the party has answered, and media is agreed
	Declined                      // it has not, or the call was cancelled
	Changed                       // a re-INVITE
	Dismissed                     // the call does not want the party any more
	Left                          // BYE, from either side, or the dialog was lost
)

var partyTriggerNames = [...]string{"rang", "accepted", "declined", "changed", "dismissed", "left"}

func (t PartyTrigger) String() string { return nameOf(partyTriggerNames[:], uint8(t)) }

// LogValue implements slog.LogValuer, as State's.
func (t PartyTrigger) LogValue() slog.Value { return slog.StringValue(t.String()) }

// PartyEffect is what a party's transition asks to be done.
type PartyEffect uint8

// The effects.
const (
	HearEarly    PartyEffect = iota // connect the leg as the provisional response says
	CancelInvite                    // give the call to the party up
	TellAnswered                    // let the service know
	HangUpParty                     // send a BYE
	AnswerParty                     // answer a re-INVITE
	RefuseParty                     // refuse a re-INVITE that comes at the wrong time
	Forget                          // close the leg, let the service know
)

var partyEffectNames = [...]string{
	"hear early", "cancel invite", "tell answered", "hang up party", "answer party", "refuse party", "forget",
}

func (e PartyEffect) String() string { return nameOf(partyEffectNames[:], uint8(e)) }

// NextParty tells what a trigger does to a party in a state, as Next does of a call.
func NextParty(s PartyState, t PartyTrigger) (PartyState, []PartyEffect) {
	if t == Changed && s != Talking && s != Gone {
		return s, []PartyEffect{RefuseParty}
	}
	switch s {
	case Calling:
		return nextCalling(t)
	case Withdrawing:
		switch t {
		case Accepted:
			return Leaving, []PartyEffect{HangUpParty}
		case Declined:
			return Gone, []PartyEffect{Forget}
		}
	case Talking:
		switch t {
		case Changed:
			return Talking, []PartyEffect{AnswerParty}
		case Dismissed:
			return Leaving, []PartyEffect{HangUpParty}
		case Left:
			return Gone, []PartyEffect{Forget}
		}
	case Leaving:
		if t == Left {
			return Gone, []PartyEffect{Forget}
		}
	}
	return s, nil
}

func nextCalling(t PartyTrigger) (PartyState, []PartyEffect) {
	switch t {
	case Rang:
		return Calling, []PartyEffect{HearEarly}
	case Accepted:
		return Talking, []PartyEffect{TellAnswered}
	case Declined:
		return Gone, []PartyEffect{Forget}
	case Dismissed:
		return Withdrawing, []PartyEffect{CancelInvite}
	}
	return Calling, nil
}
