package reporting

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// anyText are texts of every sort that JSON treats in its own way.
var anyText = []string{
	"", "plain", "sip:+493012345@mcp.example;transport=tcp", `say "no" \ yes`, "<a href='x'>&</a>", "Köln é 語 🎧",
	"tab\tline\nreturn\rback\bfeed\fnil\x00del\x7f", "\u2028\u2029\ufffd", "broken \xff\xc3 utf-8\xed\xa0\x80",
}

// filler gives values of every sort to all fields of a record, whatever they are.
type filler struct{ *rand.Rand }

func (f filler) text() string {
	s := anyText[f.IntN(len(anyText))]
	if f.IntN(4) == 0 {
		s += string(rune(f.IntN(utf8.MaxRune)))
	}
	return s
}

func (f filler) number() float64 {
	switch f.IntN(4) {
	case 0:
		return 0
	case 1:
		return float64(f.IntN(1000)) / 8
	}
	return math.Copysign(math.Pow(10, f.Float64()*60-30), f.Float64()-0.5)
}

func (f filler) time() time.Time {
	zone := time.FixedZone("", (f.IntN(47)-23)*1800)
	return time.Unix(f.Int64N(200e9)-60e9, f.Int64N(3)*f.Int64N(1e9)/2).In(zone)
}

func (f filler) fill(t testing.TB, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(f.time()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				f.fill(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		if f.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(t, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 4))
		for i := range v.Len() {
			f.fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.IntN(4) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(t, key)
			f.fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(f.text())
	case reflect.Float64:
		v.SetFloat(f.number())
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> f.IntN(65))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(f.Uint64() >> f.IntN(65) >> (64 - v.Type().Bits()))
	default:
		t.Fatalf("nobody has said how %s is filled", v.Type())
	}
}

// TestRecordsAreEncodedAsEncodingJSONDoes fills all that calls leave behind with
// values of every sort. What has a field that the encoder does not know is found too.
func TestRecordsAreEncodedAsEncodingJSONDoes(t *testing.T) {
	f := filler{rand.New(rand.NewPCG(1, 2))}
	record := func(r *Record) ([]byte, error) {
		var e encoder
		e.record(r)
		return e.result()
	}
	event := func(v *Event) ([]byte, error) {
		var e encoder
		e.event(v)
		return e.result()
	}
	written := func(n *note) ([]byte, error) {
		var e encoder
		e.note(n)
		return e.result()
	}
	for range 3000 {
		encodes(t, f, record)
		encodes(t, f, event)
		encodes(t, f, written)
	}
}

// encodes compares what is made of a filled value; what encoding/json refuses is
// refused.
func encodes[T any](t *testing.T, f filler, encode func(*T) ([]byte, error)) {
	t.Helper()
	v := new(T)
	f.fill(t, reflect.ValueOf(v).Elem())
	want, refused := json.Marshal(v)
	got, err := encode(v)
	if (err == nil) != (refused == nil) {
		t.Fatalf("%T: %v, encoding/json says %v", v, err, refused)
	}
	if err == nil && !bytes.Equal(got, want) {
		t.Fatalf("%T is encoded as\n%s\nand by encoding/json as\n%s", v, got, want)
	}
}

func TestWhatJSONCannotSayIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Record){
		"no number":            func(r *Record) { r.Media[0].Received.Jitter = math.NaN() },
		"no bound":             func(r *Record) { r.Media[0].Received.MOS = math.Inf(1) },
		"a year of six digits": func(r *Record) { r.EndedAt = time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		r := full(t)
		spoil(r)
		if b, err := Encode(r); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// BenchmarkEncode compares with encoding/json, by the processor's time too: that of
// the clock tells little on a machine that others use.
func BenchmarkEncode(b *testing.B) {
	r := full(b)
	for name, encode := range map[string]func() ([]byte, error){
		"record":        func() ([]byte, error) { return Encode(r) },
		"encoding-json": func() ([]byte, error) { c := forStorage(r); return json.Marshal(&c) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				if _, err := encode(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
