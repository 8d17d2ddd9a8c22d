package weights

import (
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file owns mappings of files, and surviving a file that shrinks under its mapping: the kernel
// then answers a read with SIGBUS, which would kill the process.

// mapping is one file in memory.
type mapping struct {
	path string
	file *os.File
	info os.FileInfo // as it was when it was mapped
	data []byte
}

func mapFile(path string) (*mapping, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // opening a pipe must not wait for its writer
	if err != nil {
		return nil, err
	}
	m := &mapping{path: path, file: file}
	if err := m.mmap(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return m, nil
}

func (m *mapping) mmap() (err error) {
	if m.info, err = m.file.Stat(); err != nil {
		return err
	}
	if !m.info.Mode().IsRegular() {
		return &FormatError{File: m.path, Field: "file", Reason: "not a regular file", Kind: ErrMalformed}
	}
	if m.info.Size() == 0 {
		return &FormatError{File: m.path, Field: "magic", Reason: "the file is empty", Kind: ErrMalformed}
	}
	m.data, err = unix.Mmap(int(m.file.Fd()), 0, int(m.info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return &fs.PathError{Op: "mmap", Path: m.path, Err: err}
	}
	return nil
}

func (m *mapping) close() error { return errors.Join(unix.Munmap(m.data), m.file.Close()) }

// release gives the pages of part, a slice of the mapping, back to the system.
func (m *mapping) release(part []byte) {
	if len(part) == 0 {
		return
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	page := uintptr(os.Getpagesize())
	from := first / page * page // what shares the first page is read again if it is wanted again
	_ = unix.Madvise(m.data[from:first+uintptr(len(part))], unix.MADV_DONTNEED)
}

// intact tells whether the file is as long as it was.
func (m *mapping) intact() bool {
	now, err := m.file.Stat()
	return err == nil && now.Size() >= m.info.Size()
}

var errShrunk = errors.New("the file shrank while it was read")

func shrunk(path, field string) error {
	return &FormatError{File: path, Field: field, Reason: errShrunk.Error(), Kind: ErrMalformed}
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
