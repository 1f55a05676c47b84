package fetch

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// disk is the part of the cache that outlives the process: a file for each
// answer, the least recently used leaving first. A file that is not whole is as
// none.
type disk struct {
	dir   string
	limit int64

	mu    sync.Mutex
	size  int64
	order *list.List // of *page, most recently used first
	files map[string]*list.Element
}

type page struct {
	name string
	size int64
}

// head is the first line of a file; the body follows it.
type head struct {
	URL       string // that was asked for
	Final     string // after redirects
	MediaType string
	Header    http.Header
	Asked     time.Time
	Born      time.Time
	Life      time.Duration
	Must      bool
	Sum       string // SHA-256 of the body
}

const diskSuffix = ".answer"

// openDisk uses dir, which it makes, for at most limit bytes.
func openDisk(dir string, limit int64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	d := &disk{dir: dir, limit: limit, order: list.New(), files: make(map[string]*list.Element)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	type known struct {
		page
		used time.Time
	}
	var all []known
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue
		}
		if !strings.HasSuffix(e.Name(), diskSuffix) {
			if strings.HasPrefix(e.Name(), "new-") {
				_ = os.Remove(filepath.Join(dir, e.Name())) // left by a process that was killed
			}
			continue
		}
		all = append(all, known{page{e.Name(), info.Size()}, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b known) int { return a.used.Compare(b.used) })
	for _, k := range all {
		d.noteLocked(k.name, k.size)
	}
	return d, nil
}

func fileName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:16]) + diskSuffix
}

func (d *disk) get(url string) *entry {
	name := fileName(url)
	d.mu.Lock()
	el := d.files[name]
	if el != nil {
		d.order.MoveToFront(el)
	}
	d.mu.Unlock()
	if el == nil {
		return nil
	}
	path := filepath.Join(d.dir, name)
	text, err := os.ReadFile(path)
	e := unpack(text, url)
	if err != nil || e == nil {
		d.drop(url)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // only the order of leaving depends on it
	return e
}

func unpack(text []byte, url string) *entry {
	line, body, whole := bytes.Cut(text, []byte("\n"))
	var h head
	if !whole || json.Unmarshal(line, &h) != nil || h.URL != url {
		return nil
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != h.Sum {
		return nil
	}
	return &entry{
		resource: &Resource{URL: h.Final, MediaType: h.MediaType, Body: body}, header: h.Header,
		asked: h.Asked, born: h.Born, life: h.Life, must: h.Must,
	}
}

func (d *disk) put(url string, e *entry) {
	sum := sha256.Sum256(e.resource.Body)
	line, err := json.Marshal(head{
		URL: url, Final: e.resource.URL, MediaType: e.resource.MediaType, Header: e.header,
		Asked: e.asked, Born: e.born, Life: e.life, Must: e.must, Sum: hex.EncodeToString(sum[:]),
	})
	size := int64(len(line) + 1 + len(e.resource.Body))
	if err != nil || size > d.limit {
		d.drop(url)
		return
	}
	if err := d.write(fileName(url), append(append(line, '\n'), e.resource.Body...)); err != nil {
		d.drop(url) // a full disk costs the cache, nothing else
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteLocked(fileName(url), size)
	for d.size > d.limit {
		d.dropLocked(d.order.Back().Value.(*page).name)
	}
}

// write makes a file whole or not at all.
func (d *disk) write(name string, text []byte) error {
	f, err := os.CreateTemp(d.dir, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func (d *disk) noteLocked(name string, size int64) {
	if el := d.files[name]; el != nil {
		d.size -= el.Value.(*page).size
		d.order.Remove(el)
	}
	d.files[name] = d.order.PushFront(&page{name, size})
	d.size += size
}

func (d *disk) drop(url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropLocked(fileName(url))
}

func (d *disk) dropLocked(name string) {
	el := d.files[name]
	if el == nil {
		return
	}
	d.size -= el.Value.(*page).size
	d.order.Remove(el)
	delete(d.files, name)
	_ = os.Remove(filepath.Join(d.dir, name)) // one that is gone already is what was wanted
}

// store is the cache: what is in memory, and behind it what is on disk.
type store struct {
	memory *cache
	disk   *disk // nil: none
}

func (s store) get(url string) *entry {
	if e := s.memory.get(url); e != nil || s.disk == nil {
		return e
	}
	e := s.disk.get(url)
	if e != nil {
		s.memory.put(url, e)
	}
	return e
}

func (s store) put(url string, e *entry) {
	s.memory.put(url, e)
	if s.disk != nil {
		s.disk.put(url, e)
	}
}

func (s store) drop(url string) {
	s.memory.drop(url)
	if s.disk != nil {
		s.disk.drop(url)
	}
}
