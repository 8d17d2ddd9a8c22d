package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file owns open files: mapping, shards, and giving pages back.

// File is an open model: one GGUF file or the shards of one.
type File struct {
	name     string
	metadata *Metadata
	tensors  []Tensor
	byName   map[string]int
	mappings [][]byte
}

// Open maps the file, and its fellow shards if its name ends in -00001-of-0000N.gguf. A file that
// shrinks while it is mapped kills the process on the next read (SIGBUS), as with every mapping:
// replace model files by renaming, never by writing into them.
func Open(path string) (*File, error) {
	f, err := openOne(path)
	if err != nil {
		return nil, err
	}
	if err := f.openShards(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openOne(path string) (*File, error) {
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, data)
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(data))
	}
	f.mappings = [][]byte{data}
	return f, nil
}

func mapFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() == 0 {
		return nil, &FormatError{File: path, Field: "magic", Reason: "the file is empty", Kind: ErrMalformed}
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, &fs.PathError{Op: "mmap", Path: path, Err: err}
	}
	return data, nil
}

// Parse reads a file from memory; the result keeps data.
func Parse(name string, data []byte) (*File, error) {
	h, err := parseHeader(name, data)
	if err != nil {
		return nil, err
	}
	f := &File{name: name, metadata: h.metadata, byName: map[string]int{}}
	return f, f.add(h.tensors, 0)
}

func (f *File) add(tensors []Tensor, shard int) error {
	for _, t := range tensors {
		t.shard = shard
		if _, twice := f.byName[t.Name]; twice {
			return &FormatError{File: f.name, Field: "tensor " + t.Name, Reason: "two shards hold it", Kind: ErrMalformed}
		}
		f.byName[t.Name] = len(f.tensors)
		f.tensors = append(f.tensors, t)
	}
	return nil
}

var shardName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// maxShards bounds split.count; the largest published models have some hundreds.
const maxShards = 4096

// openShards adds the other files of a sharded model. The first shard carries the metadata.
func (f *File) openShards(path string) error {
	count, ok, err := f.metadata.Uint("split.count")
	if err != nil || !ok || count <= 1 {
		return err
	}
	bad := func(format string, args ...any) error {
		return &FormatError{File: path, Field: "key split.count", Reason: fmt.Sprintf(format, args...), Kind: ErrMalformed}
	}
	m := shardName.FindStringSubmatch(filepath.Base(path))
	switch no, _, err := f.metadata.Uint("split.no"); {
	case err != nil:
		return err
	case m == nil || m[3] != fmt.Sprintf("%05d", count) || count > maxShards:
		return bad("the model has %d shards, so its name must end in -00001-of-%05d.gguf", count, count)
	case no != 0 || m[2] != "00001":
		return bad("this is shard %s of %d: name the first, %s-00001-of-%05d.gguf", m[2], count, m[1], count)
	}
	for i := uint64(2); i <= count; i++ {
		next := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s-%05d-of-%05d.gguf", m[1], i, count))
		if err := f.addShard(next, i-1, count); err != nil {
			return err
		}
	}
	want, ok, err := f.metadata.Uint("split.tensors.count")
	if err == nil && ok && want != uint64(len(f.tensors)) {
		err = &FormatError{File: path, Field: "key split.tensors.count", Kind: ErrMalformed,
			Reason: fmt.Sprintf("it promises %d tensors, the shards hold %d", want, len(f.tensors))}
	}
	return err
}

func (f *File) addShard(path string, no, count uint64) error {
	s, err := openOne(path)
	if err != nil {
		return err
	}
	f.mappings = append(f.mappings, s.mappings...)
	gotNo, _, errNo := s.metadata.Uint("split.no")
	gotCount, _, errCount := s.metadata.Uint("split.count")
	if err := errors.Join(errNo, errCount); err != nil {
		return err
	}
	if gotNo != no || gotCount != count {
		return &FormatError{File: path, Field: "key split.no", Kind: ErrMalformed,
			Reason: fmt.Sprintf("shard %d of %d, expected %d of %d", gotNo, gotCount, no, count)}
	}
	return f.add(s.tensors, int(no))
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
	if t.shard >= len(f.mappings) || len(t.Data) == 0 {
		return
	}
	m := f.mappings[t.shard]
	first := uintptr(unsafe.Pointer(unsafe.SliceData(t.Data))) - uintptr(unsafe.Pointer(unsafe.SliceData(m)))
	page := uintptr(os.Getpagesize())
	from := first / page * page // what shares the first page is read again if it is wanted again
	_ = unix.Madvise(m[from:first+uintptr(len(t.Data))], unix.MADV_DONTNEED)
}

// Close unmaps the file. Tensor data must not be read afterwards; metadata stays valid.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mappings {
		errs = append(errs, unix.Munmap(m))
	}
	f.mappings = nil
	for i := range f.tensors {
		f.tensors[i].Data = nil
	}
	return errors.Join(errs...)
}
