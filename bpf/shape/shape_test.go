package shape

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

func u32() *btf.Int { return &btf.Int{Name: "unsigned int", Size: 4} }

// leg is a value of two fields and a number that has names.
func leg() *btf.Struct {
	return &btf.Struct{Name: "leg", Size: 16, Members: []btf.Member{
		{Name: "id", Type: &btf.Typedef{Name: "__u32", Type: u32()}},
		{Name: "config", Offset: 32, Type: &btf.Struct{Size: 4, Members: []btf.Member{
			{Name: "rate", Type: u32()},
		}}},
		{Name: "fate", Offset: 64, Type: &btf.Enum{Name: "verdict", Size: 4, Values: []btf.EnumValue{{Name: "RELAYED", Value: 1}}}},
		{Name: "name", Offset: 96, Type: &btf.Array{Nelems: 4, Type: &btf.Int{Size: 1, Encoding: btf.Char}}},
	}}
}

func spec(value btf.Type) *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "legs", Type: ebpf.Array, KeySize: 4, ValueSize: 16, Key: u32(), Value: value}
}

func describe(t *testing.T, m *ebpf.MapSpec) string {
	t.Helper()
	text, err := Of(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestDescription(t *testing.T) {
	got := describe(t, spec(leg()))
	want := "Array of 4 to 16 octets, flags 0; key at 0: u32; value.id at 0: u32; value.config.rate at 4: u32; " +
		"value.fate at 8: enum32 verdict; value.fate is RELAYED for 1; value.name at 12: char8[4]"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// Every change that makes two programs read a map otherwise is seen, and named.
func TestDifferences(t *testing.T) {
	pinned := describe(t, spec(leg()))
	if diff := Diff(pinned, describe(t, spec(leg()))); diff != "" {
		t.Errorf("equal ones differ: %s", diff)
	}
	for want, change := range map[string]func(*ebpf.MapSpec, *btf.Struct){
		"this program has value.number at 0":                func(_ *ebpf.MapSpec, s *btf.Struct) { s.Members[0].Name = "number" },
		"value.config.rate at 4: s32":                       func(_ *ebpf.MapSpec, s *btf.Struct) { signed(s) },
		"value.fate at 16":                                  func(_ *ebpf.MapSpec, s *btf.Struct) { s.Members[2].Offset = 128 },
		"value.fate is RELAYED for 2":                       func(_ *ebpf.MapSpec, s *btf.Struct) { s.Members[2].Type.(*btf.Enum).Values[0].Value = 2 },
		"pinned has value.name at 12: char8[4]":             func(_ *ebpf.MapSpec, s *btf.Struct) { s.Members = s.Members[:3] },
		"this program has Hash of 4 to 16":                  func(m *ebpf.MapSpec, _ *btf.Struct) { m.Type = ebpf.Hash },
		"this program has Array of 4 to 16 octets, flags 1": func(m *ebpf.MapSpec, _ *btf.Struct) { m.Flags = 1 },
	} {
		value := leg()
		m := spec(value)
		change(m, value)
		if diff := Diff(pinned, describe(t, m)); !strings.Contains(diff, want) {
			t.Errorf("%q does not say %q", diff, want)
		}
	}
}

func signed(s *btf.Struct) {
	s.Members[1].Type.(*btf.Struct).Members[0].Type = &btf.Int{Size: 4, Encoding: btf.Signed}
}

// Many differences are not all told.
func TestManyDifferences(t *testing.T) {
	diff := Diff("a; b; c; d", "e; f; g; h")
	if !strings.HasSuffix(diff, "and 3 more") {
		t.Error(diff)
	}
}

func TestPointersHaveNoPlace(t *testing.T) {
	if text, err := Of(spec(&btf.Pointer{Target: u32()})); err == nil {
		t.Errorf("a pointer is %s", text)
	}
}

// What was reserved may get a use, of the same type and in the same place; nothing in
// use becomes reserved.
func TestReservedFieldsGetAUse(t *testing.T) {
	before, after := leg(), leg()
	before.Members[0].Name = "reserved2"
	pinned, wanted := describe(t, spec(before)), describe(t, spec(after))
	if diff := Diff(pinned, wanted); diff != "" {
		t.Errorf("a reserved field that has a use: %s", diff)
	}
	if diff := Diff(wanted, pinned); diff == "" {
		t.Error("a field that had a use is reserved, and nobody minds")
	}
	after.Members[0].Type = &btf.Int{Size: 4, Encoding: btf.Signed}
	if diff := Diff(pinned, describe(t, spec(after))); diff == "" {
		t.Error("a reserved field has another type, and nobody minds")
	}
}
