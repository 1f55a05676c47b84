package e2e

import (
	"io"
	"mcp/cmd/mcplab/caller"
	"mcp/control/media/audiofile"
	"mcp/control/node"
	"mcp/control/reporting"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordings lists the finished recordings with what they hold.
func (r *rig) recordings(n int) (tones [][]float64, paths []string) {
	r.t.Helper()
	await(r.t, "recordings", func() bool {
		paths, _ = filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav"))
		told, _ := filepath.Glob(filepath.Join(r.cfg.Upload.Folder, "*.wav.json"))
		return len(told) >= n
	})
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		pcm, err := audiofile.Decode("audio/wav", data)
		if err != nil {
			r.t.Fatal(err)
		}
		var hz []float64
		for _, tone := range pitched(pcm) {
			hz = append(hz, tone.Hz)
		}
		tones = append(tones, hz)
	}
	return tones, paths
}

// TestMSMLPlayAndRecord is the composite of RFC 5707 section 13.3.
func TestMSMLPlayAndRecord(t *testing.T) {
	for _, tt := range []struct {
		name, script, end string
		heard             []float64
	}{
		{"ended by a key", "listen; say hum 1000 400ms; dtmf #; wait 300ms", "record.complete.termkey", []float64{1000}},
		{"ended by silence", "listen; say hum 1300 400ms; wait 2s", "record.complete.postspeech", []float64{1300}},
		{"nothing said", "listen; wait 2s", "record.failed.prespeech", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.pages.tunes()
			s, p := r.steer(t), r.participate(t, tt.script)
			s.ask(`<dialogstart target="` + p.id + `" name="r">
				<record prespeech="1.5s" postspeech="600ms" maxtime="60s" termkey="#" dest="file://record.wav" format="audio/wav;codecs=pcm">
				<play barge="true"><audio uri="` + r.pages.server.URL + `/400/300ms"/></play>
				<recordexit><send target="source" event="done" namelist="record.len record.end record.recordid"/></recordexit>
				</record></dialogstart>`)
			done := s.event("done", p.id+"/dialog:r")
			if done.value("record.end") != tt.end || done.value("record.recordid") != "file://record.wav" {
				t.Errorf("%+v", done)
			}
			s.event("msml.dialog.exit", p.id+"/dialog:r")
			p.end()
			if tt.heard != nil {
				got, paths := r.recordings(1)
				if !slices.Equal(got[0], tt.heard) {
					t.Errorf("recorded %v", got)
				}
				r.wantRecorded(paths[0])
			}
		})
	}
}

// wantRecorded holds the first call's record to one recording, a file.
func (r *rig) wantRecorded(file string) reporting.Recording {
	r.t.Helper()
	rec := r.record(1)
	if len(rec.Recordings) != 1 || rec.Recordings[0].URI != "file://"+file || rec.Recordings[0].Duration < 300 {
		r.t.Fatalf("recordings %+v", rec.Recordings)
	}
	return rec.Recordings[0]
}

func TestMSMLRecordingGoesToAWebServer(t *testing.T) {
	r := newRig(t, nil)
	put := make(chan []byte, 1)
	r.pages.handle("/up.wav", func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil || q.Method != http.MethodPut {
			t.Errorf("%s: %v", q.Method, err)
		}
		put <- body
	})
	s, p := r.steer(t), r.participate(t, "say hum 700 600ms; wait 500ms")
	s.ask(`<dialogstart target="` + p.id + `" name="r"><record maxtime="800ms" dest="` + r.pages.server.URL + `/up.wav" format="audio/wav;codecs=mulaw"/>
		<exit namelist="record.end"/></dialogstart>`)
	if exit := s.event("msml.dialog.exit", p.id+"/dialog:r"); exit.value("record.end") != "record.complete.maxlength" {
		t.Errorf("%+v", exit)
	}
	pcm, err := audiofile.Decode("audio/wav", <-put)
	if got := caller.Tones(pcm, pitches, time.Second, 100*time.Millisecond); err != nil || len(got) != 1 || got[0].Hz != 700 {
		t.Errorf("%v, %v", got, err)
	}
	p.end()
}

// TestMSMLCallRecording steers a recording with gvp:recorder. A pause, of a connection or
// of the conference it is in, is one of all that records the call.
func TestMSMLCallRecording(t *testing.T) {
	r := newRig(t, func(c *node.Config) {
		c.Recording.Calls, c.Recording.Type = "mixed", "audio/wav;codec=pcm"
	})
	r.pages.tunes()
	s := r.steer(t)
	p := r.participate(t, "listen; say hum 400 300ms; listen; say hum 700 300ms; listen; say hum 1000 300ms; listen; say hum 700 300ms; listen; say hum 400 300ms; wait 300ms")
	recorder := func(object, state string, want int) {
		t.Helper()
		result := s.ask(`<modifyconference id="` + object + `" xmlns:gvp="http://www.genesyslab.com/msml"><gvp:recorder state="` + state + `" type="audio/wav;codec=pcm">
			<gvp:params><gvp:param name="id" value="rec-` + object[:4] + `"/><gvp:param name="agent" value="5001"/></gvp:params></gvp:recorder></modifyconference>`)
		if result.Response != want {
			t.Fatalf("%s: %+v", state, result)
		}
	}
	recorder(p.id, "stop", 430)
	recorder(p.id, "start", 200)
	s.cue(r, p)
	recorder(p.id, "pause", 200)
	s.cue(r, p)
	recorder(p.id, "resume", 200)
	if result := s.ask(`<createconference name="c"/><join id1="` + p.id + `" id2="conf:c"/>`); result.Response != 200 {
		t.Fatalf("%+v", result)
	}
	recorder("conf:c", "pause", 430)
	recorder("conf:c", "start", 200)
	s.cue(r, p)
	recorder("conf:c", "pause", 200)
	s.cue(r, p)
	recorder("conf:c", "stop", 200) // which is the end of the pause
	s.cue(r, p)
	<-p.done
	s.event("msml.conf.nomedia", "conf:c")
	got, paths := r.recordings(3)
	for i, path := range paths {
		want := []float64{400, 1000, 400}
		switch {
		case strings.HasSuffix(path, "rec-conf.wav"):
			want = []float64{1000}
		case len(got[i]) == 0: // of the client's call
			continue
		}
		if said := uncued(got[i]); !slices.Equal(said, want) {
			t.Errorf("recorded %v in %s, want %v", said, path, want)
		}
	}
	path := filepath.Join(r.cfg.Upload.Folder, "rec-conn.wav")
	told, err := os.ReadFile(path + ".json")
	if err != nil || !strings.Contains(string(told), `"agent": "5001"`) {
		t.Errorf("metadata %s, %v", told, err)
	}
	if rec := r.record(1); !slices.ContainsFunc(rec.Recordings, func(one reporting.Recording) bool { return one.ID == "rec-conn" && one.URI == "file://"+path }) {
		t.Errorf("recordings %+v", rec.Recordings)
	}
}
