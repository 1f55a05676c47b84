package ports

import (
	"errors"
	"sync"
	"testing"
)

func TestPortsAreEvenAndEachHandedOutOnce(t *testing.T) {
	p, err := New(20001, 20100)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint16]bool{}
	for {
		port, err := p.Take()
		if errors.Is(err, ErrNone) {
			break
		}
		if port%2 != 0 || port < 20002 || port+1 > 20100 || seen[port] {
			t.Errorf("port %d", port)
		}
		seen[port] = true
	}
	if len(seen) != 49 || p.Used() != 49 {
		t.Errorf("%d ports, %d used", len(seen), p.Used())
	}
}

// A port that comes back is the last to be handed out again.
func TestPortsRestBeforeTheyAreReused(t *testing.T) {
	p, err := New(20000, 20019)
	if err != nil {
		t.Fatal(err)
	}
	last := map[uint16]int{}
	for n := range 1000 {
		port, err := p.Take()
		if err != nil {
			t.Fatal(err)
		}
		if before, again := last[port]; again && n-before != 10 {
			t.Fatalf("port %d is reused after %d others", port, n-before-1)
		}
		last[port] = n
		p.Give(port)
	}
}

func TestPortsOrderCannotBeGuessed(t *testing.T) {
	var first [2][10]uint16
	for i := range first {
		p, err := New(20000, 45000)
		if err != nil {
			t.Fatal(err)
		}
		for n := range first[i] {
			first[i][n], _ = p.Take()
		}
	}
	if first[0] == first[1] {
		t.Errorf("twice %v", first[0])
	}
}

func TestPortsAtTheSameTime(t *testing.T) {
	p, err := New(20000, 20063)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	taken := map[uint16]bool{}
	var working sync.WaitGroup
	for range 16 {
		working.Go(func() {
			for range 500 {
				port, err := p.Take()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if taken[port] {
					t.Errorf("port %d is taken twice", port)
				}
				taken[port] = true
				mu.Unlock()
				mu.Lock()
				delete(taken, port)
				mu.Unlock()
				p.Give(port)
			}
		})
	}
	working.Wait()
	if p.Used() != 0 {
		t.Errorf("%d used", p.Used())
	}
}

func TestPortRanges(t *testing.T) {
	for _, r := range []struct {
		first, last uint16
		n           int // 0: an error
	}{{20000, 45000, 12500}, {20000, 20001, 1}, {20000, 20000, 0}, {20001, 20002, 0}, {20001, 20003, 1}, {30000, 20000, 0}, {65534, 65535, 1}, {65535, 65535, 0}} {
		p, err := New(r.first, r.last)
		if (err != nil) != (r.n == 0) || (err == nil && p.n != r.n) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
