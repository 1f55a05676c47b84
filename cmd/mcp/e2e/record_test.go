package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/media/measure"
)

// posted is what a page has submitted.
type posted struct {
	audio  []byte
	values map[string]string
}

// receive makes a page that takes a recording, and says good-bye.
func (r *rig) receive(path string) *posted {
	got := &posted{values: map[string]string{}}
	r.pages.handle(path, func(w http.ResponseWriter, q *http.Request) {
		if err := q.ParseMultipartForm(1 << 24); err != nil {
			r.t.Error(err)
		} else {
			for name, values := range q.MultipartForm.Value {
				got.values[name] = values[0]
			}
			for _, files := range q.MultipartForm.File {
				f, err := files[0].Open()
				if err != nil {
					r.t.Error(err)
					continue
				}
				got.audio, _ = io.ReadAll(f)
				got.values["type"] = files[0].Header.Get("Content-Type")
				f.Close()
			}
		}
		fmt.Fprint(w, `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml"><form><block><disconnect/></block></form></vxml>`)
	})
	return got
}

// TestRecord records the caller, and holds what a web server gets to what was said.
func TestRecord(t *testing.T) {
	for name, tt := range map[string]struct {
		attributes, script string
		values             map[string]string
	}{
		"ended by silence": {
			attributes: `beep="true" finalsilence="1s" type="audio/x-wav"`, script: "hear; wait 400ms; say one two three four five; await",
			values: map[string]string{"maxtime": "false", "type": "audio/wav;codec=ulaw"},
		},
		"ended by a key": {
			attributes: `dtmfterm="true" type="audio/wav;codec=alaw" finalsilence="20s"`, script: "say one two three four five; wait 500ms; dtmf 5; await",
			values: map[string]string{"maxtime": "false", "termchar": "5", "type": "audio/wav;codec=alaw"},
		},
		"ended by its limit": {
			attributes: `maxtime="1500ms" type="audio/wav;codec=pcm"`, script: "say one two three four five six seven eight nine ten; await",
			values: map[string]string{"maxtime": "true", "type": "audio/wav;codec=pcm"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.page("/main.vxml", `<form><record name="r" `+tt.attributes+`><noinput><exit/></noinput><filled>
				<var name="maxtime" expr="r$.maxtime"/><var name="termchar" expr="r$.termchar"/><var name="duration" expr="r$.duration"/>
				<submit next="/end" method="post" enctype="multipart/form-data" namelist="r maxtime termchar duration"/></filled></record></form>`)
			got := r.receive("/end")
			if _, err := r.call(t.Context(), tt.script); err != nil && !strings.Contains(err.Error(), "hung up") {
				t.Fatal(err) // it may hang up before the caller has finished
			}
			for k, v := range tt.values {
				if got.values[k] != v {
					t.Errorf("%s is %q, want %q", k, got.values[k], v)
				}
			}
			r.wantBeeps(got.audio)
			r.nothingLeft()
		})
	}
}

// wantBeeps holds a recording to what the caller said: the engine's beeps.
func (r *rig) wantBeeps(audio []byte) {
	r.t.Helper()
	pcm, err := audiofile.Decode("audio/wav", audio)
	if err != nil {
		r.t.Fatal(err)
	}
	wantHeard(r.t, "the recording", r.speech.engine.Beeps(5)[:8000], pcm)
}

// wantHeard holds audio to what was said, piece by piece: on a busy machine some of
// it comes late, and something stands in for it.
func wantHeard(t *testing.T, what string, said, heard []int16) {
	t.Helper()
	const piece = 1600
	found, of := 0, 0
	var likest float64
	for ; len(said) >= piece; said = said[piece:] {
		if measure.Level(said[:piece]) < -40 {
			continue
		}
		of++
		delay, like := measure.Delay(said[:piece], heard, 8000, time.Duration(len(heard)-piece-1)*time.Second/8000)
		at := heard[int(delay*8000/time.Second):]
		likest = max(likest, like)
		if like > 0.9 && math.Abs(measure.Level(at[:piece])-measure.Level(said[:piece])) < 1.5 {
			found++
		}
	}
	if of == 0 || 2*found < of {
		t.Errorf("%s: %d of %d pieces of what was said are heard, the likest by %.2f", what, found, of, likest)
	}
}

// TestRecordPlayedBack lets the caller hear what it said.
func TestRecordPlayedBack(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<form><record name="r" finalsilence="800ms" type="audio/basic"><filled>
		<prompt><audio expr="r"/></prompt><disconnect/></filled></record></form>`)
	summary, err := r.call(t.Context(), "say one two three; await")
	if err != nil {
		t.Fatal(err)
	}
	if heard := heardFor(summary); heard < 500*time.Millisecond {
		t.Errorf("the caller heard itself for %s", heard)
	}
	if faults := summary.Received.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	r.nothingLeft()
}

// TestRecordRefused throws what VoiceXML names for what cannot be recorded.
func TestRecordRefused(t *testing.T) {
	r := newRig(t, nil)
	r.pages.page("/main.vxml", `<form><catch event="error.unsupported.format"><submit next="/caught"/></catch>
		<record name="r" type="video/quicktime"/></form>`)
	r.pages.page("/caught", `<form><record name="r" type="audio/x-wav"><noinput><submit next="/silent"/></noinput></record></form>`)
	r.pages.page("/silent", `<form><block><disconnect/></block></form>`)
	r.pages.page("/root.vxml", ``)
	if _, err := r.call(t.Context(), "await"); err != nil {
		t.Fatal(err)
	}
	asked := strings.Join(r.pages.requests(), " ")
	if !strings.Contains(asked, "/caught") || !strings.Contains(asked, "/silent") {
		t.Errorf("pages asked for: %s", asked)
	}
	r.nothingLeft()
}

// TestUtteranceRecorded submits what a recognizer has understood as it was said, and
// lets the caller hear it.
func TestUtteranceRecorded(t *testing.T) {
	for name, tt := range map[string]struct{ hears, event string }{
		"understood":     {hears: "one two", event: "filled"},
		"not understood": {hears: "", event: "nomatch"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.page("/main.vxml", `<property name="recordutterance" value="true"/><property name="recordutterancetype" value="audio/wav;codec=alaw"/>
				<property name="com.genesyslab.private" value="true"/>
				<form><field name="x"><grammar mode="voice" root="r" version="1.0"><rule id="r">one two</rule></grammar>
				<`+tt.event+`><prompt><audio expr="application.lastresult$.recording"/></prompt>
				<var name="r" expr="application.lastresult$.recording"/><var name="size" expr="application.lastresult$.recordingsize"/>
				<var name="duration" expr="application.lastresult$.recordingduration"/>
				<submit next="/end" method="post" enctype="multipart/form-data" namelist="r size duration"/></`+tt.event+`></field></form>`)
			got := r.receive("/end")
			r.speech.engine.Hear(tt.hears)
			summary, err := r.call(t.Context(), "wait 1s; say one two; await")
			if err != nil {
				t.Fatal(err)
			}
			if got.values["type"] != "audio/wav;codec=alaw" || got.values["size"] != fmt.Sprint(len(got.audio)) {
				t.Errorf("%d octets are said to be %v", len(got.audio), got.values)
			}
			pcm, err := audiofile.Decode("audio/wav", got.audio)
			if err != nil {
				t.Fatal(err)
			}
			if got.values["duration"] != fmt.Sprint(len(pcm)/8) {
				t.Errorf("%d ms are said to be %s", len(pcm)/8, got.values["duration"])
			}
			said := r.speech.engine.Beeps(2)
			wantHeard(t, "the recording", said, pcm)
			if over := time.Duration(len(pcm)-len(said)) * time.Second / 8000; over > 800*time.Millisecond {
				t.Errorf("the recording is longer by %s than what was said", over)
			}
			if heard := heardFor(summary); heard < 200*time.Millisecond {
				t.Errorf("the caller heard itself for %s", heard)
			}
			r.nothingLeft()
		})
	}
}
