package upload

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// metadataSuffix is what a recording's metadata adds to its name.
const metadataSuffix = ".json"

// recording is a finished recording in the folder.
type recording struct {
	folder string
	name   string // path below the folder, with slashes
	id     string
	size   int64
	ended  time.Time
}

func (r recording) path() string     { return filepath.Join(r.folder, filepath.FromSlash(r.name)) }
func (r recording) metadata() string { return r.path() + metadataSuffix }

// finished finds the recordings of a folder that nobody writes to any more, and
// removes metadata whose recording is gone: it was uploaded, and the process died
// before it could remove both.
func finished(folder string) (map[string]recording, error) {
	all := map[string]recording{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it was removed meanwhile
		case err != nil:
			return err
		case d.IsDir() && path == filepath.Join(folder, refusedFolder):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, metadataSuffix):
			return nil
		}
		r, err := readRecording(folder, strings.TrimSuffix(path, metadataSuffix))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			all[r.name] = r
		}
		return err
	})
	return all, err
}

func readRecording(folder, path string) (recording, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return recording{}, errors.Join(err, os.Remove(path+metadataSuffix))
	}
	if err != nil {
		return recording{}, err
	}
	if !info.Mode().IsRegular() {
		return recording{}, fs.ErrNotExist
	}
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return recording{}, err
	}
	r := recording{folder: folder, name: filepath.ToSlash(name), size: info.Size(), ended: info.ModTime()}
	text, err := os.ReadFile(r.metadata())
	if err != nil {
		return recording{}, err
	}
	r.id = identify(r.name, text)
	return r, nil
}

// identify is the identifier that the metadata gives, or one that is made of the
// name and so stays the same.
func identify(name string, metadata []byte) string {
	var m struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(metadata, &m); err == nil && m.ID != "" {
		return m.ID
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// send stores a recording, then its metadata, tells who is to know and removes
// both, the recording first: metadata without a recording is no recording.
func (u *Uploader) send(ctx context.Context, r recording, to Store) error {
	if _, err := os.Stat(r.path()); err == nil {
		object, err := describe(r.path(), r.name, r.id)
		if err != nil {
			return err
		}
		if err := to.Put(ctx, object); err != nil {
			return fmt.Errorf("upload recording: %w", err)
		}
	}
	object, err := describe(r.metadata(), r.name+metadataSuffix, r.id)
	if err != nil {
		return err
	}
	if err := to.Put(ctx, object); err != nil {
		return fmt.Errorf("upload metadata: %w", err)
	}
	if u.cfg.Notice != nil {
		text, err := os.ReadFile(r.metadata())
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		if err := u.cfg.Notice.Post(ctx, r.id, text); err != nil {
			return fmt.Errorf("post metadata: %w", err)
		}
	}
	return r.remove()
}

func (r recording) remove() error {
	for _, path := range []string{r.path(), r.metadata()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is uploaded: %w", err)
		}
	}
	return nil
}

// move sets a recording aside, its metadata last: as it came.
func (r recording) move(folder string) error {
	to := filepath.Join(folder, filepath.FromSlash(r.name))
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return errors.Join(os.Rename(r.path(), to), os.Rename(r.metadata(), to+metadataSuffix))
}

// describe reads a file once, for its sums.
func describe(path, name, id string) (Object, error) {
	o := Object{Name: name, ID: id, ContentType: contentType(name)}
	o.Open = func() (File, error) { return os.Open(path) }
	f, err := os.Open(path)
	if err != nil {
		return o, fmt.Errorf("read recording: %w", err)
	}
	defer f.Close()
	long, short := sha256.New(), md5.New()
	if o.Size, err = io.Copy(io.MultiWriter(long, short), f); err != nil {
		return o, fmt.Errorf("read recording: %w", err)
	}
	long.Sum(o.SHA256[:0])
	short.Sum(o.MD5[:0])
	return o, nil
}

// contentTypes are those that the system's tables may lack.
var contentTypes = map[string]string{
	".wav": "audio/wav", ".mp3": "audio/mpeg", ".opus": "audio/ogg", ".ogg": "audio/ogg", ".au": "audio/basic",
	".json": "application/json", ".p7m": "application/pkcs7-mime", ".cms": "application/cms",
}

func contentType(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	if t := contentTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

func sortByAge(tasks []*task) {
	slices.SortFunc(tasks, func(a, b *task) int { return a.ended.Compare(b.ended) })
}

// freeShare is how much of a file system is free, 0 to 1.
func freeShare(path string) (float64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", path, err)
	}
	if s.Blocks == 0 {
		return 1, nil
	}
	return float64(s.Bavail) / float64(s.Blocks), nil
}
