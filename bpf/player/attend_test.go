package player

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Who waits is looked at every few milliseconds: attend is woken for the first, and
// not by itself, which would have it turn without a rest.
func TestOnlyOthersWakeWhoLooks(t *testing.T) {
	tests := []struct {
		name    string
		looking bool
		waiting int
		rung    bool
	}{
		{"the first", false, 0, true},
		{"one more", false, 1, false},
		{"the first that attend finds", true, 0, false},
	}
	for _, tt := range tests {
		news, err := newBell()
		if err != nil {
			t.Fatal(err)
		}
		p := &Player{pacing: &pacing{news: news}, looking: tt.looking, waiting: make([]*Stream, tt.waiting)}
		p.waitLocked(&Stream{})
		var count [8]byte
		_, err = unix.Read(news.fd, count[:])
		if rung := !errors.Is(err, unix.EAGAIN); rung != tt.rung || len(p.waiting) != tt.waiting+1 {
			t.Errorf("%s: rung: %v (%v), want %v; %d wait", tt.name, rung, err, tt.rung, len(p.waiting))
		}
		if err := news.close(); err != nil {
			t.Error(err)
		}
	}
}
