package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Recovery is what Open found in the newest segment. Damage in older ones is
// reported by Read.
type Recovery struct {
	Segment uint64 // that was examined; 0: the journal was new
	Entries int    // intact ones in it
	Damaged int    // places in its middle that hold no intact entry
	Dropped int64  // bytes cut off its end: an Append that never returned
}

// recover finds the end of the newest segment and cuts off what a crash left
// there. The first segment of a journal is begun by the first Append.
func (w *writer) recover() error {
	segments, err := listSegments(w.journal.dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	newest := segments[len(segments)-1].number
	b, err := os.ReadFile(segmentPath(w.journal.dir, newest))
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	head := checkSegmentHead(b, newest)
	if errors.Is(head, errHeadVersion) {
		return fmt.Errorf("recover segment %d: %w", newest, head)
	}
	if len(b) < segmentHead {
		return w.discard(newest, int64(len(b)))
	}
	found, end := examine(b, newest)
	if head != nil {
		found.Damaged++
	}
	w.end = Position{Segment: newest, Offset: end}
	if err := w.reopen(found.Dropped > 0); err != nil {
		return fmt.Errorf("recover segment %d: %w", newest, err)
	}
	w.recovered(found, w.end)
	return nil
}

// examine walks over a segment and finds where its last intact entry ends.
func examine(b []byte, number uint64) (found Recovery, end int64) {
	found.Segment, end = number, segmentHead
	skipped := 0
	for off := int64(segmentHead); off < int64(len(b)); {
		p := nextPiece(b[off:], Position{number, off})
		off += p.size
		if p.state != intact {
			skipped++
			continue
		}
		found.Entries++
		found.Damaged += skipped
		skipped, end = 0, off
	}
	found.Dropped = int64(len(b)) - end
	return found, end
}

// reopen takes up the newest segment again, cut to its end when asked.
func (w *writer) reopen(cut bool) error {
	f, err := w.disk.Open(segmentPath(w.journal.dir, w.end.Segment))
	if err != nil {
		return err
	}
	if cut {
		if err := f.Truncate(w.end.Offset); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	// What an earlier process wrote but did not live to sync is read from now on,
	// so it has to be durable too.
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.begun = f, time.Now()
	return nil
}

// discard deletes a newest segment that never got its head: no entry was in it.
// Its number is used again.
func (w *writer) discard(number uint64, size int64) error {
	err := w.disk.Remove(segmentPath(w.journal.dir, number))
	if err == nil {
		err = w.disk.SyncDir(w.journal.dir)
	}
	if err != nil {
		return fmt.Errorf("discard empty segment %d: %w", number, err)
	}
	w.end = Position{Segment: number - 1, Offset: segmentHead}
	w.recovered(Recovery{Segment: number, Dropped: size}, Position{Segment: number})
	return nil
}

func (w *writer) recovered(found Recovery, end Position) {
	w.journal.recovered = found
	w.journal.end = end
	if found.Damaged > 0 || found.Dropped > 0 {
		w.log.Warn("journal recovered", "segment", found.Segment, "entries", found.Entries,
			"damaged_places", found.Damaged, "dropped_bytes", found.Dropped)
	}
}
