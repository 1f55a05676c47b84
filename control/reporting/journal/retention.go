package journal

import "time"

// prune deletes the oldest segments while there is more than is to be kept, and
// tells whether there is room for another segment.
func (w *writer) prune() (room bool) {
	segments, err := listSegments(w.journal.dir)
	if err != nil {
		w.log.Warn("look for old segments", "error", err)
		return true
	}
	var total int64
	for _, s := range segments {
		total += s.size
	}
	kept := segments
	// Room is left for a new segment to grow to its full size.
	for len(kept) > 0 && w.deletable(kept[0], w.over(total)) {
		s := kept[0]
		if err := w.disk.Remove(segmentPath(w.journal.dir, s.number)); err != nil {
			w.log.Warn("delete old segment", "segment", s.number, "error", err)
			break
		}
		w.deleted(s)
		total -= s.size
		kept = kept[1:]
		w.noRoom = false // one for each time that the disk is found full
	}
	w.account(kept, total)
	return !w.config.Hold || !w.over(total)
}

// over tells whether another segment would lead beyond the journal's bound.
func (w *writer) over(total int64) bool {
	return w.config.KeepBytes >= 0 && total+w.config.SegmentBytes > w.config.KeepBytes
}

// deletable tells whether the oldest segment may go, being too old or one too many.
// For a disk that is full only what nobody needs goes: others filled it, perhaps, and
// whatever room a journal gives up they take. The segment being written never goes.
func (w *writer) deletable(s segmentFile, over bool) bool {
	switch {
	case s.number == w.end.Segment && w.file != nil:
		return false
	case over || w.aged(s):
		return !w.config.Hold || w.released(s)
	}
	return w.noRoom && w.released(s)
}

func (w *writer) aged(s segmentFile) bool {
	return w.config.KeepFor > 0 && time.Since(s.written) > w.config.KeepFor
}

// released tells whether nothing in a segment is needed any more.
func (w *writer) released(s segmentFile) bool {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	p := w.journal.released
	return s.number < p.Segment || s.number == p.Segment && p.Offset >= s.size
}

func (w *writer) deleted(s segmentFile) {
	if w.aged(s) || w.released(s) {
		w.log.Info("old segment deleted", "segment", s.number)
		return
	}
	w.log.Info("segment deleted: the journal is at its limit", "segment", s.number, "keep_bytes", w.config.KeepBytes)
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	w.journal.usage.Dropped += s.size
}

func (w *writer) account(kept []segmentFile, total int64) {
	var held int64
	for _, s := range kept {
		if !w.released(s) {
			held += s.size
		}
	}
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	u := &w.journal.usage
	u.Bytes, u.Segments, u.Limit = total, len(kept), w.config.KeepBytes
	u.Scarce = w.config.Hold && u.Limit >= 0 && held+2*w.config.SegmentBytes > u.Limit
	u.Oldest = time.Time{}
	if len(kept) > 0 {
		u.Oldest = kept[0].written
	}
}
