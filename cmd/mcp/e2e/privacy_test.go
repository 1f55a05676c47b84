package e2e

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mcp/control/media/audiofile"
	"mcp/control/node"
	"mcp/control/service/siprec/siprectest"
)

// twoFields asks twice, the second time for what is nobody's business.
const twoFields = `<field name="public"><prompt>one</prompt>` + voiceGrammar + `</field>
	<field name="secret"><property name="com.genesyslab.private" value="true"/><prompt>two</prompt>` + voiceGrammar + `</field>`

// recordedTwice is a platform whose calls are recorded to files and by a recording server.
func recordedTwice(t *testing.T) (*rig, *siprectest.Server) {
	t.Helper()
	server, err := siprectest.Start(siprectest.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return newRig(t, func(c *node.Config) {
		c.Recording.Calls, c.Recording.Type, c.Recording.Server.URI = "mixed", "audio/wav;codec=pcm", server.URI()
	}), server
}

// TestPrivateInputIsNotRecorded has a caller say something, and something else in private:
// nothing that records the call, by the operator's order or the page's, has the latter.
func TestPrivateInputIsNotRecorded(t *testing.T) {
	t.Parallel()
	r, server := recordedTwice(t)
	r.pages.page("/main.vxml", `<form><block><log xmlns:gvp="http://www.genesyslab.com/2006/vxml21-extension"
		gvp:dest="calllog">enable callrec recsrc=mixed type=audio/wav;codec=pcm;</log></block>`+twoFields+`<block><disconnect/></block></form>`)
	if _, err := r.dial(t.Context(), r.target(), "listen; say hum 700 400ms; listen; say hum 1000 400ms; await"); err != nil {
		t.Fatal(err)
	}
	session := <-server.Sessions()
	<-session.Ended
	r.wantRecordings(t, 2, []float64{700})
	wantStreamed(t, session, []float64{700})
	r.nothingLeft()
}

// TestPausesReachEveryRecording begins a recording by MSML beside those of all calls. What
// is said while it is paused, or to a page in private, is in none of them.
func TestPausesReachEveryRecording(t *testing.T) {
	t.Parallel()
	r, server := recordedTwice(t)
	r.pages.tunes()
	r.pages.page("/page.vxml", `<form>`+twoFields+`<block><exit/></block></form>`)
	s := r.steer(t)
	p := r.participate(t, "listen; say hum 700 400ms; listen; say hum 1000 400ms; listen; say hum 1300 300ms; listen; say hum 400 300ms; wait 1s")
	recorder := func(state string) {
		t.Helper()
		result := s.ask(`<modifyconference id="` + p.id + `" xmlns:gvp="http://www.genesyslab.com/msml"><gvp:recorder state="` + state + `" type="audio/wav;codec=pcm"/></modifyconference>`)
		if result.Response != 200 {
			t.Fatalf("%s: %+v", state, result)
		}
	}
	recorder("start")
	s.ask(`<dialogstart target="` + p.id + `" name="v" type="application/vxml+xml" src="` + r.pages.server.URL + `/page.vxml"/>`)
	s.event("msml.dialog.exit", p.id+"/dialog:v")
	recorder("pause")
	s.cue(r, p)
	recorder("resume")
	s.cue(r, p)
	<-p.done
	s.hangUp()
	var streamed *siprectest.Session
	for range 2 { // one is of the client's call
		session := <-server.Sessions()
		<-session.Ended
		if len(session.Streams[0].Packets()) > 0 {
			streamed = session
		}
	}
	r.wantRecordings(t, 2, []float64{700, 400})
	wantStreamed(t, streamed, []float64{700, 400})
	r.nothingLeft()
}

// wantRecordings waits for so many files in which anything is said, and holds all to the
// same tones, cues aside.
func (r *rig) wantRecordings(t *testing.T, n int, want []float64) {
	t.Helper()
	await(t, "the recordings", func() bool {
		found, _ := filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav.json"))
		return len(found) >= n
	})
	paths, err := filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav"))
	if err != nil {
		t.Fatal(err)
	}
	spoken := 0
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pcm, err := audiofile.Decode("audio/wav", file)
		if err != nil {
			t.Fatal(err)
		}
		switch got := said(pcm); {
		case len(got) == 0: // of the client's call
		case slices.Equal(got, want):
			spoken++
		default:
			t.Errorf("%s has %v, want %v", filepath.Base(path), got, want)
		}
	}
	if spoken != n {
		t.Errorf("%d of %d recordings have %v", spoken, len(paths), want)
	}
}

// wantStreamed holds what a recording server was sent of a caller to some tones.
func wantStreamed(t *testing.T, session *siprectest.Session, want []float64) {
	t.Helper()
	if session == nil {
		t.Fatal("the recording server was sent nothing")
	}
	pcm, err := session.Streams[0].PCM()
	if got := said(pcm); err != nil || !slices.Equal(got, want) {
		t.Errorf("the recording server has %v, want %v: %v", got, want, err)
	}
}

// said are the tones in a recording that are no cues.
func said(pcm []int16) (hz []float64) {
	for _, tone := range pitched(pcm) {
		if tone.Duration >= 150*time.Millisecond {
			hz = append(hz, tone.Hz)
		}
	}
	return uncued(hz)
}
