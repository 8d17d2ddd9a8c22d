package weights

import (
	"errors"
	"fmt"
	"os"
)

// This file owns models as they are read: their tensors by name, one file or several shards alike.

// File is an open model: one GGUF file or the shards of one.
type File struct {
	name     string
	metadata *Metadata
	tensors  []Tensor
	byName   map[string]int
	shards   []*shard
	spent    uint64 // of headerMemory, by all shards
}

// Open opens the file, and its fellow shards if its name ends in -00001-of-0000N.gguf. A file that is
// not sound gives a *FormatError that names file and field, one that can't be opened a *fs.PathError.
// Replace model files by renaming, never by writing into them: what is read of a file that shrinks while
// it is open is an error, and what is written into it meanwhile is read.
func Open(path string) (*File, error) {
	s, h, err := openShard(path, 0)
	if err != nil {
		return nil, err
	}
	f, err := newFile(s, h)
	if err == nil {
		err = f.openShards(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Parse reads a file from memory; the result keeps data. Errors are *FormatError.
func Parse(name string, data []byte) (*File, error) {
	h, err := parseHeader(name, data, 0)
	if err != nil {
		return nil, err
	}
	return newFile(memoryShard(name, data), h)
}

// newFile is a model of one shard so far.
func newFile(s *shard, h *header) (*File, error) {
	f := &File{name: s.path, metadata: h.metadata, byName: make(map[string]int, len(h.tensors)), shards: []*shard{s}, spent: h.spent}
	return f, f.add(h.tensors)
}

// add takes over the tensors of the last shard.
func (f *File) add(tensors []Tensor) error {
	last := len(f.shards) - 1
	for _, t := range tensors {
		t.shard = last
		if _, twice := f.byName[t.Name]; twice {
			return &FormatError{File: f.shards[last].path, Field: "tensor " + t.Name, Reason: "another shard holds it already", Kind: ErrMalformed}
		}
		f.byName[t.Name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// Name is the path that the file was opened with.
func (f *File) Name() string { return f.name }

// Bytes is the size of all shards; of a file in memory, 0.
func (f *File) Bytes() (n int64) {
	for _, s := range f.shards {
		if s.info != nil {
			n += s.info.Size()
		}
	}
	return n
}

// Metadata returns the metadata, of the first shard.
func (f *File) Metadata() *Metadata { return f.metadata }

// Tensors lists the tensors in file order.
func (f *File) Tensors() []Tensor { return f.tensors }

// Tensor returns a tensor by name.
func (f *File) Tensor(name string) (Tensor, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return f.tensors[i], true
}

// Read fills dst, a whole number of rows, with the tensor's bytes from row firstRow on. Any goroutine may
// call. A file that has lost the rows, or fails, gives a *FormatError that names file and tensor.
func (f *File) Read(t Tensor, firstRow uint64, dst []byte) error {
	s, field, rows := f.shards[t.shard], "tensor "+t.Name, uint64(len(dst))/t.RowBytes()
	if uint64(len(dst))%t.RowBytes() != 0 || firstRow > t.Rows() || rows > t.Rows()-firstRow {
		return s.unreadable(field, fmt.Errorf("%d bytes from row %d on are not among its %d rows of %d", len(dst), firstRow, t.Rows(), t.RowBytes()))
	}
	return s.read(field, t.start+firstRow*t.RowBytes(), dst)
}

// Ahead hints that rows [firstRow, firstRow+rows) of the tensor are read soon.
func (f *File) Ahead(t Tensor, firstRow, rows uint64) {
	f.shards[t.shard].ahead(t.start+firstRow*t.RowBytes(), rows*t.RowBytes())
}

// pieceValues bounds what Pieces reads at a time: so many values, or one row (of maxRowValues at most).
const pieceValues = 1 << 18

// Pieces reads the tensor from its first row to its last and hands each piece, of whole rows, to use. The
// slice is used again.
func (f *File) Pieces(t Tensor, use func(rows []byte) error) error {
	rows := min(max(pieceValues/t.Shape[0], 1), t.Rows())
	piece := make([]byte, rows*t.RowBytes())
	for first := uint64(0); first < t.Rows(); first += rows {
		part := piece[:min(rows, t.Rows()-first)*t.RowBytes()]
		if err := f.Read(t, first, part); err != nil {
			return err
		}
		if err := use(part); err != nil {
			return err
		}
	}
	return nil
}

// Holds tells whether info is of this file, or one of its shards, by whatever name.
func (f *File) Holds(info os.FileInfo) bool {
	for _, s := range f.shards {
		if s.info != nil && os.SameFile(s.info, info) {
			return true
		}
	}
	return false
}

// Close closes the file: tensors can't be read any more, metadata stays valid.
func (f *File) Close() error {
	var errs []error
	for _, s := range f.shards {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
