package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
)

// This file owns models that come in several files. The first shard carries the metadata, each its
// number (split.no, from 0) and how many there are (split.count).

var shardName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// maxShards bounds split.count; the largest published models have some hundreds.
const maxShards = 4096

// openShards adds the other files of a sharded model.
func (f *File) openShards(path string) error {
	count, ok, err := f.metadata.Uint("split.count")
	if err != nil || !ok || count <= 1 {
		return err
	}
	stem, err := f.firstShard(path, count)
	if err != nil {
		return err
	}
	folder, _ := filepath.Split(path) // which does not clean it: .. behind a link is above the folder that it leads to
	for no := uint64(1); no < count; no++ {
		next := folder + fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, no+1, count)
		if err := f.addShard(next, no, count); err != nil {
			return err
		}
	}
	want, ok, err := f.metadata.Uint("split.tensors.count")
	if err == nil && ok && want != uint64(len(f.tensors)) {
		return splitError(path, "split.tensors.count", "%d tensors are promised, the shards hold %d", want, len(f.tensors))
	}
	return err
}

func splitError(path, key, format string, args ...any) error {
	return &FormatError{File: path, Field: "key " + key, Reason: fmt.Sprintf(format, args...), Kind: ErrMalformed}
}

// firstShard checks that path is the first of count shards and returns the name that they share.
func (f *File) firstShard(path string, count uint64) (stem string, err error) {
	m := shardName.FindStringSubmatch(filepath.Base(path))
	no, _, err := f.metadata.Uint("split.no")
	switch {
	case err != nil:
		return "", err
	case count > maxShards:
		return "", splitError(path, "split.count", "%d shards, at most %d are read", count, maxShards)
	case m == nil || m[3] != fmt.Sprintf("%05d", count):
		return "", splitError(path, "split.count", "the model has %d shards, so its name must end in -00001-of-%05d.gguf", count, count)
	case m[2] != "00001":
		return "", splitError(path, "split.no", "this is shard %s of %d: name the first, %s-00001-of-%05d.gguf", m[2], count, m[1], count)
	case no != 0:
		return "", splitError(path, "split.no", "the file is shard %d by its key and the first by its name", no+1)
	}
	return m[1], nil
}

func (f *File) addShard(path string, no, count uint64) error {
	s, h, err := openShard(path, f.spent)
	if errors.Is(err, fs.ErrNotExist) {
		return splitError(path, "split.count", "the file is missing: it is shard %d of %d", no+1, count)
	}
	if err != nil {
		return err
	}
	f.shards, f.spent = append(f.shards, s), h.spent
	gotNo, _, errNo := h.metadata.Uint("split.no")
	gotCount, _, errCount := h.metadata.Uint("split.count")
	if err := errors.Join(errNo, errCount); err != nil {
		return err
	}
	if gotNo != no || gotCount != count {
		return splitError(path, "split.no", "the file is shard %d of %d by its keys and %d of %d by its name", gotNo+1, gotCount, no+1, count)
	}
	return f.add(h.tensors)
}
