package audiohook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Headers of a request to open a WebSocket.
const (
	headerOrganization = "Audiohook-Organization-Id"
	headerSession      = "Audiohook-Session-Id"
	headerCorrelation  = "Audiohook-Correlation-Id"
	headerKey          = "X-Api-Key"
	headerInput        = "Signature-Input"
	headerSignature    = "Signature"
)

// lifetime is how long a signature is valid.
const lifetime = 30 * time.Second

// components are what is signed, in this order.
func components() []string {
	return []string{
		"@request-target", "@authority", "audiohook-organization-id", "audiohook-session-id",
		"audiohook-correlation-id", "x-api-key",
	}
}

// Sign signs a request's headers with a secret: HTTP message signatures
// (draft-ietf-httpbis-message-signatures) with HMAC-SHA-256, as AudioHook has them. The
// headers that are signed must be there.
func Sign(to *url.URL, header http.Header, secret []byte, at time.Time) {
	nonce := make([]byte, 18)
	rand.Read(nonce) // never fails
	key := header.Get(headerKey)
	input := fmt.Sprintf(`("%s");keyid="%s";nonce="%s";alg="hmac-sha256";created=%d;expires=%d`,
		strings.Join(components(), `" "`), key, base64.StdEncoding.EncodeToString(nonce),
		at.Unix(), at.Add(lifetime).Unix())
	header.Set(headerInput, "sig1="+input)
	mac := digest(base(components(), input, lookup(to.RequestURI(), to.Host, header)), secret)
	header.Set(headerSignature, "sig1=:"+base64.StdEncoding.EncodeToString(mac)+":")
}

// lookup finds what a component's value is.
func lookup(target, host string, header http.Header) func(string) string {
	return func(name string) string {
		switch name {
		case "@request-target":
			return target
		case "@authority", "host":
			host = strings.ToLower(host)
			for _, port := range []string{":443", ":80"} {
				host = strings.TrimSuffix(host, port)
			}
			return host
		}
		return strings.TrimSpace(header.Get(name))
	}
}

// base is what the digest is made of.
func base(names []string, input string, value func(string) string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%q: %s\n", name, value(name))
	}
	fmt.Fprintf(&b, `"@signature-params": %s`, input)
	return b.String()
}

func digest(text string, secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// ErrSignature says that a request is not signed as it should be.
var ErrSignature = errors.New("signature refused")

// maxAge is how old a signature may be.
const maxAge = 10 * time.Second

// Verify checks that a request is signed with the secret, and all that must be signed
// is.
func Verify(r *http.Request, secret []byte, at time.Time) error {
	label, input, found := strings.Cut(r.Header.Get(headerInput), "=")
	list, params, ended := strings.Cut(strings.TrimPrefix(input, "("), ")")
	encoded, signed := strings.CutPrefix(r.Header.Get(headerSignature), label+"=:")
	if !found || !ended || !signed {
		return fmt.Errorf("%w: there is none", ErrSignature)
	}
	var names []string
	for _, quoted := range strings.Fields(list) {
		names = append(names, strings.Trim(quoted, `"`))
	}
	for _, name := range components() {
		if !strings.Contains(list, `"`+name+`"`) {
			return fmt.Errorf("%w: %s is not signed", ErrSignature, name)
		}
	}
	if err := checkParams(params, r.Header.Get(headerKey), at); err != nil {
		return err
	}
	mac, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, ":"))
	want := digest(base(names, input, lookup(r.URL.RequestURI(), r.Host, r.Header)), secret)
	if err != nil || !hmac.Equal(mac, want) {
		return fmt.Errorf("%w: it is another's", ErrSignature)
	}
	return nil
}

func checkParams(params, key string, at time.Time) error {
	var created, expires int64
	var id, nonce string
	for _, p := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		value = strings.Trim(value, `"`)
		switch name {
		case "keyid":
			id = value
		case "nonce":
			nonce = value
		case "created":
			fmt.Sscan(value, &created)
		case "expires":
			fmt.Sscan(value, &expires)
		}
	}
	age := at.Sub(time.Unix(created, 0))
	switch {
	case id != key:
		return fmt.Errorf("%w: keyid is not the API key", ErrSignature)
	case len(nonce) < 22:
		return fmt.Errorf("%w: nonce is too short", ErrSignature)
	case age > maxAge || age < -maxAge || expires > 0 && at.Unix() > expires:
		return fmt.Errorf("%w: it is %s old", ErrSignature, age)
	}
	return nil
}
