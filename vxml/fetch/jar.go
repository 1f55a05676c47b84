package fetch

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
)

// Jar keeps the cookies of a session (RFC 6265). The zero value has none; it is safe for
// concurrent use. Nothing is made of one until a server is asked, which sessions whose
// pages are in the cache never do.
type Jar struct {
	once sync.Once
	jar  http.CookieJar
}

var _ http.CookieJar = (*Jar)(nil)

// SetCookies implements http.CookieJar.
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.made().SetCookies(u, cookies) }

// Cookies implements http.CookieJar.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.made().Cookies(u) }

func (j *Jar) made() http.CookieJar {
	j.once.Do(func() { j.jar, _ = cookiejar.New(nil) }) // which never fails
	return j.jar
}
