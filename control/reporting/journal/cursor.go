package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// A cursor file tells how far a journal's entries are done with: segment number
// (8 bytes), offset (8), CRC-32C of both (4), numbers in network order.
const (
	cursorFile = "delivered"
	cursorSize = 20
)

// Delivered is the position that SetDelivered last made durable; the zero
// Position when there is none, or when it is not to be trusted: entries are
// then delivered again rather than never.
func (j *Journal) Delivered() (Position, error) {
	b, err := os.ReadFile(filepath.Join(j.dir, cursorFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("read cursor: %w", err)
	}
	p, ok := parseCursor(b)
	if end := j.End(); !ok || p.Compare(end) > 0 {
		return Position{}, fmt.Errorf("%w: it says %s of a journal that ends at %s", ErrCursor, p, end)
	}
	return p, nil
}

// ErrCursor says that the file which tells what was delivered is damaged, or of
// another journal.
var ErrCursor = errors.New("cursor is not to be trusted")

func parseCursor(b []byte) (p Position, ok bool) {
	if len(b) != cursorSize || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return Position{}, false
	}
	return Position{binary.BigEndian.Uint64(b), int64(binary.BigEndian.Uint64(b[8:]))}, true
}

// SetDelivered makes durable that what is before a position is done with, and
// releases it. One caller at a time.
func (j *Journal) SetDelivered(p Position) error {
	b := binary.BigEndian.AppendUint64(nil, p.Segment)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Offset))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if err := j.replace(filepath.Join(j.dir, cursorFile), b); err != nil {
		return fmt.Errorf("write cursor: %w", err)
	}
	j.Release(p)
	return nil
}

// replace puts a file in the place of another so that a crash leaves the old or
// the new.
func (j *Journal) replace(path string, b []byte) error {
	f, err := j.disk.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := j.disk.Rename(path+".new", path); err != nil {
		return err
	}
	return j.disk.SyncDir(j.dir)
}
