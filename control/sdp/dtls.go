package sdp

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// DTLS is what a description says of a DTLS association that makes the keys (RFC
// 5763).
type DTLS struct {
	Fingerprints []Fingerprint // of the certificate; any one will do
	Setup        string        // actpass, active, passive or holdconn (RFC 4145)
	ID           string        // tls-id (RFC 8842); empty: none
}

// Fingerprint is a certificate's digest (RFC 8122 section 5).
type Fingerprint struct {
	Hash   string // in lower case: "sha-256"
	Digest string // octets
}

// digests are the lengths of those hashes that are believed, in octets.
var digests = map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}

// String is the attribute's value.
func (f Fingerprint) String() string {
	octets := make([]string, len(f.Digest))
	for i := range octets {
		octets[i] = fmt.Sprintf("%02X", f.Digest[i])
	}
	return f.Hash + " " + strings.Join(octets, ":")
}

// parseFingerprint reads a hash and its octets; false: nothing to be believed.
func parseFingerprint(value string) (Fingerprint, bool) {
	hash, text, _ := strings.Cut(strings.TrimSpace(value), " ")
	hash = strings.ToLower(hash)
	text = strings.TrimSpace(text)
	digest, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(digest) == 0 || len(digest) != digests[hash] || len(text) != 3*len(digest)-1 {
		return Fingerprint{}, false
	}
	return Fingerprint{Hash: hash, Digest: string(digest)}, true
}

// dtlsOf reads the stream's attributes, or the session's.
func dtlsOf(session, stream section) DTLS {
	d := DTLS{Setup: "active"} // RFC 4145 section 4: where nothing is said
	for _, lines := range [...]section{session, stream} {
		var own []Fingerprint
		for name, value := range lines.attributes {
			switch name {
			case "fingerprint":
				if f, ok := parseFingerprint(value); ok && !slices.Contains(own, f) {
					own = append(own, f)
				}
			case "setup":
				d.Setup = strings.ToLower(strings.TrimSpace(value))
			case "tls-id":
				d.ID = strings.TrimSpace(value)
			}
		}
		if len(own) > 0 {
			d.Fingerprints = own
		}
	}
	return d
}

func (d DTLS) write(t *draft) {
	if len(d.Fingerprints) == 0 {
		return
	}
	for _, f := range d.Fingerprints {
		t.attribute("fingerprint", f.String())
	}
	t.attribute("setup", d.Setup)
	if d.ID != "" {
		t.attribute("tls-id", d.ID)
	}
}
