package eval

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"
)

// This file owns the journal of a run: outcomes on disk as they come, so that a run which is ended, at whatever byte, loses what it
// was about to write and no more.
//
// A line is {"sum":"<CRC-32C of the entry's bytes>","entry":<JSON>}; the first entry is the run's key. What follows the first line
// that is not whole is cut off when the journal is opened.

// maxEntry bounds a line, in bytes: an answer of the longest contexts has a tenth of that.
const maxEntry = 16 << 20

// Journal is an open one. It is locked: two runs of one key would write over each other.
type Journal struct {
	file *os.File
	done map[asked]Outcome // as the file had them
}

type journalLine struct {
	Sum   string         `json:"sum"`
	Entry jsontext.Value `json:"entry"`
}

type journalKey struct {
	Key string `json:"key"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(entry []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(entry, castagnoli)) }

// OpenJournal opens a run's journal, or begins it.
func OpenJournal(path, key string) (*Journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // answers may tell of the requests
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{file: f, done: map[asked]Outcome{}}
	if err := j.begin(key); err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), f.Close())
	}
	return j, nil
}

func (j *Journal) begin(key string) error {
	err := unix.Flock(int(j.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("the same evaluation is under way in another process: wait for it")
	}
	if err != nil {
		return fmt.Errorf("it can't be locked: %w", err)
	}
	whole, err := j.read(key)
	if err == nil {
		err = j.file.Truncate(whole)
	}
	if err == nil {
		_, err = j.file.Seek(whole, io.SeekStart)
	}
	if err == nil && whole == 0 {
		err = j.write(journalKey{key})
	}
	return err
}

// read takes what is whole, and returns how many bytes of the file that is: none, if it is another run's.
func (j *Journal) read(key string) (whole int64, err error) {
	lines := bufio.NewScanner(j.file)
	lines.Buffer(nil, maxEntry)
	lines.Split(wholeLines)
	for lines.Scan() {
		entry, ok := entryOf(lines.Bytes())
		if !ok {
			return whole, nil
		}
		if whole == 0 {
			var k journalKey
			if json.Unmarshal(entry, &k) != nil || k.Key != key {
				return 0, nil
			}
		} else {
			var o Outcome
			if json.Unmarshal(entry, &o) != nil || o.ID == "" {
				return whole, nil
			}
			j.done[asked{o.ID, o.Repeat}] = o
		}
		whole += int64(len(lines.Bytes())) + 1
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return 0, err
	}
	return whole, nil
}

// wholeLines are lines that have their end.
func wholeLines(data []byte, _ bool) (advance int, line []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	return 0, nil, nil
}

func entryOf(line []byte) (jsontext.Value, bool) {
	var l journalLine
	if json.Unmarshal(line, &l) != nil || sumOf(l.Entry) != l.Sum {
		return nil, false
	}
	return l.Entry, true
}

// Write adds an outcome. One caller at a time.
func (j *Journal) Write(o Outcome) error {
	if err := j.write(o); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func (j *Journal) write(v any) error {
	entry, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true)) // as servers may send it
	if err != nil {
		return err
	}
	line, err := json.Marshal(journalLine{sumOf(entry), entry})
	if err == nil {
		_, err = j.file.Write(append(line, '\n')) // in one call
	}
	return err
}

// Close keeps the journal for a run that goes on.
func (j *Journal) Close() error { return j.file.Close() }

// Remove ends a journal whose run is done.
func (j *Journal) Remove() error { return errors.Join(os.Remove(j.file.Name()), j.file.Close()) }
