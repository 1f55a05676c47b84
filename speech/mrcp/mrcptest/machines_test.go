package mrcptest

import "testing"

func TestSynthMachine(t *testing.T) {
	methods := []string{"SPEAK", "STOP", "BARGE-IN-OCCURRED", "PAUSE", "RESUME", "CONTROL", "DEFINE-LEXICON", "RECOGNIZE", ""}
	for state, want := range map[synthState][]synthAction{
		synthIdle:     {synthStart, synthNothing, synthNothing, synthInvalid, synthInvalid, synthNothing, synthLexicon, synthUnknown, synthUnknown},
		synthSpeaking: {synthQueue, synthStop, synthBargeIn, synthPause, synthAcknowledge, synthControl, synthInvalid, synthUnknown, synthUnknown},
		synthPaused:   {synthQueue, synthStop, synthBargeIn, synthAcknowledge, synthResume, synthControl, synthInvalid, synthUnknown, synthUnknown},
	} {
		for i, method := range methods {
			if got := nextSynth(state, method); got != want[i] {
				t.Errorf("state %d, %s: %d, want %d", state, method, got, want[i])
			}
		}
	}
}

func TestRecogMachine(t *testing.T) {
	methods := []string{"DEFINE-GRAMMAR", "RECOGNIZE", "STOP", "START-INPUT-TIMERS", "GET-RESULT", "INTERPRET", "SPEAK", ""}
	for state, want := range map[recogState][]recogAction{
		recogIdle:        {recogDefine, recogStart, recogNothing, recogInvalid, recogTellResult, recogInterpret, recogUnknown, recogUnknown},
		recogRecognizing: {recogInvalid, recogQueue, recogStop, recogStartTimers, recogInvalid, recogInvalid, recogUnknown, recogUnknown},
	} {
		for i, method := range methods {
			if got := nextRecog(state, method); got != want[i] {
				t.Errorf("state %d, %s: %d, want %d", state, method, got, want[i])
			}
		}
	}
}
