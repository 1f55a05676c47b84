package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
)

// Entry is one entry of a journal.
type Entry struct {
	At   Position
	Next Position // where reading goes on after it
	Data []byte   // the caller's to keep
}

// DamageError tells of bytes that hold no intact entry.
type DamageError struct {
	At    Position
	Bytes int64
	// Torn says that nothing intact follows in the newest segment: most likely
	// an entry whose Append never returned, or is about to.
	Torn bool
}

func (e *DamageError) Error() string {
	if e.Torn {
		return fmt.Sprintf("journal ends at %s in %d bytes of an incomplete entry", e.At, e.Bytes)
	}
	return fmt.Sprintf("journal is damaged at %s: %d bytes hold no intact entry", e.At, e.Bytes)
}

// Read iterates over the entries of the journal in a directory, at and after a
// position, without opening it for writing; another process may write it
// meanwhile. The zero Position is the beginning. A position whose segment has
// been deleted stands for the oldest entry there is.
//
// Damage is yielded as a *DamageError, with an Entry that says where it is and
// where reading goes on, and the iteration continues behind it. Any other error
// ends the iteration.
func Read(dir string, from Position) iter.Seq2[Entry, error] {
	return reader{dir: dir}.from(from)
}

// reader reads up to a limit, or without one.
type reader struct {
	dir   string
	limit *Position
}

func (r reader) from(start Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		segments, err := listSegments(r.dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for i, s := range segments {
			if s.number < start.Segment || r.limit != nil && s.number > r.limit.Segment {
				continue
			}
			at := Position{Segment: s.number}
			if s.number == start.Segment {
				at = start
			}
			p := part{at: at, newest: i == len(segments)-1, yield: yield}
			if !r.segment(p) {
				return
			}
		}
	}
}

// part is what is to be read of one segment.
type part struct {
	at     Position
	newest bool
	yield  func(Entry, error) bool
}

// segment yields one segment's entries and tells whether to go on with the next.
func (r reader) segment(p part) bool {
	b, err := r.load(p.at)
	if errors.Is(err, fs.ErrNotExist) { // deleted since it was listed
		return true
	}
	if err != nil {
		p.yield(Entry{At: p.at, Next: p.at}, fmt.Errorf("read segment %d: %w", p.at.Segment, err))
		return false
	}
	if p.at.Offset < segmentHead {
		head := min(segmentHead, int64(len(b)))
		if err := checkSegmentHead(b[:head], p.at.Segment); err != nil && !p.headless(err, head) {
			return false
		}
		p.at.Offset, b = head, b[head:]
	}
	return p.entries(b)
}

// load reads a segment from a position to its end or the limit. The head is
// always read as a whole.
func (r reader) load(at Position) ([]byte, error) {
	f, err := os.Open(segmentPath(r.dir, at.Segment))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	end := info.Size()
	if r.limit != nil && r.limit.Segment == at.Segment {
		end = min(end, r.limit.Offset)
	}
	if at.Offset < segmentHead {
		at.Offset = 0
	}
	b := make([]byte, max(0, end-at.Offset))
	n, err := f.ReadAt(b, at.Offset)
	if errors.Is(err, io.EOF) { // cut off since it was measured
		err = nil
	}
	return b[:n], err
}

// headless yields what is wrong with a segment's head and tells whether to go on.
func (p part) headless(err error, head int64) bool {
	at := Position{Segment: p.at.Segment}
	if errors.Is(err, errHeadVersion) {
		p.yield(Entry{At: at, Next: at}, fmt.Errorf("read segment %d: %w", at.Segment, err))
		return false
	}
	next := Position{at.Segment, head}
	tornHead := p.newest && head < segmentHead
	if tornHead {
		next = at
	}
	return p.yield(Entry{At: at, Next: next}, &DamageError{At: at, Bytes: head, Torn: tornHead})
}

// entries yields what is in the bytes from p.at on.
func (p part) entries(b []byte) bool {
	for at := p.at; len(b) > 0; {
		found := nextPiece(b, at)
		next := Position{at.Segment, at.Offset + found.size}
		var ok bool
		switch {
		case found.state == intact:
			ok = p.yield(Entry{At: at, Next: next, Data: found.entry[:len(found.entry):len(found.entry)]}, nil)
		case found.state == torn && p.newest:
			// It may be complete the next time: reading goes on where it begins.
			ok = p.yield(Entry{At: at, Next: at}, &DamageError{At: at, Bytes: found.size, Torn: true})
		default:
			ok = p.yield(Entry{At: at, Next: next}, &DamageError{At: at, Bytes: found.size})
		}
		if !ok {
			return false
		}
		at, b = next, b[found.size:]
	}
	return true
}
