package nexus_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"mcp/speech"
	"mcp/speech/nexus"
	"mcp/speech/nexus/audiohook"
	"mcp/speech/nexus/nexustest"
	"mcp/speech/speechtest"
)

// overheard is a conversation of two lines.
func (r *rig) overheard() (speech.Overheard, *speechtest.Line) {
	r.Helper()
	agent := speechtest.NewLine("PCMU")
	caller, err := r.line.Listen()
	r.must(err)
	other, err := agent.Listen()
	r.must(err)
	return speech.Overheard{
		Party: r.line.Who, Language: "en-US", Variables: map[string]string{"queue": "sales"},
		Caller: caller, Agent: other, Codec: r.line.Audio,
	}, agent
}

// sides takes interleaved audio apart.
func sides(audio []byte) (caller, agent []byte) {
	for i := 0; i+1 < len(audio); i += 2 {
		caller, agent = append(caller, audio[i]), append(agent, audio[i+1])
	}
	return caller, agent
}

func TestAssistantsHearBothSides(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	o, agent := r.overheard()
	a, err := r.engine.Assist(t.Context(), o)
	r.must(err)
	session := r.server.Sessions()[0]
	r.line.Speak(bytes.Repeat([]byte{0x11}, 320))
	agent.Speak(bytes.Repeat([]byte{0x22}, 160))
	r.await("both to be heard", func() bool {
		return bytes.Contains(session.Audio(), []byte{0x11}) && bytes.Contains(session.Audio(), []byte{0x22})
	})
	a.Stop()
	<-a.Done()
	caller, other := sides(session.Audio())
	if bytes.Count(caller, []byte{0x11}) != 320 || bytes.Count(other, []byte{0x22}) != 160 || bytes.Contains(caller, []byte{0x22}) {
		t.Errorf("heard %d octets of the caller, %d of the agent", bytes.Count(caller, []byte{0x11}), bytes.Count(other, []byte{0x22}))
	}
	if m := session.Opening().Media[0]; len(m.Channels) != 2 || m.Channels[0] != audiohook.External || m.Channels[1] != audiohook.Internal {
		t.Errorf("offered %+v", m)
	}
	if session.Opening().InputVariables["queue"] != "sales" {
		t.Errorf("variables %v", session.Opening().InputVariables)
	}
	r.await("the end", func() bool { return r.server.Open() == 0 })
	if r.line.Listeners()+agent.Listeners() != 0 {
		t.Error("somebody still listens")
	}
}

// TestAssistantsThatDoNotReadSlowNobody has a far end stop reading: who speaks does not
// notice, and it can be stopped at once.
func TestAssistantsThatDoNotReadSlowNobody(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	r.server.Fail(nexustest.Faults{Deaf: true})
	o, agent := r.overheard()
	a, err := r.engine.Assist(t.Context(), o)
	r.must(err)
	for range 2000 { // forty seconds of both
		r.line.Speak(make([]byte, 160))
		agent.Speak(make([]byte, 160))
	}
	stopped := make(chan struct{})
	go func() { defer close(stopped); a.Stop() }()
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("it cannot be stopped")
	}
}

func TestAssistantsThatFail(t *testing.T) {
	r := newRig(t, "PCMU", nil)
	r.server.Fail(nexustest.Faults{Status: 503})
	o, agent := r.overheard()
	var fault *nexus.Fault
	if _, err := r.engine.Assist(t.Context(), o); !errors.As(err, &fault) || fault.Class != "open_session" {
		t.Errorf("refused: %v", err)
	}
	if r.line.Listeners()+agent.Listeners() != 0 {
		t.Error("somebody still listens")
	}
	r.server.Fail(nexustest.Faults{Garbage: true})
	o, _ = r.overheard()
	a, err := r.engine.Assist(t.Context(), o)
	r.must(err)
	select {
	case <-a.Done():
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	for class, n := range map[string]float64{"open_session": 1, "protocol": 1} {
		if got := r.count("mcp_speech_nexus_errors_total", map[string]string{"use": "assist", "class": class}); got != n {
			t.Errorf("%v errors of class %s", got, class)
		}
	}
}
