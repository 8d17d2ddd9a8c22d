package tier

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"chimera/engine"
	"chimera/weights"
)

// This file owns keeping a tier while it is made: what is read of it is written to a file too, wherever in it that stands.
//
// Rejected: to make the tier as a file first and to load that. Whoever asks for the tier would wait for the disk, and where it is full have none.

// Making are a tier's weights that are kept as they are read. An error of the disk is no error of theirs: Keep tells it.
type Making struct {
	engine.Weights
	shelf *Shelf
	kept  Kept
	file  *os.File // under a name of its own until it is whole

	mu      sync.Mutex
	tensors map[string]*part
	failed  error
}

// part is a tensor in the file.
type part struct {
	start    int64
	rowBytes int
	written  []bool // by row: a program may read some twice, and others not at all
	left     int
}

// fill writes the file's head, and gives the file its size.
func (m *Making) fill(names []string) error {
	var list []weights.OutTensor
	m.tensors = map[string]*part{}
	for _, name := range names {
		t, err := m.Tensor(name)
		if err != nil {
			return err
		}
		shape := []uint64{uint64(t.Cols)}
		if t.Rows > 1 {
			shape = append(shape, uint64(t.Rows))
		}
		list = append(list, weights.OutTensor{Name: name, Type: weights.Type(t.Type), Shape: shape})
		m.tensors[name] = &part{rowBytes: t.RowBytes, written: make([]bool, t.Rows), left: t.Rows}
	}
	starts, err := weights.WriteHead(m.file, &weights.Metadata{}, list)
	for i, start := range starts {
		m.tensors[list[i].Name].start = start
	}
	return err
}

// Read implements engine.Weights.
func (m *Making) Read(name string, firstRow int, dst []byte) error {
	if err := m.Weights.Read(name, firstRow, dst); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.tensors[name]
	if m.failed != nil || p == nil {
		return nil
	}
	if _, m.failed = m.file.WriteAt(dst, p.start+int64(firstRow)*int64(p.rowBytes)); m.failed != nil {
		return nil
	}
	for row := range len(dst) / p.rowBytes {
		if !p.written[firstRow+row] {
			p.written[firstRow+row] = true
			p.left--
		}
	}
	return nil
}

// Keep puts the file onto the shelf, when all has been read. What is not whole, or could not be written, is no tier, and the error says why.
func (m *Making) Keep() error {
	err := m.failed
	for name, p := range m.tensors {
		if err == nil && p.left > 0 {
			err = fmt.Errorf("of tensor %s %d rows were never read", name, p.left)
		}
	}
	if err == nil {
		err = m.file.Sync()
	}
	if err == nil {
		m.kept.sum, err = sumOf(m.file)
	}
	if err = errors.Join(err, m.file.Close()); err == nil {
		return m.shelf.put(m.file.Name(), m.kept)
	}
	return errors.Join(err, m.shelf.drop(m.file.Name(), m.kept.Bytes))
}

// Abandon leaves nothing of it: the weights could not be loaded.
func (m *Making) Abandon() error {
	return errors.Join(m.file.Close(), m.shelf.drop(m.file.Name(), m.kept.Bytes))
}
