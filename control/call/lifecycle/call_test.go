package lifecycle

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// transitions names every pair of state and trigger that does something. Every
// other pair must change nothing and ask for nothing.
var transitions = map[State]map[Trigger]struct {
	next    State
	effects []Effect
}{
	Offered: {
		Prepared:      {Answering, []Effect{SendAnswer}},
		Refused:       {Over, []Effect{SendRefusal, Finish}},
		Cancelled:     {Aborting, []Effect{AbandonPrepare}},
		FarEndHungUp:  {Aborting, []Effect{AbandonPrepare}},
		ShutDown:      {Aborting, []Effect{AbandonPrepare, SendRefusal}},
		Renegotiation: {Offered, []Effect{RefuseOffer}},
	},
	Aborting: {
		Prepared:         {Over, []Effect{Finish}},
		Refused:          {Over, []Effect{Finish}},
		Acknowledged:     {Over, []Effect{Finish}},
		AcknowledgedBare: {Over, []Effect{Finish}},
		AnswerFailed:     {Over, []Effect{Finish}},
		Renegotiation:    {Aborting, []Effect{RefuseOffer}},
	},
	Answering: {
		Acknowledged:     {Up, []Effect{StartService}},
		AcknowledgedBare: {Waiting, []Effect{AwaitMedia}},
		AnswerFailed:     {Over, []Effect{Finish}},
		Cancelled:        {Aborting, nil},
		FarEndHungUp:     {Aborting, nil},
		ShutDown:         {Aborting, []Effect{SendBye}},
		Renegotiation:    {Answering, []Effect{KeepOffer}},
	},
	Waiting: {
		MediaAgreed:   {Up, []Effect{StartService}},
		FarEndHungUp:  {Over, []Effect{Finish}},
		Cancelled:     {Over, []Effect{Finish}},
		HangUp:        {Over, []Effect{SendBye, Finish}},
		MediaSilent:   {Over, []Effect{SendBye, Finish}},
		ShutDown:      {Over, []Effect{SendBye, Finish}},
		Renegotiation: {Waiting, []Effect{Renegotiate}},
	},
	Up: {
		FarEndHungUp:  {Clearing, []Effect{TellService}},
		Cancelled:     {Clearing, []Effect{TellService}},
		HangUp:        {Clearing, []Effect{SendBye, TellService}},
		MediaSilent:   {Clearing, []Effect{SendBye, TellService}},
		ShutDown:      {Clearing, []Effect{SendBye, TellService}},
		ServiceEnded:  {Over, []Effect{SendBye, Finish}},
		Renegotiation: {Up, []Effect{Renegotiate}},
	},
	Clearing: {
		ServiceEnded:  {Over, []Effect{Finish}},
		Renegotiation: {Clearing, []Effect{RefuseOffer}},
	},
	Over: {},
}

func TestEveryPairOfStateAndTrigger(t *testing.T) {
	for s := Offered; s <= Over; s++ {
		for trigger := Prepared; trigger <= ShutDown; trigger++ {
			t.Run(fmt.Sprintf("%s/%s", s, trigger), func(t *testing.T) {
				want, named := transitions[s][trigger]
				if !named {
					want.next = s
				}
				got, effects := Next(s, trigger)
				if got != want.next || !slices.Equal(effects, want.effects) {
					t.Errorf("next = %v %v, want %v %v", got, effects, want.next, want.effects)
				}
			})
		}
	}
}

// TestEveryCallFinishesOnce walks every sequence of six triggers: whatever the
// order, a call finishes at most once, starts its service at most once, and is
// over exactly when it has finished.
func TestEveryCallFinishesOnce(t *testing.T) {
	const depth = 6
	var walk func(s State, finished, started, left int)
	walk = func(s State, finished, started, left int) {
		if finished > 1 || started > 1 || (s == Over) != (finished == 1) {
			t.Fatalf("state %v: finished %d times, started %d times", s, finished, started)
		}
		if left == 0 {
			return
		}
		for trigger := Prepared; trigger <= ShutDown; trigger++ {
			to, effects := Next(s, trigger)
			f, st := finished, started
			for _, e := range effects {
				switch e {
				case Finish:
					f++
				case StartService:
					st++
				}
			}
			walk(to, f, st, left-1)
		}
	}
	walk(Offered, 0, 0, depth)
}

// What a call goes through is logged by name, and takes nothing where it is not.
func TestStatesInTheLog(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("call", "state", Up, "trigger", HangUp)
	if !strings.Contains(out.String(), `"state":"up","trigger":"hang-up"`) {
		t.Error(out.String())
	}
	out.Reset()
	log.Info("party", "state", Talking, "trigger", Left)
	if !strings.Contains(out.String(), `"state":"talking","trigger":"left"`) {
		t.Error(out.String())
	}
	state := Up
	if n := testing.AllocsPerRun(100, func() { log.Debug("call", "state", state, "trigger", HangUp) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
