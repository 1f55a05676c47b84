package gsm

import (
	"math"
	"math/bits"
)

// The basic operations of GSM 06.10 section 5.1: 16 bits that saturate.

func saturate(v int32) int16 {
	return int16(max(math.MinInt16, min(math.MaxInt16, v)))
}

func add(a, b int16) int16 { return saturate(int32(a) + int32(b)) }

func sub(a, b int16) int16 { return saturate(int32(a) - int32(b)) }

// mult is a product of two fractions, and multR the same rounded.
func mult(a, b int16) int16 { return saturate(int32(a) * int32(b) >> 15) }

func multR(a, b int16) int16 { return saturate((int32(a)*int32(b) + 1<<14) >> 15) }

func abs(a int16) int16 {
	if a < 0 {
		return saturate(-int32(a))
	}
	return a
}

// longAdd is a sum of 32 bits that saturates.
func longAdd(a, b int32) int32 {
	return int32(max(math.MinInt32, min(math.MaxInt32, int64(a)+int64(b))))
}

// norm is by how many bits a positive number can be shifted up.
func norm(a int32) int { return bits.LeadingZeros32(uint32(a)) - 1 }

// div is the quotient of two fractions, of which the first is not greater.
func div(a, b int16) int16 {
	if a >= b {
		return math.MaxInt16
	}
	return int16(int32(a) << 15 / int32(b))
}

// loudest is the greatest absolute value.
func loudest(in []int16) (most int16) {
	for _, v := range in {
		most = max(most, abs(v))
	}
	return most
}
