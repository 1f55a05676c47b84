package mrcp

import (
	"fmt"
	"slices"
	"testing"
)

// Every pair of state and input of the SPEAK machine: the new state, then effects.
func TestSpeakMachine(t *testing.T) {
	type to struct {
		state   speakState
		effects []speakEffect
	}
	on := func(s speakState, effects ...speakEffect) to { return to{s, effects} }
	const (
		requested, doomed, pending, active = speakRequested, speakDoomed, speakPending, speakActive
		barging, stopping, ended           = speakBarging, speakStopping, speakEnded
		accept, fail, end                  = speakAccept, speakFail, speakEnd
		sendBarge, sendStop                = speakSendBargeIn, speakSendStop
	)
	// Columns: queued, started, refused, completed, wantBargeIn, wantStop, barged, notBarged, stopped, lost.
	table := [speakStates][speakInputs]to{
		requested: {on(pending, accept), on(active, accept), on(ended, fail, end), on(ended, accept, fail, end),
			on(doomed), on(doomed), on(requested), on(requested), on(requested), on(ended, fail, end)},
		doomed: {on(stopping, accept, sendStop), on(stopping, accept, sendStop), on(ended, fail, end), on(ended, fail, end),
			on(doomed), on(doomed), on(doomed), on(doomed), on(doomed), on(ended, fail, end)},
		pending: {on(pending), on(active), on(pending), on(ended, fail, end),
			on(barging, sendBarge), on(stopping, sendStop), on(pending), on(pending), on(pending), on(ended, fail, end)},
		active: {on(active), on(active), on(active), on(ended, fail, end),
			on(barging, sendBarge), on(stopping, sendStop), on(active), on(active), on(active), on(ended, fail, end)},
		barging: {on(barging), on(barging), on(barging), on(ended, fail, end),
			on(barging), on(stopping, sendStop), on(ended, end), on(stopping, sendStop), on(ended, end), on(ended, fail, end)},
		stopping: {on(stopping), on(stopping), on(stopping), on(ended, fail, end),
			on(stopping), on(stopping), on(ended, end), on(stopping), on(ended, end), on(ended, fail, end)},
		ended: {on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended)},
	}
	for s := range speakStates {
		for in := range speakInputs {
			state, effects := nextSpeak(s, in)
			if want := table[s][in]; state != want.state || !slices.Equal(effects, want.effects) {
				t.Errorf("state %d, input %d: %d %v, want %d %v", s, in, state, effects, want.state, want.effects)
			}
		}
	}
}

// Every pair of state and input of the RECOGNIZE machine.
func TestRecogMachine(t *testing.T) {
	type to struct {
		state   recogState
		effects []recogEffect
	}
	on := func(s recogState, effects ...recogEffect) to { return to{s, effects} }
	const (
		requested, doomed, pending, listening = recogRequested, recogDoomed, recogPending, recogListening
		hearing, stopping, ended              = recogHearing, recogStopping, recogEnded
		accept, fail, hear, end               = recogAccept, recogFail, recogHear, recogEnd
		sendTimers, sendStop                  = recogSendTimers, recogSendStop
	)
	// Columns: queued, started, refused, heard, completed, wantTimers, wantStop, stopped, lost.
	table := [recogStates][recogInputs]to{
		requested: {on(pending, accept), on(listening, accept), on(ended, fail, end), on(hearing, accept, hear),
			on(ended, accept, fail, end), on(requested), on(doomed), on(requested), on(ended, fail, end)},
		doomed: {on(stopping, accept, sendStop), on(stopping, accept, sendStop), on(ended, fail, end), on(stopping, accept, sendStop),
			on(ended, fail, end), on(doomed), on(doomed), on(doomed), on(ended, fail, end)},
		pending: {on(pending), on(listening), on(pending), on(hearing, hear),
			on(ended, fail, end), on(pending, sendTimers), on(stopping, sendStop), on(pending), on(ended, fail, end)},
		listening: {on(listening), on(listening), on(listening), on(hearing, hear),
			on(ended, fail, end), on(listening, sendTimers), on(stopping, sendStop), on(listening), on(ended, fail, end)},
		hearing: {on(hearing), on(hearing), on(hearing), on(hearing),
			on(ended, fail, end), on(hearing), on(stopping, sendStop), on(hearing), on(ended, fail, end)},
		stopping: {on(stopping), on(stopping), on(stopping), on(stopping),
			on(ended, fail, end), on(stopping), on(stopping), on(ended, end), on(ended, fail, end)},
		ended: {on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended), on(ended)},
	}
	for s := range recogStates {
		for in := range recogInputs {
			state, effects := nextRecog(s, in)
			if want := table[s][in]; state != want.state || !slices.Equal(effects, want.effects) {
				t.Errorf("state %d, input %d: %d %v, want %d %v", s, in, state, effects, want.state, want.effects)
			}
		}
	}
}

// Whatever happens in whatever order, a request is accepted at most once, ends at
// most once, and nothing follows its end. All sequences up to a length are tried.
func TestMachinesEndOnce(t *testing.T) {
	const depth = 6
	var walkSpeak func(s speakState, accepted, ended, depth int)
	walkSpeak = func(s speakState, accepted, ended, depth int) {
		if accepted > 1 || ended > 1 || (s == speakEnded) != (ended == 1) {
			t.Fatal(fmt.Sprint("speak: state ", s, " accepted ", accepted, " ended ", ended))
		}
		for in := speakInput(0); depth > 0 && in < speakInputs; in++ {
			next, effects := nextSpeak(s, in)
			walkSpeak(next, accepted+count(effects, speakAccept), ended+count(effects, speakEnd), depth-1)
		}
	}
	walkSpeak(speakRequested, 0, 0, depth)
	var walkRecog func(s recogState, accepted, heard, ended, depth int)
	walkRecog = func(s recogState, accepted, heard, ended, depth int) {
		if accepted > 1 || heard > 1 || ended > 1 || (s == recogEnded) != (ended == 1) {
			t.Fatal(fmt.Sprint("recognize: state ", s, " accepted ", accepted, " heard ", heard, " ended ", ended))
		}
		for in := recogInput(0); depth > 0 && in < recogInputs; in++ {
			next, effects := nextRecog(s, in)
			walkRecog(next, accepted+count(effects, recogAccept), heard+count(effects, recogHear), ended+count(effects, recogEnd), depth-1)
		}
	}
	walkRecog(recogRequested, 0, 0, 0, depth)
}

func count[T comparable](list []T, wanted T) int {
	n := 0
	for _, v := range list {
		if v == wanted {
			n++
		}
	}
	return n
}
