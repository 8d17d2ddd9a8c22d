package trace

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/scheduler"
)

// This file owns recording what a daemon is asked.
//
// Nothing that is written tells what a text was: blocks and tenants are named by a keyed hash, whose key is made for one recording and
// never leaves the process. Who has the file can't even try texts.

// mostRecorded is how large a file grows: a day of a hundred requests a second, or so. Behind it nothing is recorded, and the log says so.
const mostRecorded = 1 << 30

// recordQueue is how many requests may wait to be written. A disk that is slower loses requests, and delays none.
const recordQueue = 256

// Ended is a request that has ended, as the recorder is told. Its prompt must not change any more.
type Ended struct {
	Request scheduler.Request
	Tokens  int // about, of a prompt that was refused before it was tokenised, and so is not in the request
	Arrived time.Time
	Answer  int
	End     End
}

// Recorder writes a trace.
type Recorder struct {
	file    *os.File
	started time.Time
	secret  [32]byte
	most    int64
	queue   chan Ended
	dropped atomic.Uint64
	stop    chan struct{} // closed: what is queued is the last
	stopped sync.Once
	done    chan struct{} // closed: the writer has ended
	size    int64         // the rest is the writer's own
	failed  error
}

// Record begins a recording at the end of a file, which only its owner may read.
func Record(path string) (*Recorder, error) { return record(path, mostRecorded, recordQueue) }

func record(path string, most int64, queue int) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		file: f, most: most, started: time.Now(), queue: make(chan Ended, queue), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if err := r.begin(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	go r.write()
	return r, nil
}

// begin makes the file its owner's and writes the header, behind the last whole line where the last recording was cut off.
func (r *Recorder) begin() error {
	info, err := r.file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("no file that a trace could be appended to")
	}
	if err := r.checkBegun(info.Size()); err != nil {
		return err
	}
	if err := r.file.Chmod(0o600); err != nil {
		return err
	}
	_, _ = rand.Read(r.secret[:]) // it never fails
	text, err := json.Marshal(header{version, ownBlock, r.started.UTC()})
	if err != nil {
		return err
	}
	if r.size, err = r.cutBack(); err != nil {
		return err
	}
	n, err := r.file.Write(append(text, '\n'))
	r.size += int64(n)
	return err
}

// checkBegun refuses a file that holds something else: what is appended to a model or to settings spoils them.
func (r *Recorder) checkBegun(size int64) error {
	begun := make([]byte, min(size, int64(len(headerBegins))))
	if _, err := r.file.ReadAt(begun, 0); err != nil {
		return err
	}
	if !strings.HasPrefix(headerBegins, string(begun)) {
		return errors.New("it holds something else than a trace: choose a file that is not there")
	}
	return nil
}

// cutBack leaves whole lines alone, and tells how many bytes they are: of one that a full disk or a crash cut off, nobody makes sense.
func (r *Recorder) cutBack() (size int64, err error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, err
	}
	end := make([]byte, min(info.Size(), longestLine))
	if _, err := r.file.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return 0, err
	}
	part := len(end) - 1 - bytes.LastIndexByte(end, '\n')
	if part == 0 {
		return info.Size(), nil
	}
	size = info.Size() - int64(part)
	return size, r.file.Truncate(size)
}

// Add takes a request that has ended. It never waits: what can't be queued is dropped and counted.
func (r *Recorder) Add(e Ended) {
	select {
	case r.queue <- e:
	default:
		if r.dropped.Add(1) == 1 {
			slog.Warn("the trace lacks requests: they end faster than they are written", "file", r.file.Name())
		}
	}
}

// Dropped is how many requests the recording lacks.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// Close writes what is queued. What is added later is lost.
func (r *Recorder) Close() error {
	r.stopped.Do(func() { close(r.stop) })
	<-r.done
	if n := r.Dropped(); n > 0 {
		slog.Warn("the trace lacks requests", "file", r.file.Name(), "dropped", n)
	}
	return errors.Join(r.failed, r.file.Close())
}

// write is the writer's goroutine. What it has is written when nothing more is queued, so the file is whole whenever the
// daemon is idle.
func (r *Recorder) write() {
	defer close(r.done)
	out := bufio.NewWriterSize(r.file, 64<<10)
	for {
		e, more := r.next()
		if !more {
			return
		}
		if r.failed != nil {
			r.dropped.Add(1)
			continue
		}
		r.failed = r.put(out, e)
		if len(r.queue) == 0 || r.failed != nil {
			r.failed = errors.Join(r.failed, out.Flush())
		}
		if r.failed != nil {
			_, err := r.cutBack()
			r.failed = errors.Join(r.failed, err)
			slog.Error("the recording of the trace has ended", "file", r.file.Name(), "error", r.failed)
		}
	}
}

// next waits for a request; no more come when the recording is stopped and all queued ones are written.
func (r *Recorder) next() (e Ended, more bool) {
	select {
	case e = <-r.queue:
		return e, true
	case <-r.stop:
	}
	select {
	case e = <-r.queue:
		return e, true
	default:
		return e, false
	}
}

// errRecorded ends a recording that is as large as it may be.
var errRecorded = errors.New("the file has reached its largest size: move it away and start again")

func (r *Recorder) put(out io.Writer, e Ended) error {
	text, err := json.Marshal(r.line(e))
	if err != nil {
		return err
	}
	if r.size += int64(len(text)) + 1; r.size > r.most {
		return errRecorded
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

func (r *Recorder) line(e Ended) line {
	q := e.Request
	l := line{
		AtMS:   max(0, float64(e.Arrived.Sub(r.started).Microseconds())/1000),
		Prompt: max(len(q.Prompt), min(e.Tokens, mostTokens)), Answer: min(e.Answer, mostTokens), Class: ClassName(q.Class), Priority: &q.Priority, End: e.End, Blocks: r.blocks(q),
	}
	if q.Tenant != "" {
		l.Tenant = r.name([]byte("tenant " + q.Tenant))
	}
	if !q.Deadline.IsZero() {
		l.DeadlineMS = max(0.001, float64(q.Deadline.Sub(e.Arrived).Microseconds())/1000)
	}
	return l
}

// blocks names the prompt's full blocks, each with all before it and with whom it may be shared.
func (r *Recorder) blocks(q scheduler.Request) (names []string) {
	state := r.sum([]byte("salt " + q.Salt))
	text := make([]byte, 0, sha256.Size+4*ownBlock)
	for at := 0; at+ownBlock <= len(q.Prompt); at += ownBlock {
		text = append(text[:0], state...)
		for _, t := range q.Prompt[at : at+ownBlock] {
			text = binary.LittleEndian.AppendUint32(text, uint32(t))
		}
		state = r.sum(text)
		names = append(names, hex.EncodeToString(state[:blockDigits/2]))
	}
	return names
}

func (r *Recorder) name(text []byte) string { return hex.EncodeToString(r.sum(text)[:blockDigits/2]) }

func (r *Recorder) sum(text []byte) []byte {
	h := hmac.New(sha256.New, r.secret[:])
	h.Write(text)
	return h.Sum(nil)
}
