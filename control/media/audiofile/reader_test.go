package audiofile_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"

	"mcp/control/media/audiofile"
	"mcp/control/media/record"
)

// files are recordings of two seconds in each format that is read.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"raw": make([]byte, 16000)}
	for i := range all["raw"] {
		all["raw"][i] = byte(i * 7)
	}
	for name, f := range map[string]record.Format{
		"WAV, 16 kHz": {Container: record.WAV, Coding: record.Linear, Rate: 16000, Channels: 2}, "WAV, A-law": {Container: record.WAV, Coding: record.ALaw, Rate: 8000, Channels: 1},
		"MP3": {Container: record.MP3, Bitrate: 32, Rate: 16000, Channels: 1}, "Opus": {Container: record.Ogg, Rate: 16000, Channels: 1},
	} {
		var b bytes.Buffer
		e, err := record.NewEncoder(&b, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range spoken(f.Rate) {
			if err := e.Encode([]int16{s, s}[:f.Channels]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	low, err := os.ReadFile(lame(t, 22050, "-m", "m", "-b", "32"))
	if err != nil {
		t.Fatal(err)
	}
	all["MP3, 22.05 kHz"] = low
	return all
}

func mediaType(name string) string {
	if name == "raw" {
		return "audio/basic"
	}
	return ""
}

// However a recording comes, it is the same; its first half is heard before the second
// is there; and what fails the reader, but for an end, is told.
func TestRecordingsAreDecodedWhileTheyArrive(t *testing.T) {
	broken := errors.New("the server stands still")
	for name, file := range files(t) {
		want, err := audiofile.Decode(mediaType(name), file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for how, from := range map[string]io.Reader{
			"by octets": iotest.OneByteReader(bytes.NewReader(file)), "with its end": iotest.DataErrReader(bytes.NewReader(file)),
		} {
			if got, err := all(mediaType(name), from); err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("%s %s: %d samples of %d, %v", name, how, len(got), len(want), err)
			}
		}
		half := io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(broken))
		if got, err := all(mediaType(name), half); !errors.Is(err, broken) || len(got) < 2*len(want)/5 || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("half of %s: %d samples of %d, %v", name, len(got), len(want), err)
		}
		if _, err := audiofile.NewReader(mediaType(name), iotest.ErrReader(broken)); !errors.Is(err, broken) {
			t.Errorf("nothing of %s: %v", name, err)
		}
	}
}

// all is what can be heard of a recording, and why there is no more.
func all(mediaType string, from io.Reader) (pcm []int16, err error) {
	r, err := audiofile.NewReader(mediaType, from)
	for err == nil {
		var more []int16
		more, err = r.Next()
		pcm = append(pcm, more...)
	}
	return pcm, err
}
