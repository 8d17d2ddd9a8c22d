package weights

import (
	"errors"
	"os"
)

// This file owns open files: their tensors by name, one file or several shards alike.

// File is an open model: one GGUF file or the shards of one.
type File struct {
	name     string
	metadata *Metadata
	tensors  []Tensor
	byName   map[string]int
	mappings []*mapping // of each shard; none if the file was parsed from memory
	spent    uint64     // of headerMemory, by all shards
}

// Open maps the file, and its fellow shards if its name ends in -00001-of-0000N.gguf. A file that is
// not sound gives a *FormatError that names file and field, one that can't be opened a *fs.PathError.
// Replace model files by renaming, never by writing into them: reads of a file that shrinks while it is
// mapped end in an error here, and Intact tells those who read past this package.
func Open(path string) (*File, error) {
	f, err := openOne(path, 0)
	if err != nil {
		return nil, err
	}
	if err := f.openShards(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openOne(path string, spent uint64) (*File, error) {
	m, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	var f *File
	err = guard(func() (err error) { f, err = parse(path, m.data, spent); return err })
	if err != nil {
		if errors.Is(err, errShrunk) {
			err = shrunk(path, "header")
		}
		return nil, errors.Join(err, m.close())
	}
	f.mappings = []*mapping{m}
	return f, nil
}

// Parse reads a file from memory; the result keeps data. Errors are *FormatError.
func Parse(name string, data []byte) (*File, error) { return parse(name, data, 0) }

func parse(name string, data []byte, spent uint64) (*File, error) {
	h, err := parseHeader(name, data, spent)
	if err != nil {
		return nil, err
	}
	f := &File{name: name, metadata: h.metadata, byName: make(map[string]int, len(h.tensors)), spent: h.spent}
	return f, f.add(name, h.tensors, 0)
}

func (f *File) add(path string, tensors []Tensor, shard int) error {
	for _, t := range tensors {
		t.shard = shard
		if _, twice := f.byName[t.Name]; twice {
			return &FormatError{File: path, Field: "tensor " + t.Name, Reason: "another shard holds it already", Kind: ErrMalformed}
		}
		f.byName[t.Name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
	}
	return nil
}

// Name is the path that the file was opened with.
func (f *File) Name() string { return f.name }

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

// Release gives the tensor's whole pages back to the system; reading them again reads the file again.
func (f *File) Release(t Tensor) {
	if t.shard < len(f.mappings) {
		f.mappings[t.shard].release(t.Data)
	}
}

// Intact tells whether the file still holds the tensor's bytes, which another process may have cut off
// since. Who reads Data by other means than this package (C code can't recover from the fault) asks
// right before.
func (f *File) Intact(t Tensor) error {
	if t.shard >= len(f.mappings) || f.mappings[t.shard].intact() {
		return nil
	}
	return shrunk(f.mappings[t.shard].path, "tensor "+t.Name)
}

// holds tells whether info is of this file, or one of its shards, by whatever name.
func (f *File) holds(info os.FileInfo) bool {
	for _, m := range f.mappings {
		if os.SameFile(m.info, info) {
			return true
		}
	}
	return false
}

// Close unmaps the file. Tensor data must not be read afterwards; metadata stays valid.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mappings {
		errs = append(errs, m.close())
	}
	f.mappings = nil
	for i := range f.tensors {
		f.tensors[i].Data = nil
	}
	return errors.Join(errs...)
}
