package wire

import (
	"bytes"
	"testing"
)

func TestAnswersAreKeptWhole(t *testing.T) {
	a := answers{given: map[txKey][]byte{}}
	sizes := []int{0, 300, roomOf - 300, 1, roomOf + 1, 300}
	response := func(key int) []byte { return bytes.Repeat([]byte{byte('a' + key)}, sizes[key]) }
	for key := range sizes {
		buffer := response(key)
		a.keep(txKey(key), buffer)
		clear(buffer) // is used for the next
	}
	for key := range sizes {
		given, ok := a.given[txKey(key)]
		if !ok || !bytes.Equal(given, response(key)) || cap(given) != len(given) {
			t.Errorf("answer %d of %d bytes is one of %d, capacity %d", key, sizes[key], len(given), cap(given))
		}
	}
	if cap(a.room) != roomOf {
		t.Errorf("a piece of %d bytes", cap(a.room))
	}
}
