package tier

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tests of the shelf: what is kept is what was made, whatever the disk does.

// made are weights in memory: tensors of rows of bytes, as if they had been made.
type made struct {
	rows map[string]int
	data map[string][]byte
}

const madeRow = 84 // a block of q2_k

func newMade(seed uint64, rows ...int) *made {
	m, r := &made{map[string]int{}, map[string][]byte{}}, rand.New(rand.NewPCG(seed, 1))
	for i, n := range rows {
		name, data := fmt.Sprintf("t%d", i), make([]byte, n*madeRow)
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		m.rows[name], m.data[name] = n, data
	}
	return m
}

func (m *made) names() (list []string) {
	for name := range m.rows {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func (m *made) Tensor(name string) (engine.Tensor, error) {
	if !m.Has(name) {
		return engine.Tensor{}, errors.New("there is no tensor " + name)
	}
	return engine.Tensor{Name: name, Type: engine.DType(weights.Q2_K), Rows: m.rows[name], Cols: 256, RowBytes: madeRow, PartRows: 1}, nil
}

func (m *made) Has(name string) bool { return m.rows[name] > 0 }

func (m *made) Read(name string, firstRow int, dst []byte) error {
	copy(dst, m.data[name][firstRow*madeRow:])
	return nil
}

func (m *made) Ahead(string, int, int) {}

func never(string) bool { return false }

func openShelf(t *testing.T, folder string, quota int64) *Shelf {
	t.Helper()
	s, err := OpenShelf(folder, quota)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keyOf is a key that a number stands for.
func keyOf(n int) string { return fmt.Sprintf("%032x", n) }

// keep makes a tier as a load does, in pieces of any order, some twice, and keeps it.
func keep(t *testing.T, s *Shelf, key string, w *made, inUse func(string) bool) error {
	t.Helper()
	m, err := s.Begin(key, "q2_k", w, w.names(), inUse)
	if err != nil {
		return err
	}
	if m == nil {
		return errNoQuota
	}
	readAll(t, m, w)
	return m.Keep()
}

var errNoQuota = errors.New("the quota has no room")

func readAll(t *testing.T, m *Making, w *made) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	for _, name := range w.names() {
		rows := r.Perm(w.rows[name])
		for _, row := range append(rows, rows[0]) {
			n := min(1+r.IntN(3), w.rows[name]-row)
			dst := make([]byte, n*madeRow)
			if err := m.Read(name, row, dst); err != nil || !bytes.Equal(dst, w.data[name][row*madeRow:][:n*madeRow]) {
				t.Fatalf("%s, row %d: %v", name, row, err)
			}
		}
	}
}

// holds tells whether a shelf has a tier of these bytes.
func holds(t *testing.T, s *Shelf, key string, w *made) bool {
	t.Helper()
	f, err := s.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return false
	}
	defer f.Close()
	for _, name := range w.names() {
		tensor, ok := f.Tensor(name)
		dst := make([]byte, len(w.data[name]))
		if !ok || tensor.Type != weights.Q2_K || f.Read(tensor, 0, dst) != nil || !bytes.Equal(dst, w.data[name]) {
			t.Fatalf("tensor %s is not what was made", name)
		}
	}
	return true
}

func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestShelfKeeps(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state", "tiers")
	s, first, second := openShelf(t, folder, 1<<20), newMade(1, 1, 7, 40), newMade(2, 3)
	if holds(t, s, keyOf(1), first) {
		t.Error("an empty shelf holds a tier")
	}
	for key, w := range map[string]*made{keyOf(1): first, keyOf(2): second} {
		if err := keep(t, s, key, w, never); err != nil {
			t.Fatal(err)
		}
	}
	again := openShelf(t, folder, 1<<20) // after the end of a daemon
	if !holds(t, again, keyOf(1), first) || !holds(t, again, keyOf(2), second) || holds(t, again, keyOf(3), first) {
		t.Error("it does not hold what was kept, or more")
	}
	if err := keep(t, s, keyOf(2), newMade(3, 3), never); err != nil || !holds(t, s, keyOf(2), newMade(3, 3)) || len(files(t, folder)) != 2 {
		t.Errorf("one that is made anew does not take the place of the one before: %v, %v", err, files(t, folder))
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
}

// Cut anywhere or with any bit flipped a tier is found out, removed, and none.
func TestShelfFindsDamage(t *testing.T) {
	folder := t.TempDir()
	s, w := openShelf(t, folder, 1<<20), newMade(1, 2, 5)
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 200 {
		if err := keep(t, s, keyOf(1), w, never); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, files(t, folder)[0])
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := r.IntN(len(data)); n%2 == 0 {
			data = data[:at]
		} else {
			data[at] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := s.Open(keyOf(1)); f != nil || err == nil || !strings.Contains(err.Error(), "not those that were written") || len(files(t, folder)) != 0 {
			t.Fatalf("case %d: %v, %v, %v", n, f, err, files(t, folder))
		}
		if f, err := s.Open(keyOf(1)); f != nil || err != nil {
			t.Fatalf("case %d, then: %v, %v", n, f, err)
		}
	}
}

// The quota holds, also while a tier is made; the least recently used go, never those in use, and nothing in vain.
func TestShelfQuota(t *testing.T) {
	folder := t.TempDir()
	w := newMade(1, 100)
	size := int64(100*madeRow + 200)
	s := openShelf(t, folder, 3*size)
	for i := range 3 {
		if err := keep(t, s, keyOf(i), newMade(uint64(i), 100), never); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		for _, name := range files(t, folder) {
			if strings.HasPrefix(name, keyOf(i)) {
				os.Chtimes(filepath.Join(folder, name), at, at)
			}
		}
	}
	if !holds(t, s, keyOf(0), newMade(0, 100)) { // which makes it the one that was used last
		t.Fatal("the first is gone already")
	}
	left := func() (keys string) {
		list, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			keys += k.Key[31:]
		}
		return keys
	}
	if left() != "120" {
		t.Errorf("least recently used first they are %s", left())
	}
	if err := keep(t, s, keyOf(3), w, func(key string) bool { return key == keyOf(1) }); err != nil || left() != "103" {
		t.Errorf("%v, left are %s: the one that was used longest ago is in use", err, left())
	}
	if err := keep(t, s, keyOf(4), w, func(string) bool { return true }); !errors.Is(err, errNoQuota) || left() != "103" {
		t.Errorf("all in use: %v, left are %s", err, left())
	}
	if err := keep(t, s, keyOf(4), newMade(9, 400), never); !errors.Is(err, errNoQuota) || left() != "103" {
		t.Errorf("too large: %v, left are %s", err, left())
	}
	one, err := s.Begin(keyOf(5), "q2_k", w, w.names(), never)
	if err != nil || one == nil || left() != "03" {
		t.Fatalf("%v, left are %s", err, left())
	}
	two, err := s.Begin(keyOf(6), "q2_k", w, w.names(), never)
	if err != nil || two == nil || left() != "3" {
		t.Fatalf("beside one that is made: %v, left are %s", err, left())
	}
	readAll(t, two, w)
	if err := errors.Join(one.Abandon(), two.Keep()); err != nil || left() != "36" {
		t.Errorf("%v, left are %s", err, left())
	}
	if err := keep(t, s, keyOf(7), w, never); err != nil || left() != "367" {
		t.Errorf("what was abandoned takes room: %v, left are %s", err, left())
	}
}

// What was not read whole, what could not be written, and what the end of a daemon left half made is no tier.
func TestShelfKeepsNothingHalf(t *testing.T) {
	folder := t.TempDir()
	s, w := openShelf(t, folder, 1<<20), newMade(1, 2, 5)
	m, err := s.Begin(keyOf(1), "q2_k", w, w.names(), never)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"t0", "t1", "t1"} { // of t1 four rows of five, which are eight reads
		if err := m.Read(name, 0, make([]byte, min(4, w.rows[name])*madeRow)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Keep(); err == nil || !strings.Contains(err.Error(), "never read") || len(files(t, folder)) != 0 {
		t.Errorf("half read: %v, %v", err, files(t, folder))
	}
	m, err = s.Begin(keyOf(1), "q2_k", w, w.names(), never)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.file.Close(); err != nil { // as a disk that takes no more
		t.Fatal(err)
	}
	readAll(t, m, w) // the weights are there all the same
	if err := m.Keep(); err == nil || len(files(t, folder)) != 0 {
		t.Errorf("not written: %v, %v", err, files(t, folder))
	}
	if _, err := s.Begin(keyOf(1), "q2_k", w, w.names(), never); err != nil || len(files(t, folder)) != 1 {
		t.Fatalf("%v, %v", err, files(t, folder))
	}
	if openShelf(t, folder, 1<<20); len(files(t, folder)) != 0 {
		t.Errorf("left behind: %v", files(t, folder))
	}
	if _, err := s.Begin(keyOf(1), "q2_k", w, []string{"none"}, never); err == nil || len(files(t, folder)) != 0 {
		t.Errorf("a tensor that there is not: %v, %v", err, files(t, folder))
	}
}

func TestShelfRemoves(t *testing.T) {
	folder := t.TempDir()
	s := openShelf(t, folder, 1<<20)
	for i := range 3 {
		if err := keep(t, s, keyOf(i), newMade(uint64(i), 4), never); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "README"), nil, 0o600); err != nil { // somebody's
		t.Fatal(err)
	}
	n, bytes, err := s.Remove(func(k Kept) bool { return k.Key == keyOf(1) && k.Tier == "q2_k" })
	if err != nil || n != 1 || bytes < 4*madeRow || len(files(t, folder)) != 3 {
		t.Errorf("one: %d, %d bytes, %v", n, bytes, err)
	}
	if n, _, err := s.Remove(func(Kept) bool { return true }); err != nil || n != 2 || len(files(t, folder)) != 1 {
		t.Errorf("all: %d, %v, %v", n, err, files(t, folder))
	}
}

// A key differs with all that bytes depend on.
func TestKeyOf(t *testing.T) {
	w := newMade(1, 2, 5)
	keys := map[string]string{}
	for name, c := range map[string]struct {
		source string
		w      *made
		names  []string
		search int
	}{
		"as it is": {"a", w, w.names(), 1}, "another source": {"b", w, w.names(), 1}, "another search": {"a", w, w.names(), 2},
		"fewer tensors": {"a", w, []string{"t0"}, 1}, "other shapes": {"a", newMade(1, 2, 6), w.names(), 1},
	} {
		key, err := KeyOf(c.source, c.w, c.names, c.search)
		if again, _ := KeyOf(c.source, c.w, c.names, c.search); err != nil || len(key) != 32 || again != key {
			t.Errorf("%s: %q, %q, %v", name, key, again, err)
		}
		if other, twice := keys[key]; twice {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	if _, err := KeyOf("a", w, []string{"none"}, 1); err == nil {
		t.Error("a tensor that there is not has a key")
	}
}
