package srtp

import (
	"slices"

	pion "github.com/pion/srtp/v3"
)

// Profile says how packets are protected, by its name in SDP.
type Profile string

// The profiles of RFC 4568, RFC 6188 and RFC 7714.
const (
	AES128SHA80 Profile = "AES_CM_128_HMAC_SHA1_80"
	AES128SHA32 Profile = "AES_CM_128_HMAC_SHA1_32"
	AES256SHA80 Profile = "AES_256_CM_HMAC_SHA1_80"
	AES256SHA32 Profile = "AES_256_CM_HMAC_SHA1_32"
	GCM128      Profile = "AEAD_AES_128_GCM"
	GCM256      Profile = "AEAD_AES_256_GCM"
)

// numbers are the profiles' in DTLS (RFC 5764 section 4.1.2, RFC 7714 section
// 14.2). Those of AES-256 in counter mode never left their draft.
var numbers = map[Profile]pion.ProtectionProfile{
	AES128SHA80: pion.ProtectionProfileAes128CmHmacSha1_80,
	AES128SHA32: pion.ProtectionProfileAes128CmHmacSha1_32,
	AES256SHA80: pion.ProtectionProfileAes256CmHmacSha1_80,
	AES256SHA32: pion.ProtectionProfileAes256CmHmacSha1_32,
	GCM128:      pion.ProtectionProfileAeadAes128Gcm,
	GCM256:      pion.ProtectionProfileAeadAes256Gcm,
}

// Profiles are all, the one that everybody has first.
func Profiles() []Profile {
	return []Profile{AES128SHA80, AES128SHA32, GCM128, GCM256, AES256SHA80, AES256SHA32}
}

// Known tells whether packets can be protected so.
func (p Profile) Known() bool { return slices.Contains(Profiles(), p) }

// profileOf is the profile of a number in DTLS; empty: none that we know.
func profileOf(number pion.ProtectionProfile) Profile {
	for p, n := range numbers {
		if n == number {
			return p
		}
	}
	return ""
}

// overDTLS tells whether DTLS can agree on it.
func (p Profile) overDTLS() bool { return p != AES256SHA80 && p != AES256SHA32 }

// lengths are those of the master key and the master salt, in octets.
func (p Profile) lengths() (key, salt int) {
	key, err := numbers[p].KeyLen()
	if err != nil {
		return 0, 0
	}
	salt, err = numbers[p].SaltLen()
	if err != nil {
		return 0, 0
	}
	return key, salt
}

// tag is the length of an RTP packet's authentication tag, in octets.
func (p Profile) tag() int {
	if n, err := numbers[p].AEADAuthTagLen(); err == nil && n > 0 {
		return n
	}
	n, err := numbers[p].AuthTagRTPLen()
	if err != nil {
		return 0
	}
	return n
}

// Overhead is how much longer a packet may become: the tag, the index of SRTCP
// and the longest master key identifier.
const Overhead = 16 + 4 + maxMKI
