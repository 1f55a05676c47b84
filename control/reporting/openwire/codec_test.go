package openwire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestModifiedUTF8(t *testing.T) {
	tests := []struct {
		name, text, bytes string
	}{
		{"nothing", "", ""},
		{"ASCII", "abc", "abc"},
		{"zero takes two bytes", "a\x00b", "a\xc0\x80b"},
		{"two bytes", "é", "\xc3\xa9"},
		{"three bytes", "€", "\xe2\x82\xac"},
		{"two surrogates of three bytes", "𝄞", "\xed\xa0\xb4\xed\xb4\x9e"},
	}
	for _, tt := range tests {
		if got := appendModifiedUTF8(nil, tt.text); string(got) != tt.bytes {
			t.Errorf("%s: wrote %q", tt.name, got)
		}
		if got := fromModifiedUTF8([]byte(tt.bytes)); got != tt.text {
			t.Errorf("%s: read %q", tt.name, got)
		}
	}
	if got := fromModifiedUTF8([]byte("a\xffb\xe2\x82")); got != "a\ufffdb\ufffd\ufffd" {
		t.Errorf("malformed bytes are read as %q", got)
	}
}

func TestMapsAreReadBack(t *testing.T) {
	m := map[string]any{
		"flag": true, "int": int32(-5), "long": int64(1) << 50, "text": "é€𝄞", "none": "",
		"big": strings.Repeat("x", maxString+1),
	}
	b, err := appendMap(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseMap(b); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := appendMap(map[string]any{"float": 1.5}); err == nil {
		t.Error("a type that nobody reads was written")
	}
	for n := range b {
		if _, err := parseMap(b[:n]); err == nil {
			t.Fatalf("a map cut at byte %d was read", n)
		}
	}
}

func TestTooLongStringIsRefused(t *testing.T) {
	if _, err := frame(maxVersion, &connectionInfo{user: Nullable{true, strings.Repeat("x", 1<<16)}}); err == nil {
		t.Error("a string of 64 KiB was written")
	}
}

// FuzzCommand reads any bytes as a command; what can be read is written again as
// it was, but for strings that are no modified UTF-8 and for booleans that are
// neither 0 nor 1.
func FuzzCommand(f *testing.F) {
	for _, cmd := range []Command{
		&wireFormatInfo{magic: magic, version: 12, properties: []byte{0, 0, 0, 0}},
		&response{to: 5}, &exceptionResponse{exception: Exception{"java.lang.X", "no"}},
		&connectionInfo{id: &named{typeConnectionID, "ID:1"}, client: Nullable{true, "c"}, path: []object{&named{typeBrokerID, "b"}}},
		&message{is: typeTextMessage, origin: origin{
			producer: &endpointID{typeProducerID, "ID:1", 1, 1}, destination: &destination{typeQueue, "q"},
			id: &messageID{producer: &endpointID{typeProducerID, "ID:1", 1, 1}, number: 7},
		}, content: content{body: []byte("x")}},
		&brokerInfo{id: &named{typeBrokerID, "b"}, peers: []object{}}, &connectionControl{}, &plain{is: typeKeepAlive},
	} {
		b, err := frame(maxVersion, cmd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:], int32(maxVersion))
		f.Add(b[4:], int32(minVersion))
	}
	f.Fuzz(func(t *testing.T, b []byte, version int32) {
		cmd, err := parse(version, b)
		if err != nil {
			return
		}
		first, err := frame(version, cmd)
		if err != nil {
			t.Fatalf("%T was read and cannot be written: %v", cmd, err)
		}
		again, err := parse(version, first[4:])
		if err != nil {
			t.Fatalf("%T was written and cannot be read: %v", cmd, err)
		}
		if second, err := frame(version, again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%T changes with each writing: %q, %q, %v", cmd, first, second, err)
		}
	})
}
