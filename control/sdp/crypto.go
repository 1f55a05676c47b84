package sdp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Crypto is a line of a=crypto: a suite and the key that its writer sends with
// (RFC 4568 section 9).
type Crypto struct {
	Tag      int // ties an answer to the line that it takes
	Suite    string
	Secret   Secret // master key and salt
	Lifetime uint64 // packets; zero: none is said
	MKI      []byte // master key identifier; empty: none
	// Err is why the line cannot be taken: it wants what we do not have, or is
	// malformed. Another line may do.
	Err error
}

// Secret is octets that no log shows.
type Secret []byte

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(secret)") }

// MarshalText implements encoding.TextMarshaler, by which logs write it.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// maxMKI is the longest identifier of RFC 4568 section 6.1, in octets.
const maxMKI = 128

// parseCrypto reads tag, suite, key parameters and session parameters.
func parseCrypto(value string) Crypto {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return Crypto{Err: errors.New("a=crypto without tag, suite and key")}
	}
	c := Crypto{Suite: fields[1]}
	tag, err := strconv.ParseUint(fields[0], 10, 31)
	if err != nil || len(fields[0]) > 9 {
		c.Err = fmt.Errorf("a=crypto: tag %q", clip(fields[0]))
		return c
	}
	c.Tag = int(tag)
	if err := c.readKey(fields[2]); err != nil {
		c.Err = fmt.Errorf("a=crypto:%d: %w", c.Tag, err)
	} else if err := checkParameters(fields[3:]); err != nil {
		c.Err = fmt.Errorf("a=crypto:%d: %w", c.Tag, err)
	}
	return c
}

// readKey reads inline:KEY[|LIFETIME][|MKI:LENGTH]. No error shows any of it.
func (c *Crypto) readKey(text string) error {
	inline, ok := strings.CutPrefix(text, "inline:")
	if !ok {
		return errors.New("key method is not inline")
	}
	if strings.Contains(inline, ";") {
		return errors.New("several keys in one line")
	}
	parts := strings.Split(inline, "|")
	secret, err := base64.StdEncoding.DecodeString(parts[0])
	if err != nil {
		// Some leave the padding out.
		if secret, err = base64.RawStdEncoding.DecodeString(parts[0]); err != nil {
			return errors.New("key is not Base64")
		}
	}
	c.Secret = secret
	for i, part := range parts[1:] {
		var err error
		switch {
		case i == 0 && !strings.Contains(part, ":"):
			c.Lifetime, err = lifetime(part)
		case i == len(parts)-2:
			c.MKI, err = identifier(part)
		default:
			err = errors.New("key parameters")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lifetime is a number of packets, or a power of two as 2^48.
func lifetime(text string) (uint64, error) {
	base, bits := "2^", 0
	if power, ok := strings.CutPrefix(text, base); ok {
		n, err := strconv.ParseUint(power, 10, 8)
		if bits = int(n); err != nil || bits > 48 {
			return 0, errors.New("lifetime is beyond 2^48 packets")
		}
		return 1 << bits, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || n > 1<<48 {
		return 0, errors.New("lifetime is no number of packets up to 2^48")
	}
	return n, nil
}

// identifier is a number and how many octets of a packet it takes.
func identifier(text string) ([]byte, error) {
	value, length, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(value, 10, 64)
	octets, err2 := strconv.ParseUint(length, 10, 8)
	if !ok || err != nil || err2 != nil || octets == 0 || octets > maxMKI {
		return nil, errors.New("master key identifier")
	}
	if octets < 8 && n > math.MaxUint64>>(64-8*octets) {
		return nil, errors.New("master key identifier is longer than its length")
	}
	mki := make([]byte, octets)
	for i := len(mki) - 1; i >= 0 && n > 0; i-- {
		mki[i], n = byte(n), n>>8
	}
	return mki, nil
}

// checkParameters takes the session parameters of RFC 4568 section 6.3 that change
// nothing here: a hint at the replay window, and those marked as dispensable.
// Streams that are not encrypted, or not authenticated, are none that we want.
func checkParameters(params []string) error {
	for _, p := range params {
		if !strings.HasPrefix(p, "WSH=") && !strings.HasPrefix(p, "-") {
			name, _, _ := strings.Cut(p, "=")
			return fmt.Errorf("session parameter %q", clip(name))
		}
	}
	return nil
}

// text is the attribute's value.
func (c Crypto) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s inline:%s", c.Tag, c.Suite, base64.StdEncoding.EncodeToString(c.Secret))
	if c.Lifetime > 0 {
		fmt.Fprintf(&b, "|%d", c.Lifetime)
	}
	if len(c.MKI) > 0 {
		n := uint64(0)
		for _, octet := range c.MKI {
			n = n<<8 | uint64(octet)
		}
		fmt.Fprintf(&b, "|%d:%d", n, len(c.MKI))
	}
	return b.String()
}
