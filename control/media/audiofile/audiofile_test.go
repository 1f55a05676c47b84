package audiofile

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"
	"testing"

	"mcp/control/media/codec"
	"mcp/control/media/resample"
)

// wav makes a file of chunks.
func wav(chunks ...[]byte) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVE")
	for _, c := range chunks {
		b = append(b, c...)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func chunk(id string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func fmtChunk(tag, channels, rate, bits int) []byte {
	b := make([]byte, 16)
	binary.LittleEndian.PutUint16(b, uint16(tag))
	binary.LittleEndian.PutUint16(b[2:], uint16(channels))
	binary.LittleEndian.PutUint32(b[4:], uint32(rate))
	binary.LittleEndian.PutUint16(b[14:], uint16(bits))
	return chunk("fmt ", b)
}

func pcm16(samples ...int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func TestDecode(t *testing.T) {
	extensible := make([]byte, 40)
	copy(extensible, fmtChunk(wavExtensible, 1, 8000, 16)[8:])
	extensible[24] = wavPCM
	endless := wav(fmtChunk(wavPCM, 1, 8000, 16), chunk("data", pcm16(1, -2, 3)))
	binary.LittleEndian.PutUint32(endless[len(endless)-6-4:], math.MaxUint32)
	tests := []struct {
		name, mediaType string
		data            []byte
		want            []int16
	}{
		{"linear 16", "audio/x-wav", wav(fmtChunk(wavPCM, 1, 8000, 16), chunk("data", pcm16(1, -2, 32767))), []int16{1, -2, 32767}},
		{"what the server says does not count", "text/plain", wav(fmtChunk(wavPCM, 1, 8000, 16), chunk("data", pcm16(5))), []int16{5}},
		{"linear 8", "", wav(fmtChunk(wavPCM, 1, 8000, 8), chunk("data", []byte{0, 128, 255})), []int16{-32768, 0, 32512}},
		{"stereo", "", wav(fmtChunk(wavPCM, 2, 8000, 16), chunk("data", pcm16(100, 300, -32768, -32768, 7))), []int16{200, -32768}},
		{"mu-law", "", wav(fmtChunk(wavMuLaw, 1, 8000, 8), chunk("data", []byte{0xff, 0})), []int16{0, -32124}},
		{"a-law", "", wav(fmtChunk(wavALaw, 1, 8000, 8), chunk("data", []byte{0xd5})), []int16{8}},
		{"extensible", "", wav(chunk("fmt ", extensible), chunk("data", pcm16(9))), []int16{9}},
		{"other chunks, one of odd length", "", wav(chunk("LIST", []byte("abc")), fmtChunk(wavPCM, 1, 8000, 16), chunk("fact", nil), chunk("data", pcm16(4)), chunk("data", pcm16(5))), []int16{4}},
		{"written before the length was known", "", endless, []int16{1, -2, 3}},
		{"empty", "", wav(fmtChunk(wavPCM, 1, 44100, 16), chunk("data", nil)), []int16{}},
		{"raw mu-law", "audio/basic", []byte{0xff, 0}, []int16{0, -32124}},
		{"raw mu-law with its rate", "audio/PCMU;rate=8000", []byte{0xff}, []int16{0}},
		{"raw a-law", "audio/x-alaw-basic", []byte{0xd5}, []int16{8}},
	}
	for _, tt := range tests {
		got, err := Decode(tt.mediaType, tt.data)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for name, file := range map[string]struct {
		mediaType string
		data      []byte
	}{
		"MP3":            {"audio/mpeg", []byte("ID3")},
		"no type":        {"", []byte("x")},
		"bad type":       {"audio/;;", []byte("x")},
		"wide mu-law":    {"audio/basic;rate=16000", []byte("x")},
		"no data":        {"", wav(fmtChunk(wavPCM, 1, 8000, 16))},
		"no format":      {"", wav(chunk("data", pcm16(1)))},
		"short format":   {"", wav(chunk("fmt ", []byte{1, 0}), chunk("data", pcm16(1)))},
		"24 bits":        {"", wav(fmtChunk(wavPCM, 1, 8000, 24), chunk("data", pcm16(1)))},
		"ADPCM":          {"", wav(fmtChunk(2, 1, 8000, 4), chunk("data", pcm16(1)))},
		"no channels":    {"", wav(fmtChunk(wavPCM, 0, 8000, 16), chunk("data", pcm16(1)))},
		"a silly rate":   {"", wav(fmtChunk(wavPCM, 1, 1, 16), chunk("data", pcm16(1)))},
		"header cut off": {"", wav()},
	} {
		if _, err := Decode(file.mediaType, file.data); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sine(frequency float64, rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(10000 * math.Sin(2*math.Pi*frequency*float64(i)/float64(rate)))
	}
	return out
}

// amplitude is that of one frequency in the middle of a recording.
func amplitude(in []int16, frequency float64, rate int) float64 {
	in = in[len(in)/4 : 3*len(in)/4]
	var re, im float64
	for i, s := range in {
		a := 2 * math.Pi * frequency * float64(i) / float64(rate)
		re += float64(s) * math.Cos(a)
		im += float64(s) * math.Sin(a)
	}
	return 2 * math.Hypot(re, im) / float64(len(in))
}

func energy(in []int16) (sum float64) {
	in = in[len(in)/4 : 3*len(in)/4]
	for _, s := range in {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(in))
}

// TestResample judges by spectrum: the tone is there, nothing else is, and what
// 8 kHz cannot carry is gone.
func TestResample(t *testing.T) {
	for _, rate := range []int{4000, 6000, 7999, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000} {
		highest := math.Floor(math.Min(3400, float64(rate)/2*0.85)/100) * 100
		for _, f := range []float64{300, 1000, highest} {
			got := resample.Whole(sine(f, rate, rate), rate, Rate)
			if d := len(got) - Rate; d < 0 || d > 1 {
				t.Errorf("%d Hz: a second has %d samples", rate, len(got))
			}
			a := amplitude(got, f, Rate)
			noise := 10 * math.Log10(math.Abs(energy(got)-a*a/2)/(a*a/2)+1e-12)
			if math.Abs(20*math.Log10(a/10000)) > 0.1 || noise > -45 {
				t.Errorf("%d Hz: a tone of %.0f Hz has %.1f dB, the rest %.1f dB", rate, f, 20*math.Log10(a/10000), noise)
			}
		}
		for _, f := range []float64{4500, 5000, 7000} {
			if f > float64(rate)*0.45 {
				continue
			}
			if left := 10 * math.Log10(energy(resample.Whole(sine(f, rate, rate), rate, Rate))/5e7+1e-12); left > -45 {
				t.Errorf("%d Hz: %.1f dB of a tone of %.0f Hz are left", rate, left, f)
			}
		}
	}
}

// TestResampleLoud has a filter that rings beyond full scale.
func TestResampleLoud(t *testing.T) {
	loud := make([]int16, 4800)
	for i := range loud {
		loud[i] = math.MaxInt16
		if i/24%2 == 0 {
			loud[i] = math.MinInt16
		}
	}
	for i, got := range resample.Whole(loud, 48000, Rate) {
		if at := 6 * i; at%24 == 12 && (got > 0) != (loud[at] > 0) {
			t.Errorf("sample %d is %d, of %d", i, got, loud[at])
		}
	}
	if got := resample.Whole(slices.Repeat([]int16{12345}, 4410), 44100, Rate)[400]; got != 12345 {
		t.Errorf("a constant became %d", got)
	}
}

// TestFilesOfSox reads what another program wrote.
func TestFilesOfSox(t *testing.T) {
	sox, err := exec.LookPath("sox")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs sox, and in CI nothing is skipped for that")
		}
		t.Skip("needs sox")
	}
	for _, args := range [][]string{
		{"-r", "8000", "-e", "mu-law", "-t", "wav"}, {"-r", "8000", "-e", "a-law", "-t", "wav"},
		{"-r", "44100", "-b", "16", "-c", "2", "-t", "wav"}, {"-r", "16000", "-b", "8", "-t", "wav"},
		{"-r", "8000", "-e", "mu-law", "-t", "raw"},
	} {
		cmd := exec.Command(sox, append(append([]string{"-n"}, args...), "-", "synth", "1", "sine", "1000", "vol", "0.5")...)
		file, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode("audio/basic", file)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			continue
		}
		if a := amplitude(got, 1000, Rate); math.Abs(a-16384) > 500 || len(got) < 7990 {
			t.Errorf("%v: %d samples, amplitude %.0f", args, len(got), a)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("audio/basic", []byte{1, 2, 3})
	f.Add("", wav(fmtChunk(wavPCM, 2, 44100, 16), chunk("data", pcm16(1, 2, 3, 4))))
	f.Add("", wav(chunk("LIST", []byte("x")), fmtChunk(wavALaw, 1, 8000, 8)))
	f.Fuzz(func(t *testing.T, mediaType string, data []byte) {
		if got, err := Decode(mediaType, data); err == nil && len(got) > 4*len(data) {
			t.Errorf("%d octets became %d samples", len(data), len(got))
		}
	})
}

func BenchmarkResample(b *testing.B) {
	in := sine(1000, 44100, 44100)
	for b.Loop() {
		resample.Whole(in, 44100, Rate)
	}
}

// TestMuLawSilence keeps the codec's tables honest where they meet files.
func TestMuLawSilence(t *testing.T) {
	got, err := codec.PCMU.Encode([]int16{0, 0})
	if err != nil || !slices.Equal(got, []byte{0xff, 0xff}) {
		t.Errorf("%x, %v", got, err)
	}
}
