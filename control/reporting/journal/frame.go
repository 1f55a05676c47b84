package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A frame is one entry on disk, numbers in network order:
//
//	 0  4  mark
//	 4  4  length of the entry
//	 8  4  CRC-32C of the entry
//	12  4  CRC-32C of: segment number (8 bytes), offset of the frame (8), bytes 0 to 11
//	16     the entry
//
// The head has a sum of its own, so that a damaged entry is stepped over by its
// length, and that sum covers where the frame is, so that a copy of a frame
// inside an entry is never taken for one when a damaged head makes the reader
// look for the next.
const frameHead = 16

var (
	frameMark  = []byte{0x9e, 'E', 'N', 'T'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// appendFrame adds the frame of an entry that begins at a position.
func appendFrame(b []byte, at Position, entry []byte) []byte {
	head := len(b)
	b = append(b, frameMark...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entry)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(entry, castagnoli))
	b = appendPlace(b, at) // for the sum, which takes its room
	b = binary.BigEndian.AppendUint32(b[:head+12], headSum(b[head:head+12], b[head+12:]))
	return append(b, entry...)
}

func frameSize(entry []byte) int64 { return frameHead + int64(len(entry)) }

// appendPlace adds where a frame is, as its head's sum covers it.
func appendPlace(b []byte, at Position) []byte {
	b = binary.BigEndian.AppendUint64(b, at.Segment)
	return binary.BigEndian.AppendUint64(b, uint64(at.Offset))
}

func headSum(head, place []byte) uint32 {
	return crc32.Update(crc32.Checksum(place, castagnoli), castagnoli, head)
}

// piece is what lies at the front of the bytes of a segment.
type piece struct {
	state pieceState
	size  int64
	entry []byte // of an intact piece; shares the bytes it was read from
}

type pieceState uint8

const (
	intact  pieceState = iota // a frame
	damaged                   // bytes that are no intact frame, with a frame's head after them or a sound head of their own
	torn                      // the same up to the end: what a crash in the middle of a write leaves
)

// nextPiece looks at non-empty bytes that begin at a position.
func nextPiece(b []byte, at Position) piece {
	length, ok := parseHead(b, at)
	if !ok {
		return skipToHead(b, at)
	}
	size := frameHead + length
	if size > int64(len(b)) {
		return piece{state: torn, size: int64(len(b))}
	}
	entry := b[frameHead:size]
	if crc32.Checksum(entry, castagnoli) == binary.BigEndian.Uint32(b[8:]) {
		return piece{state: intact, size: size, entry: entry}
	}
	if size == int64(len(b)) {
		return piece{state: torn, size: size}
	}
	return piece{state: damaged, size: size}
}

// parseHead reads the head of a frame at a position and says whether it is sound.
func parseHead(b []byte, at Position) (length int64, ok bool) {
	if len(b) < frameHead || !bytes.Equal(b[:4], frameMark) {
		return 0, false
	}
	if headSum(b[:12], appendPlace(make([]byte, 0, 16), at)) != binary.BigEndian.Uint32(b[12:]) {
		return 0, false
	}
	length = int64(binary.BigEndian.Uint32(b[4:]))
	return length, length <= MaxEntry
}

// skipToHead measures the bytes before the next sound head.
func skipToHead(b []byte, at Position) piece {
	for skip := 1; skip < len(b); {
		i := bytes.Index(b[skip:], frameMark)
		if i < 0 {
			break
		}
		skip += i
		if _, ok := parseHead(b[skip:], Position{at.Segment, at.Offset + int64(skip)}); ok {
			return piece{state: damaged, size: int64(skip)}
		}
		skip++
	}
	return piece{state: torn, size: int64(len(b))}
}
