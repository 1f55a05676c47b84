package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A segment is a file named for its number, which counts up from 1. It begins
// with a head, numbers in network order, and frames follow:
//
//	 0  8  mark
//	 8  4  version of the layout, 1
//	12  8  segment number
//	20  4  CRC-32C of bytes 0 to 19
const (
	segmentHead    = 24
	segmentSuffix  = ".journal"
	segmentVersion = 1
)

var segmentMark = []byte("MCPJRNL\n")

func appendSegmentHead(b []byte, number uint64) []byte {
	start := len(b)
	b = append(b, segmentMark...)
	b = binary.BigEndian.AppendUint32(b, segmentVersion)
	b = binary.BigEndian.AppendUint64(b, number)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

var (
	errHeadDamaged = errors.New("segment's head is damaged")
	errHeadVersion = errors.New("segment was written by a later version")
)

// checkSegmentHead tells whether a head is sound and of a layout known here. A
// damaged head is no reason not to read the frames: their sums cover the number.
func checkSegmentHead(b []byte, number uint64) error {
	if len(b) < segmentHead || binary.BigEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) ||
		!bytes.Equal(b[:8], segmentMark) || binary.BigEndian.Uint64(b[12:]) != number {
		return errHeadDamaged
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != segmentVersion {
		return fmt.Errorf("%w: layout %d, known is %d", errHeadVersion, v, segmentVersion)
	}
	return nil
}

// segmentFile is a segment in a directory listing.
type segmentFile struct {
	number  uint64
	size    int64
	written time.Time // the last time
}

// listSegments lists a directory's segments in order. Other files are not ours
// and are left alone.
func listSegments(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var found []segmentFile
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		number, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || number == 0 {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted by the writer just now
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list segments: %w", err)
		}
		found = append(found, segmentFile{number: number, size: info.Size(), written: info.ModTime()})
	}
	slices.SortFunc(found, func(a, b segmentFile) int {
		return Position{Segment: a.number}.Compare(Position{Segment: b.number})
	})
	return found, nil
}
