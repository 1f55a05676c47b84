package agentx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// OID is an object identifier.
type OID []uint32

// maxSubIDs is how long an identifier may be (RFC 2741 section 5.1).
const maxSubIDs = 128

// ParseOID reads an identifier written with dots, such as 1.3.6.1.4.1.1729.
func ParseOID(text string) (OID, error) {
	parts := strings.Split(strings.TrimPrefix(text, "."), ".")
	if len(parts) > maxSubIDs {
		return nil, fmt.Errorf("object identifier: %d numbers are more than %d", len(parts), maxSubIDs)
	}
	o := make(OID, 0, len(parts))
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("object identifier %q: %q is not a number of 32 bits", text, p)
		}
		o = append(o, uint32(n))
	}
	return o, nil
}

func (o OID) String() string {
	parts := make([]string, len(o))
	for i, n := range o {
		parts[i] = strconv.FormatUint(uint64(n), 10)
	}
	return strings.Join(parts, ".")
}

// Append is the identifier with more numbers behind it; o itself stays as it is.
func (o OID) Append(more ...uint32) OID { return slices.Concat(o, more) }

// Below tells whether o is top or within its subtree.
func (o OID) Below(top OID) bool { return len(o) >= len(top) && slices.Equal(o[:len(top)], top) }
