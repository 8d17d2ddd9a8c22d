package tier

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tiers on disk: a tier whose scales were searched for once is read the next time.
//
// A tier is a GGUF file whose name has all that is known of it: which source and recipe it is of, its tier, and the SHA-256 of its bytes, which is held against
// them before anything of it is used. It appears under that name when it is whole. When it was last used is the file's time. So the folder is
// the only state: what is removed by hand is gone, and what is changed is found.

// Shelf is a folder of tiers. It never takes more than its quota.
type Shelf struct {
	folder string
	quota  int64
	mu     sync.Mutex // held by who changes what is there
	making int64      // bytes of what is being made
}

// Kept is a tier on a shelf.
type Kept struct {
	Key   string // see KeyOf
	Tier  string
	Bytes int64
	Used  time.Time
	sum   string
}

// unfinished is what the name of a file begins with that is being made.
const unfinished = "making-"

var keptName = regexp.MustCompile(`^([0-9a-f]{32})\.([0-9a-z_]+)\.([0-9a-f]{64})\.gguf$`)

// OpenShelf makes the folder where there is none, and removes what the end of a daemon has left half made. Tiers are as private as the models that they are made of.
func OpenShelf(folder string, quota int64) (*Shelf, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return &Shelf{folder: folder, quota: quota}, err
}

// KeyOf names what a tier's bytes depend on: the source by its identity, the types of the tensors that are read, and the version of the search.
func KeyOf(source string, w engine.Weights, names []string, search int) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d\n", source, search)
	for _, name := range names {
		t, err := w.Tensor(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %d %d %d\n", name, t.Type, t.Rows, t.Cols)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

func (k Kept) name() string { return fmt.Sprintf("%s.%s.%s.gguf", k.Key, k.Tier, k.sum) }

func (s *Shelf) path(k Kept) string { return filepath.Join(s.folder, k.name()) }

// List is what is there, the least recently used first.
func (s *Shelf) List() (list []Kept, err error) {
	entries, err := os.ReadDir(s.folder)
	for _, e := range entries {
		parts := keptName.FindStringSubmatch(e.Name())
		info, gone := e.Info()
		if parts == nil || gone != nil || !info.Mode().IsRegular() {
			continue
		}
		list = append(list, Kept{parts[1], parts[2], info.Size(), info.ModTime(), parts[3]})
	}
	slices.SortFunc(list, func(a, b Kept) int { return cmp.Or(a.Used.Compare(b.Used), strings.Compare(a.name(), b.name())) })
	return list, err
}

// Open reads a tier that is there, nil where there is none. One that is damaged is removed, and the error says so.
func (s *Shelf) Open(key string) (*weights.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.List()
	i := slices.IndexFunc(list, func(k Kept) bool { return k.Key == key })
	if err != nil || i < 0 {
		return nil, err
	}
	path := s.path(list[i])
	f, err := openWhole(path, list[i].sum)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	now := time.Now()
	return f, os.Chtimes(path, now, now)
}

// openWhole opens a file whose bytes are those of its name.
func openWhole(path, sum string) (*weights.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	is, err := sumOf(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if is != sum {
		return nil, fmt.Errorf("%s: its bytes are not those that were written", path)
	}
	return weights.Open(path)
}

// sumOf is the SHA-256 of all of a file.
func sumOf(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(f, 0, info.Size()))
	return hex.EncodeToString(h.Sum(nil)), err
}

// Begin makes room for a tier of w, and returns it as weights that are kept as they are read: nil where the quota has none. The least recently used go for it, but none whose key inUse
// tells of.
func (s *Shelf) Begin(key, tier string, w engine.Weights, names []string, inUse func(key string) bool) (*Making, error) {
	bytes := int64(0)
	for _, name := range names {
		t, err := w.Tensor(name)
		if err != nil {
			return nil, err
		}
		bytes += int64(t.Rows)*int64(t.RowBytes) + headBytes + int64(len(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if room, err := s.makeRoom(bytes, inUse); err != nil || !room {
		return nil, err
	}
	file, err := os.CreateTemp(s.folder, unfinished)
	if err != nil {
		return nil, err
	}
	m := &Making{Weights: w, shelf: s, kept: Kept{Key: key, Tier: tier, Bytes: bytes}, file: file}
	if err := m.fill(names); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	s.making += bytes
	return m, nil
}

// headBytes is what a tensor takes of the file beside its bytes and its name at most: its entry, and what aligns it.
const headBytes = 96

// makeRoom removes the least recently used until so many bytes more are within the quota. Nothing is removed in vain.
func (s *Shelf) makeRoom(bytes int64, inUse func(key string) bool) (bool, error) {
	list, err := s.List()
	if err != nil {
		return false, err
	}
	left := s.quota - s.making - bytes
	var may []Kept
	could := int64(0)
	for _, k := range list {
		left -= k.Bytes
		if !inUse(k.Key) {
			may, could = append(may, k), could+k.Bytes
		}
	}
	if left+could < 0 {
		return false, nil
	}
	for ; left < 0; may = may[1:] {
		if err := os.Remove(s.path(may[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		left += may[0].Bytes
	}
	return true, nil
}

// put gives a file that is whole its name. The folder is written to the disk too, so that both are there after a crash or neither.
func (s *Shelf) put(path string, k Kept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making -= k.Bytes
	list, err := s.List()
	for _, old := range list {
		if old.Key == k.Key {
			err = errors.Join(err, os.Remove(s.path(old)))
		}
	}
	if e := os.Rename(path, s.path(k)); e != nil {
		return errors.Join(err, e, os.Remove(path))
	}
	folder, opened := os.Open(s.folder)
	if opened != nil {
		return errors.Join(err, opened)
	}
	return errors.Join(err, folder.Sync(), folder.Close())
}

// drop removes what did not become a tier.
func (s *Shelf) drop(path string, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making -= bytes
	return os.Remove(path)
}

// Remove removes the tiers that chosen tells of, and returns how many that were and what they took.
func (s *Shelf) Remove(chosen func(Kept) bool) (n int, bytes int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.List()
	for _, k := range list {
		if !chosen(k) {
			continue
		}
		if e := os.Remove(s.path(k)); e != nil {
			err = errors.Join(err, e)
			continue
		}
		n, bytes = n+1, bytes+k.Bytes
	}
	return n, bytes, err
}
