package announcement

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mcp/control/call"
	"mcp/vxml/fetch"
)

// order is an announcement as a Request-URI asks for it.
type order struct {
	asked     string   // the play parameter
	play      []string // URLs
	mediaType string   // of those that do not say; empty: as their server says
	repeat    int      // how many times it is heard
	forever   bool
	delay     time.Duration // between two times
	duration  time.Duration // of everything, where limited
	limited   bool
}

// longestTime bounds delay and duration: beyond it a number is a mistake.
const longestTime = 24 * time.Hour

// read reads the parameters of RFC 4240 section 3.3; others are ignored, as it asks.
func (s *Service) read(params map[string]string) (order, error) {
	o := order{asked: params["play"], mediaType: params["content-type"], repeat: 1}
	if err := o.times(params); err != nil {
		return order{}, &call.Refusal{Status: http.StatusBadRequest, Reason: "Bad Request", Warning: err.Error()}
	}
	id, provisioned := strings.CutPrefix(o.asked, "/provisioned/")
	if !provisioned {
		o.play = []string{o.asked}
		return o, nil
	}
	var err error
	if o.play, err = s.provisioned(id, params); err != nil {
		return order{}, refuse(o.asked, err)
	}
	return o, nil
}

func (o *order) times(params map[string]string) (err error) {
	if o.delay, err = milliseconds(params, "delay"); err != nil {
		return err
	}
	if o.duration, err = milliseconds(params, "duration"); err != nil {
		return err
	}
	_, o.limited = params["duration"]
	switch repeat := params["repeat"]; {
	case repeat == "":
	case strings.EqualFold(repeat, "forever"):
		o.forever = true
	default:
		n, err := strconv.ParseUint(repeat, 10, 31)
		if err != nil {
			return fmt.Errorf("repeat=%s is neither a number nor forever", repeat)
		}
		o.repeat = max(1, int(n))
	}
	return nil
}

func milliseconds(params map[string]string, name string) (time.Duration, error) {
	text, given := params[name]
	if !given {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s=%s is no number of milliseconds", name, text)
	}
	return min(time.Duration(n)*time.Millisecond, longestTime), nil
}

// announcementID is the form of a provisioned announcement's name.
var announcementID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// provisioned finds the files of a provisioned announcement: NAME.wav, or
// NAME.seq, a list of URLs and file names, one a line, in which $1 to $9 stand
// for param1 to param9. Both are looked for in the directory of the locale that
// fits best, then in the announcements' own.
func (s *Service) provisioned(id string, params map[string]string) ([]string, error) {
	if s.config.Directory == "" || !announcementID.MatchString(id) {
		return nil, fs.ErrNotExist
	}
	for _, dir := range s.localized(params["locale"]) {
		if list, err := os.ReadFile(filepath.Join(dir, id+".seq")); err == nil {
			return sequence(dir, string(list), params)
		}
		file := filepath.Join(dir, id+".wav")
		if _, err := os.Stat(file); err == nil {
			return []string{fileURL(file)}, nil
		}
	}
	return nil, fs.ErrNotExist
}

// localized lists the directories of a locale, best first: the tag itself, its
// language, another country's variant of the language, another language of the
// country, no language at all. Tags know no case (RFC 3066 section 2.1).
func (s *Service) localized(locale string) []string {
	parts := localeTag.FindStringSubmatch(strings.ToLower(locale))
	if parts == nil {
		return []string{s.config.Directory}
	}
	language, country := parts[1], parts[2]
	patterns := []string{language + "_" + country, language, language + "_*"}
	if country != "" {
		patterns = append(patterns, "*_"+country)
	}
	there, err := os.ReadDir(s.config.Directory)
	if err != nil { // what is looked for is not there either
		return []string{s.config.Directory}
	}
	var dirs []string
	for _, pattern := range patterns {
		for _, entry := range there {
			// The pattern is none that could be malformed.
			if fits, _ := path.Match(pattern, strings.ToLower(entry.Name())); fits {
				dirs = append(dirs, filepath.Join(s.config.Directory, entry.Name()))
			}
		}
	}
	return append(dirs, s.config.Directory)
}

// localeTag is a language with a country, perhaps, as RFC 4240 section 3 joins them.
var localeTag = regexp.MustCompile(`^([a-z]{2,8})(?:[_-]([a-z0-9]{2,8}))?$`)

// param is the form of what may be put into a sequence (RFC 4240 section 3.3).
var param = regexp.MustCompile(`^[A-Za-z0-9]*$`)

func sequence(dir, list string, params map[string]string) ([]string, error) {
	var replace []string
	for n := 1; n <= 9; n++ {
		value := params[fmt.Sprintf("param%d", n)]
		if !param.MatchString(value) {
			return nil, fmt.Errorf("param%d is neither letters nor digits", n)
		}
		replace = append(replace, fmt.Sprintf("$%d", n), value)
	}
	var urls []string
	for line := range strings.Lines(strings.NewReplacer(replace...).Replace(list)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.Contains(line, "://"):
			urls = append(urls, line)
		default:
			urls = append(urls, fileURL(filepath.Join(dir, line)))
		}
	}
	if len(urls) == 0 {
		return nil, errors.New("the sequence is empty")
	}
	return urls, nil
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// missing tells a recording that is not there from one that cannot be had.
func missing(err error) bool {
	var failed *fetch.Error
	if errors.As(err, &failed) && failed.Status != 0 {
		return failed.Status == http.StatusNotFound || failed.Status == http.StatusGone
	}
	return errors.Is(err, fs.ErrNotExist)
}
