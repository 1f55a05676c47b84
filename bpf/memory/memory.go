// Package memory reads and writes the values of a map that can be mapped, without a
// system call for each.
package memory

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Value is what lies in a map: in octets, a multiple of eight.
type Value[T any] struct {
	_  [0]uint64
	At T
}

// Map maps the values of an array, in the order of their keys. Who shares them reads
// and writes them atomically.
func Map[T any](m *ebpf.Map) ([]Value[T], error) {
	b, err := unix.Mmap(m.FD(), 0, int(m.MaxEntries())*size[T](), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", m, err)
	}
	return unsafe.Slice((*Value[T])(unsafe.Pointer(unsafe.SliceData(b))), m.MaxEntries()), nil
}

// Unmap ends what Map began; nil was not mapped.
func Unmap[T any](values []Value[T]) error {
	if values == nil {
		return nil
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*size[T]())
	if err := unix.Munmap(b); err != nil {
		return fmt.Errorf("unmap values: %w", err)
	}
	return nil
}

func size[T any]() int { return int(unsafe.Sizeof(Value[T]{})) }
