package lifecycle

import (
	"fmt"
	"slices"
	"testing"
)

// partyTransitions names every pair that does something; every other must change
// nothing and ask for nothing.
var partyTransitions = map[PartyState]map[PartyTrigger]struct {
	next    PartyState
	effects []PartyEffect
}{
	Calling: {
		Rang:      {Calling, []PartyEffect{HearEarly}},
		Accepted:  {Talking, []PartyEffect{TellAnswered}},
		Declined:  {Gone, []PartyEffect{Forget}},
		Changed:   {Calling, []PartyEffect{RefuseParty}},
		Dismissed: {Withdrawing, []PartyEffect{CancelInvite}},
	},
	Withdrawing: {
		Accepted: {Leaving, []PartyEffect{HangUpParty}},
		Declined: {Gone, []PartyEffect{Forget}},
		Changed:  {Withdrawing, []PartyEffect{RefuseParty}},
	},
	Talking: {
		Changed:   {Talking, []PartyEffect{AnswerParty}},
		Dismissed: {Leaving, []PartyEffect{HangUpParty}},
		Left:      {Gone, []PartyEffect{Forget}},
	},
	Leaving: {
		Changed: {Leaving, []PartyEffect{RefuseParty}},
		Left:    {Gone, []PartyEffect{Forget}},
	},
	Gone: {},
}

func TestEveryPairOfPartyStateAndTrigger(t *testing.T) {
	for s := Calling; s <= Gone; s++ {
		for trigger := Rang; trigger <= Left; trigger++ {
			t.Run(fmt.Sprintf("%s/%s", s, trigger), func(t *testing.T) {
				want, named := partyTransitions[s][trigger]
				if !named {
					want.next = s
				}
				got, effects := NextParty(s, trigger)
				if got != want.next || !slices.Equal(effects, want.effects) {
					t.Errorf("next = %v %v, want %v %v", got, effects, want.next, want.effects)
				}
			})
		}
	}
}

// TestEveryPartyIsForgottenOnce walks every sequence of six triggers: a party is
// forgotten once, when it is gone, and is hung up or cancelled at most once.
func TestEveryPartyIsForgottenOnce(t *testing.T) {
	const depth = 6
	var walk func(s PartyState, done map[PartyEffect]int, left int)
	walk = func(s PartyState, done map[PartyEffect]int, left int) {
		if (s == Gone) != (done[Forget] == 1) || done[TellAnswered] > 1 || done[HangUpParty] > 1 || done[CancelInvite] > 1 {
			t.Fatalf("state %v: %v", s, done)
		}
		if left == 0 {
			return
		}
		for trigger := Rang; trigger <= Left; trigger++ {
			to, effects := NextParty(s, trigger)
			now := map[PartyEffect]int{}
			for e, n := range done {
				now[e] = n
			}
			for _, e := range effects {
				now[e]++
			}
			walk(to, now, left-1)
		}
	}
	walk(Calling, map[PartyEffect]int{}, depth)
}
