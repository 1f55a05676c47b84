package memory_test

import (
	"sync/atomic"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"mcp/bpf/bpftest"
	"mcp/bpf/memory"
)

func array(t *testing.T, values uint32, flags uint32) *ebpf.Map {
	t.Helper()
	bpftest.RequireRoot(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: values, MaxEntries: 1000, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// What is written to memory is in the map, and the other way round, whatever the size
// of a value.
func TestValues(t *testing.T) {
	t.Run("four octets", func(t *testing.T) { shares(t, array(t, 4, unix.BPF_F_MMAPABLE), atomic.StoreUint32) })
	t.Run("eight octets", func(t *testing.T) { shares(t, array(t, 8, unix.BPF_F_MMAPABLE), atomic.StoreUint64) })
}

func shares[T uint32 | uint64](t *testing.T, m *ebpf.Map, store func(*T, T)) {
	values, err := memory.Map[T](m)
	if err != nil {
		t.Fatal(err)
	}
	for key := range values {
		store(&values[key].At, T(key)+7)
	}
	var got T
	for _, key := range []uint32{0, 1, 998, 999} {
		if err := m.Lookup(key, &got); err != nil || got != T(key)+7 {
			t.Errorf("value %d is %d: %v", key, got, err)
		}
	}
	if err := m.Put(uint32(999), T(3)); err != nil || values[999].At != 3 {
		t.Errorf("memory has %d: %v", values[999].At, err)
	}
	if err := memory.Unmap(values); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeMapped(t *testing.T) {
	if values, err := memory.Map[uint32](array(t, 4, 0)); err == nil {
		t.Errorf("%d values of a map that has no memory of its own", len(values))
	}
	if err := memory.Unmap[uint32](nil); err != nil {
		t.Error(err)
	}
}
