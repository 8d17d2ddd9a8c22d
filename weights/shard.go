package weights

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// This file owns open files, one or each shard of a model: the header is parsed out of a mapping, and all
// else is read by pread, so that a file which shrinks or fails gives an error. Behind a mapping the kernel
// would answer with SIGBUS, which C code does not survive; it stands for the moment of parsing alone, guarded.

// shard is one open file.
type shard struct {
	path   string
	info   os.FileInfo // as it was when it was opened; nil in memory
	reader io.ReaderAt // the file, or the bytes of a file in memory
}

// openShard opens a file and parses its header. spent is what earlier shards took of headerMemory.
func openShard(path string, spent uint64) (*shard, *header, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // opening a pipe must not wait for its writer
	if err != nil {
		return nil, nil, err
	}
	s := &shard{path: path, reader: file}
	h, err := s.header(file, spent)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return s, h, nil
}

// header parses the file through a mapping, which is gone when it returns: what is parsed is copied.
func (s *shard) header(file *os.File, spent uint64) (h *header, err error) {
	if s.info, err = file.Stat(); err != nil {
		return nil, err
	}
	if !s.info.Mode().IsRegular() {
		return nil, &FormatError{File: s.path, Field: "file", Reason: "not a regular file", Kind: ErrMalformed}
	}
	if s.info.Size() == 0 {
		return nil, &FormatError{File: s.path, Field: "magic", Reason: "the file is empty", Kind: ErrMalformed}
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(s.info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, &fs.PathError{Op: "mmap", Path: s.path, Err: err}
	}
	err = guard(func() (err error) { h, err = parseHeader(s.path, data, spent); return err })
	if errors.Is(err, errShrunk) {
		err = s.unreadable("header", errShrunk)
	}
	return h, errors.Join(err, unix.Munmap(data))
}

// memoryShard is a file in memory.
func memoryShard(name string, data []byte) *shard {
	return &shard{path: name, reader: bytes.NewReader(data)}
}

// read fills dst with the file's bytes from offset on.
func (s *shard) read(field string, offset uint64, dst []byte) error {
	n, err := s.reader.ReadAt(dst, int64(offset))
	switch failed := (*fs.PathError)(nil); {
	case n == len(dst): // io.EOF may come with the last byte
		return nil
	case errors.Is(err, io.EOF):
		return s.unreadable(field, errShrunk)
	case errors.As(err, &failed):
		return s.unreadable(field, failed.Err)
	default:
		return s.unreadable(field, err)
	}
}

var errShrunk = errors.New("the file shrank while it was read")

func (s *shard) unreadable(field string, cause error) error {
	return &FormatError{File: s.path, Field: field, Reason: cause.Error(), Kind: ErrMalformed}
}

// ahead lets the kernel fetch bytes that are read soon. It is a hint: what it can't do the read will.
func (s *shard) ahead(offset, bytes uint64) {
	if file, ok := s.reader.(*os.File); ok {
		_ = unix.Fadvise(int(file.Fd()), int64(offset), int64(bytes), unix.FADV_WILLNEED)
	}
}

func (s *shard) close() error {
	if file, ok := s.reader.(io.Closer); ok {
		return file.Close()
	}
	return nil
}

// guard runs read; if it touches mapped bytes that the file has lost, the error is errShrunk.
func guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // the runtime's error for a fault at an address
			err = errShrunk
		default:
			panic(r)
		}
	}()
	return read()
}
