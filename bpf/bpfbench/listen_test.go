package bpfbench

import (
	"testing"
	"time"
)

func TestEvenness(t *testing.T) {
	const us = time.Microsecond
	counts := make([]uint64, 4096)
	if e := evennessOf(counts); e != (Evenness{}) {
		t.Errorf("of nothing: %+v", e)
	}
	counts[0], counts[10] = 60, 38
	counts[199], counts[2000] = 1, 1
	want := Evenness{Packets: 100, P50: 10 * us, P99: 2000 * us, Max: 20010 * us, Missed: 1}
	if e := evennessOf(counts); e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
}
