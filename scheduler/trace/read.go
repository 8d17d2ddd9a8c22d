package trace

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/scheduler"
)

// This file owns reading traces: our own form, Mooncake's and Azure's, told apart by their first line.

// longestLine is that of a prompt of a million tokens in our own form.
const longestLine = 2 << 20

// ErrFormat says of a file that is no trace which are.
var ErrFormat = errors.New("no trace is known by its first line: wanted is what 'chimera serve --record-trace' writes, " +
	"Mooncake's lines of JSON (timestamp, input_length, output_length, hash_ids) or Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens)")

// Open reads a file. What is wrong with it is told with its name and line.
func Open(path string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, path)
}

// reader turns a line of one form into a request; none says that it was a header.
type reader interface {
	line(text []byte) (r Request, none bool, err error)
	blockTokens() int
}

// Read reads a trace, which errors call by a name.
func Read(from io.Reader, name string) (*Trace, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	t, n := &Trace{}, 0
	var form reader
	for lines.Scan() {
		text := bytes.TrimSpace(lines.Bytes())
		if n++; len(text) == 0 {
			continue
		}
		if form == nil {
			if form = formOf(text); form == nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, ErrFormat)
			}
		}
		r, none, err := form.line(text)
		if _, ours := form.(*own); ours && errors.Is(err, io.ErrUnexpectedEOF) && !lines.Scan() {
			break // the recording was cut off: what is before it is whole
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if !none {
			t.Requests = append(t.Requests, r)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("%s:%d: a line of more than %d bytes", name, n+1, longestLine)
	case err != nil:
		return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
	case len(t.Requests) == 0:
		return nil, fmt.Errorf("%s: a trace without requests", name)
	}
	t.BlockTokens = form.blockTokens()
	t.sort()
	t.guessRefused()
	return t, nil
}

// formOf tells by the first line.
func formOf(first []byte) reader {
	has := func(names ...string) bool {
		for _, n := range names {
			if !bytes.Contains(first, []byte(n)) {
				return false
			}
		}
		return true
	}
	switch {
	case has(`"chimera_trace"`):
		return &own{}
	case has(`"timestamp"`, `"input_length"`, `"output_length"`):
		return &mooncake{}
	case has("TIMESTAMP", "ContextTokens", "GeneratedTokens"):
		return &azure{}
	}
	return nil
}

// own is our own form.
type own struct {
	started time.Time     // of the first recording
	began   time.Duration // the present one, behind the first
}

func (o *own) blockTokens() int { return ownBlock }

func (o *own) line(text []byte) (r Request, none bool, err error) {
	if bytes.Contains(text, []byte(`"chimera_trace"`)) {
		return r, true, o.header(text)
	}
	var l line
	if err := decode(text, &l); err != nil {
		return r, false, err
	}
	r, err = l.request(ownBlock, o.began)
	return r, false, err
}

func (o *own) header(text []byte) error {
	var h header
	if err := decode(text, &h); err != nil {
		return err
	}
	switch {
	case h.Version != version:
		return fmt.Errorf("chimera_trace: version %d, this chimera reads %d", h.Version, version)
	case h.BlockTokens != ownBlock:
		return fmt.Errorf("block_tokens: %d, it is always %d", h.BlockTokens, ownBlock)
	case o.started.IsZero():
		o.started = h.Started
	case h.Started.Before(o.started):
		return errors.New("started: before the recordings above")
	}
	o.began = h.Started.Sub(o.started)
	return nil
}

func decode(text []byte, to any) error {
	if err := json.Unmarshal(text, to, json.RejectUnknownMembers(true)); err != nil {
		return malformed{err}
	}
	return nil
}

// malformed is what the JSON library says, without its name.
type malformed struct{ err error }

func (m malformed) Error() string { return strings.TrimPrefix(m.err.Error(), "json: ") }

func (m malformed) Unwrap() error { return m.err }

// mooncake is the form of the traces of https://github.com/kvcache-ai/Mooncake (FAST25-release/traces).
type mooncake struct{}

// mooncakeBlock is the size of their blocks.
const mooncakeBlock = 512

func (mooncake) blockTokens() int { return mooncakeBlock }

func (mooncake) line(text []byte) (r Request, none bool, err error) {
	var l struct {
		Timestamp float64  `json:"timestamp"` // milliseconds
		Input     int      `json:"input_length"`
		Output    int      `json:"output_length"`
		Blocks    []uint64 `json:"hash_ids"`
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return r, false, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if !(l.Timestamp >= 0 && l.Timestamp <= mostMS) {
		return r, false, fmt.Errorf("timestamp: %g is no time behind the start", l.Timestamp)
	}
	r = plain(milliseconds(l.Timestamp), l.Input, l.Output)
	r.Blocks = l.Blocks
	return r, false, r.check(mooncakeBlock)
}

// azure is the form of the LLM inference traces of https://github.com/Azure/AzurePublicDataset, of 2023 and of 2024. They say
// nothing of prefixes.
type azure struct {
	headed bool
	first  time.Time
}

func (a *azure) blockTokens() int { return ownBlock }

// azureTimes are how they write a time: of 2023, and of 2024.
var azureTimes = []string{"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00"}

func (a *azure) line(text []byte) (r Request, none bool, err error) {
	if !a.headed {
		a.headed = true
		return r, true, nil
	}
	fields := strings.Split(string(text), ",")
	if len(fields) != 3 {
		return r, false, fmt.Errorf("%d fields, want TIMESTAMP,ContextTokens,GeneratedTokens", len(fields))
	}
	at, err := azureTime(fields[0])
	if err != nil {
		return r, false, err
	}
	if a.first.IsZero() {
		a.first = at
	}
	var tokens [2]int
	for i, name := range []string{"ContextTokens", "GeneratedTokens"} {
		if tokens[i], err = strconv.Atoi(fields[i+1]); err != nil {
			return r, false, fmt.Errorf("%s: %q is no number", name, fields[i+1])
		}
	}
	since := at.Sub(a.first)
	if since < 0 || since > mostMS*time.Millisecond {
		return r, false, fmt.Errorf("TIMESTAMP: %s is before the first, or far behind it", fields[0])
	}
	r = plain(since, tokens[0], tokens[1])
	return r, false, r.check(ownBlock)
}

func azureTime(text string) (t time.Time, err error) {
	for _, form := range azureTimes {
		if t, err = time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return t, fmt.Errorf("TIMESTAMP: %q is no time like 2023-11-16 18:15:46.680590", text)
}

// plain is a request of which a trace says no more.
func plain(at time.Duration, prompt, answer int) Request {
	return Request{At: at, Prompt: prompt, Answer: answer, Priority: scheduler.DefaultPriority}
}
