package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sample writes a journal of one segment and returns its bytes and where each
// entry ends. Entries differ in size; one contains a frame's bytes.
func sample(t testing.TB, n int) (b []byte, entries []string, ends []int64) {
	t.Helper()
	dir := t.TempDir()
	j := mustOpen(t, dir, Config{})
	for i := range n {
		entry := fmt.Sprintf("entry %d %.*s", i, i%5, "abcdef")
		if i == n/2 {
			entry = string(appendFrame(nil, Position{1, segmentHead}, []byte("not an entry")))
		}
		at := mustAppend(t, j, entry)
		entries, ends = append(entries, entry), append(ends, at.Offset+frameSize([]byte(entry)))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	return b, entries, ends
}

// plant makes a journal of one segment with the given bytes.
func plant(t testing.TB, dir string, b []byte) {
	t.Helper()
	if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCrashAtEveryByteLosesNoFinishedEntry(t *testing.T) {
	b, entries, ends := sample(t, 100)
	dir := memoryDir(t)
	for size := range len(b) + 1 {
		plant(t, dir, b[:size])
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(size) {
			whole++
		}
		j, err := Open(dir, Config{}, quiet())
		if err != nil {
			t.Fatalf("open after a crash at byte %d: %v", size, err)
		}
		checkRecovery(t, j.Recovered(), size, whole, ends)
		mustAppend(t, j, "after the crash")
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		got, damage := collect(t, dir)
		if want := append(slices.Clone(entries[:whole]), "after the crash"); !slices.Equal(got, want) || damage != nil {
			t.Fatalf("crash at byte %d: %q, damage %v; want %q", size, got, damage, want)
		}
	}
}

func checkRecovery(t *testing.T, r Recovery, size, whole int, ends []int64) {
	t.Helper()
	want := Recovery{Segment: 1, Entries: whole, Dropped: int64(size)}
	if size >= segmentHead {
		want.Dropped -= segmentHead
	}
	if whole > 0 {
		want.Dropped = int64(size) - ends[whole-1]
	}
	if r != want {
		t.Errorf("crash at byte %d: recovery %+v, want %+v", size, r, want)
	}
}

func TestTornTailIsReportedToAReaderThatDoesNotWrite(t *testing.T) {
	b, entries, ends := sample(t, 3)
	dir := t.TempDir()
	plant(t, dir, b[:len(b)-1])
	got, damage := collect(t, dir)
	if !slices.Equal(got, entries[:2]) || len(damage) != 1 || !damage[0].Torn || damage[0].At.Offset != ends[1] {
		t.Fatalf("%q, damage %v", got, damage)
	}
	plant(t, dir, b) // the writer has finished meanwhile
	for e, err := range Read(dir, damage[0].At) {
		if err != nil || string(e.Data) != entries[2] {
			t.Errorf("%q, %v", e.Data, err)
		}
	}
}

func TestZerosAfterACrashAreATornTail(t *testing.T) {
	b, entries, _ := sample(t, 3)
	dir := t.TempDir()
	plant(t, dir, append(slices.Clone(b), make([]byte, 4096)...))
	j := mustOpen(t, dir, Config{})
	if r := j.Recovered(); r.Dropped != 4096 || r.Entries != len(entries) {
		t.Errorf("recovery %+v", r)
	}
}

// TestEveryBitFlipCostsAtMostItsEntry flips every bit of a segment in turn. In
// a segment that is not the newest nothing is ever cut off.
func TestEveryBitFlipCostsAtMostItsEntry(t *testing.T) {
	b, entries, ends := sample(t, 100)
	for bit := range len(b) * 8 {
		flipped := slices.Clone(b)
		flipped[bit/8] ^= 1 << (bit % 8)
		hit := slices.IndexFunc(ends, func(end int64) bool { return int64(bit/8) < end })
		want := slices.Clone(entries)
		if bit/8 >= segmentHead {
			want = slices.Delete(want, hit, hit+1)
		}
		got, damage := scan(flipped)
		if !slices.Equal(got, want) {
			t.Fatalf("bit %d of byte %d: read %q, want %q", bit%8, bit/8, got, want)
		}
		if damage != 1 {
			t.Fatalf("bit %d of byte %d: %d damages reported", bit%8, bit/8, damage)
		}
	}
}

// scan reads the bytes of an old segment as the reader does.
func scan(b []byte) (entries []string, damage int) {
	p := part{yield: func(e Entry, err error) bool {
		if err != nil {
			damage++
		} else {
			entries = append(entries, string(e.Data))
		}
		return true
	}}
	if checkSegmentHead(b, 1) != nil {
		damage++
	}
	p.at = Position{1, segmentHead}
	p.entries(b[segmentHead:])
	return entries, damage
}

func TestDamageInTheMiddleSurvivesRecovery(t *testing.T) {
	b, entries, ends := sample(t, 6)
	b[ends[2]+2] ^= 0x40 // the head of the fourth entry
	dir := t.TempDir()
	plant(t, dir, b)
	j := mustOpen(t, dir, Config{})
	if r := j.Recovered(); r != (Recovery{Segment: 1, Entries: 5, Damaged: 1}) {
		t.Errorf("recovery %+v", r)
	}
	mustAppend(t, j, "more")
	got, damage := collect(t, dir)
	want := append(slices.Delete(slices.Clone(entries), 3, 4), "more")
	if !slices.Equal(got, want) || len(damage) != 1 || damage[0].At.Offset != ends[2] {
		t.Errorf("%q, damage %v", got, damage)
	}
}

func TestLaterLayoutIsRefused(t *testing.T) {
	b, _, _ := sample(t, 1)
	b[11]++
	copy(b[20:], appendSum(b[:20]))
	dir := t.TempDir()
	plant(t, dir, b)
	if _, err := Open(dir, Config{}, quiet()); err == nil {
		t.Error("a later layout was opened for writing")
	}
	for _, err := range Read(dir, Position{}) {
		if err == nil {
			t.Error("a later layout was read")
		}
	}
	if now, err := os.ReadFile(filepath.Join(dir, filepath.Base(segmentPath(dir, 1)))); err != nil || len(now) != len(b) {
		t.Errorf("the segment was changed: %d bytes, %v", len(now), err)
	}
}

// FuzzPieces checks that any bytes are walked over exactly once, and that only
// what was framed for its place is taken for an entry.
func FuzzPieces(f *testing.F) {
	b, _, _ := sample(f, 4)
	f.Add(b)
	f.Add(b[:30])
	f.Fuzz(func(t *testing.T, b []byte) {
		var off int64
		for off < int64(len(b)) {
			at := Position{1, off}
			p := nextPiece(b[off:], at)
			if p.size <= 0 || off+p.size > int64(len(b)) {
				t.Fatalf("piece of %d bytes at %d of %d", p.size, off, len(b))
			}
			if p.state == intact && !bytes.Equal(appendFrame(nil, at, p.entry), b[off:off+p.size]) {
				t.Fatalf("entry at %d is not what its frame would be", off)
			}
			if p.state == torn && off+p.size != int64(len(b)) {
				t.Fatalf("torn piece at %d does not reach the end", off)
			}
			off += p.size
		}
	})
}

func appendSum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli))
}
