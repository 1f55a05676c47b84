package amr

import (
	"slices"
	"testing"
)

func TestParameters(t *testing.T) {
	all := []uint8{0, 1, 2, 3, 4, 5, 6, 7}
	for _, tt := range []struct {
		fmtp    string
		aligned bool
		modes   []uint8
	}{
		{"", false, all},
		{"octet-align=1", true, all},
		{"octet-align=0; mode-set=7", false, []uint8{7}},
		{"mode-set=7,0,2,5 ;Octet-Align=1", true, []uint8{0, 2, 5, 7}},
		{"mode-set=8", false, all},
		{"mode-set=;octet-align", false, all},
	} {
		if got := Modes(tt.fmtp); Aligned(tt.fmtp) != tt.aligned || !slices.Equal(got, tt.modes) {
			t.Errorf("%q: %v, %v", tt.fmtp, Aligned(tt.fmtp), got)
		}
	}
}

func TestPace(t *testing.T) {
	for _, tt := range []struct {
		name    string
		modes   []uint8
		highest []uint8 // frame by frame
		want    []uint8
	}{
		{"nothing is asked for", []uint8{0, 2, 5, 7}, []uint8{7, 7, 7}, []uint8{7, 7, 7}},
		{"down and up, by neighbours, every other frame", []uint8{0, 2, 5, 7},
			[]uint8{7, 2, 2, 2, 2, 2, 7, 7, 7, 7}, []uint8{7, 7, 5, 5, 2, 2, 5, 5, 7, 7}},
		{"between two", []uint8{0, 2, 5, 7}, []uint8{6, 6, 6, 6}, []uint8{5, 5, 5, 5}},
		{"lower than all", []uint8{3, 4}, []uint8{0, 0, 0, 0}, []uint8{3, 3, 3, 3}},
	} {
		p := NewPace(tt.modes)
		var got []uint8
		for _, highest := range tt.highest {
			got = append(got, p.Next(highest))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRequests(t *testing.T) {
	var r Request
	for _, tt := range []struct{ heard, want uint8 }{{9, 7}, {3, 3}, {8, 3}, {14, 3}, {0, 0}, {NoData, 7}} {
		if r.Hear(tt.heard); r.Highest() != tt.want {
			t.Errorf("after %d the highest mode is %d, want %d", tt.heard, r.Highest(), tt.want)
		}
	}
}
