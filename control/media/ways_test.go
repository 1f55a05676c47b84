package media_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"mcp/control/media"
	"mcp/control/media/audiofile"
	"mcp/control/media/clock"
	"mcp/control/media/codec"
	"mcp/control/media/conference"
	"mcp/control/media/mediatest"
	"mcp/control/media/record"
	"mcp/control/media/record/cms"
	"mcp/control/media/record/store"
	"mcp/control/media/resample"
)

// everyCodec are those of calls and the one that recordings are of.
func everyCodec() []codec.Codec { return append(codec.Spoken(), codec.L16) }

var loopback = netip.MustParseAddr("127.0.0.1")

// stage is a call in memory.
type stage struct {
	*testing.T
	plane   *mediatest.Plane
	engine  *media.Engine
	session *media.Session
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t, plane: mediatest.NewPlane()}
	var err error
	s.engine, err = media.NewEngine(media.Config{}, s.plane, slog.New(slog.DiscardHandler))
	must(t, err)
	s.session = s.engine.NewSession("call")
	return s
}

func (s *stage) close() {
	s.session.Close()
	must(s.T, s.engine.Close())
}

// enter opens a leg towards a far end that speaks a codec.
func (s *stage) enter(name string, c codec.Codec) (*media.Leg, *mediatest.Far) {
	s.Helper()
	leg, err := s.session.OpenLeg(name, loopback)
	must(s.T, err)
	far, err := s.plane.Connect(leg, c, clock.Frame)
	must(s.T, err)
	return leg, far
}

// say says something in packets of 20 ms, and lets pass as long after each.
func say(t *testing.T, far *mediatest.Far, c codec.Codec, pcm []int16, tick func()) {
	t.Helper()
	for n := c.SampleRate() / 50; len(pcm) >= n; pcm = pcm[n:] {
		must(t, far.Say(pcm[:n]))
		tick()
	}
}

// heardOf is what a far end has heard from a packet on, as one stream.
func heardOf(t *testing.T, far *mediatest.Far, from int) []int16 {
	t.Helper()
	pcm, err := far.Heard(from)
	must(t, err)
	if at := far.Broken(); at != 0 {
		t.Errorf("the stream breaks at packet %d", at)
	}
	return pcm
}

// played are prompts: files of every kind in G.711, one kind in every codec, and what
// an engine writes while it plays.
func played() (ways []way) {
	for _, mediaType := range []string{
		"audio/wav;codec=ulaw", "audio/wav;codec=alaw", "audio/wav;codec=pcm;rate=16000", "audio/basic", "audio/x-alaw-basic",
		"audio/mpeg;bitrate=16;rate=16000", "audio/mpeg;bitrate=32;rate=16000", "audio/ogg", "audio/ogg;rate=16000",
	} {
		f, err := record.ParseType(mediaType)
		ways = append(ways, way{"played/" + mediaType, f.Rate, codec.Narrowband, []string{string(f.Container), "PCMU"}, func(t *testing.T, said []int16) []int16 {
			must(t, err)
			return playFile(t, codec.PCMU, f, said)
		}})
	}
	plain := record.Format{Container: record.WAV, Coding: record.Linear, Rate: codec.Narrowband, Channels: 1}
	for _, c := range everyCodec() {
		ways = append(ways, way{"played/" + c.Name, codec.Narrowband, c.SampleRate(), []string{c.Name}, func(t *testing.T, said []int16) []int16 {
			return playFile(t, c, plain, said)
		}}, way{"played live/" + c.Name, codec.Narrowband, c.SampleRate(), []string{"PCMU", c.Name}, func(t *testing.T, said []int16) []int16 {
			return playLive(t, c, said)
		}})
	}
	return ways
}

// written is a file of what is said.
func written(t *testing.T, f record.Format, pcm []int16) []byte {
	t.Helper()
	var b record.Memory
	e, err := record.NewEncoder(&b, f)
	must(t, err)
	must(t, errors.Join(e.Encode(pcm), e.Close()))
	return b.Bytes()
}

func playFile(t *testing.T, c codec.Codec, f record.Format, said []int16) (heard []int16) {
	file := written(t, f, said)
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.close()
		leg, far := s.enter("caller", c)
		clip, err := media.DecodeClip(f.MediaType(), file, c)
		must(t, err)
		b, err := s.session.Play(leg, clip)
		must(t, err)
		<-b.Done()
		must(t, b.Err())
		heard = heardOf(t, far, 0)
	})
	return heard
}

// playLive plays what comes piece by piece, as engines give it.
func playLive(t *testing.T, c codec.Codec, said []int16) (heard []int16) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.close()
		leg, far := s.enter("caller", c)
		live := media.NewLive(c)
		octets, err := media.Law(c).Encode(said)
		must(t, err)
		b, err := s.session.PlayLive(leg, live)
		must(t, err)
		for piece := range slices.Chunk(octets, 700) {
			_, err := live.Write(piece)
			must(t, err)
		}
		live.End(nil)
		<-b.Done()
		must(t, b.Err())
		heard = heardOf(t, far, 0)
	})
	return heard
}

// bridges are calls of two legs, in every two codecs: relayed where they are the same,
// transcoded where they are not.
func bridges() (ways []way) {
	for _, from := range everyCodec() {
		for _, to := range everyCodec() {
			ways = append(ways, way{"bridged/" + from.Name + " to " + to.Name, from.SampleRate(), to.SampleRate(), []string{from.Name, to.Name}, func(t *testing.T, said []int16) []int16 {
				s := newStage(t)
				defer s.close()
				caller, says := s.enter("caller", from)
				called, hears := s.enter("called", to)
				must(t, s.session.Join(caller, called))
				say(t, says, from, said, func() {})
				return heardOf(t, hears, 0)
			}})
		}
	}
	return ways
}

// mixes are conferences of three, of whom one speaks, in every two codecs.
func mixes() (ways []way) {
	for _, from := range everyCodec() {
		for _, to := range everyCodec() {
			ways = append(ways, way{"mixed/" + from.Name + " to " + to.Name, from.SampleRate(), to.SampleRate(), []string{from.Name, to.Name}, func(t *testing.T, said []int16) []int16 {
				return mix(t, from, to, said)
			}})
		}
	}
	return ways
}

func mix(t *testing.T, from, to codec.Codec, said []int16) []int16 {
	s := newStage(t)
	defer s.close()
	b := conference.NewBridge(new(clock.Clock), slog.New(slog.DiscardHandler))
	defer func() { must(t, b.Close()) }()
	room, err := b.Open("room", conference.Options{Wideband: true})
	must(t, err)
	caller, says := s.enter("caller", from)
	called, hears := s.enter("called", to)
	third, _ := s.enter("third", codec.PCMU)
	for i, leg := range []*media.Leg{caller, called, third} {
		must(t, room.Join(leg, conference.Member{ID: fmt.Sprint(i)}))
	}
	for range 5 { // the plane has relayed the first two, and leaves them to the mixer
		room.Tick()
	}
	before := len(hears.Packets())
	say(t, says, from, said, room.Tick)
	return heardOf(t, hears, before)
}

// recordings are of what a leg says in G.711, in each format: in the clear as it is
// written, and as the owner of the key opens what is on the disk.
func recordings(o *owner) (ways []way) {
	for _, mediaType := range []string{
		"audio/wav;codec=ulaw", "audio/wav;codec=alaw", "audio/wav;codec=pcm", "audio/wav;codec=pcm;rate=16000", "audio/basic", "audio/x-alaw-basic",
		"audio/mpeg;bitrate=16", "audio/mpeg;bitrate=32", "audio/mpeg;bitrate=32;rate=16000", "audio/ogg", "audio/ogg;rate=16000",
	} {
		f, err := record.ParseType(mediaType)
		for name, sealed := range map[string]*owner{"recorded/": nil, "recorded and encrypted/": o} {
			ways = append(ways, way{name + mediaType, codec.Narrowband, codec.Narrowband, []string{"PCMU", string(f.Container)}, func(t *testing.T, said []int16) []int16 {
				must(t, err)
				return recordFor(t, sealed, f, said)
			}})
		}
	}
	return ways
}

// recordFor records for somebody who can open it; nil: everybody can.
func recordFor(t *testing.T, o *owner, f record.Format, said []int16) []int16 {
	s := newStage(t)
	defer s.close()
	c := store.Config{Folder: t.TempDir(), Clock: new(clock.Clock)}
	if o != nil {
		c.Certificates = o.certificates
	}
	kept, err := store.New(c, slog.New(slog.DiscardHandler))
	must(t, err)
	r, err := kept.Begin(store.Request{Options: record.Options{Format: f}})
	must(t, err)
	leg, far := s.enter("caller", codec.PCMU)
	must(t, r.Hear(0, leg))
	say(t, far, codec.PCMU, said, r.Tick)
	r.Stop()
	<-r.Finished()
	file, err := os.ReadFile(r.Path)
	must(t, err)
	if o != nil {
		file = o.open(t, r.Path)
	}
	return decoded(t, f, file)
}

// owner is who can open recordings: what openssl has made of it, in a folder.
type owner struct{ dir string }

func newOwner(t *testing.T) *owner {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	o := &owner{t.TempDir()}
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=recordings", "-addext", "keyUsage=keyEncipherment",
		"-keyout", o.file("key.pem"), "-out", o.file("cert.pem"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl req: %v\n%s", err, out)
	}
	return o
}

func (o *owner) file(name string) string { return filepath.Join(o.dir, name) }

func (o *owner) certificates() ([]*x509.Certificate, error) {
	text, err := os.ReadFile(o.file("cert.pem"))
	if err != nil {
		return nil, err
	}
	return cms.ParseCertificates(text)
}

// open decrypts a recording.
func (o *owner) open(t *testing.T, path string) []byte {
	t.Helper()
	out, err := exec.Command("openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", path,
		"-recip", o.file("cert.pem"), "-inkey", o.file("key.pem")).Output()
	if err != nil {
		t.Fatalf("openssl cms -decrypt: %v", err)
	}
	return out
}

// decoded is a file's audio at 8 kHz; MP3 is read by a decoder that nobody here wrote.
func decoded(t *testing.T, f record.Format, file []byte) []int16 {
	t.Helper()
	if f.Container != record.MP3 {
		pcm, err := audiofile.Decode(f.MediaType(), file)
		must(t, err)
		return pcm
	}
	if _, err := exec.LookPath("mpg123"); err != nil {
		t.Skip("mpg123 is not installed")
	}
	cmd := exec.Command("mpg123", "-q", "-s", "-")
	cmd.Stdin = bytes.NewReader(file)
	out, err := cmd.Output()
	must(t, err)
	pcm := make([]int16, len(out)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(out[2*i:]))
	}
	return resample.Whole(pcm, f.Rate, codec.Narrowband)
}
