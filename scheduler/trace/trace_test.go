package trace

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/scheduler"
)

// This file owns the tests of what is read, and of what is recorded and read back.

func TestPublishedTraces(t *testing.T) {
	m, err := Open("testdata/mooncake_conversation.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if first := m.Requests[0]; m.BlockTokens != 512 || len(m.Requests) != 400 || first.Prompt != 6758 || first.Answer != 500 || !slices.Equal(first.Blocks[:3], []uint64{0, 1, 2}) || len(first.Blocks) != 14 {
		t.Errorf("Mooncake: %d requests, the first %+v", len(m.Requests), first)
	}
	if m.Length() != 273*time.Second {
		t.Errorf("Mooncake's cut takes %v", m.Length())
	}
	a, err := Open("testdata/azure_conversation_2023.csv")
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Requests[1]; len(a.Requests) != 30 || r.At != 4314579*time.Microsecond || r.Prompt != 396 || r.Answer != 109 || r.Blocks != nil || r.Priority != 5 {
		t.Errorf("Azure: %d requests, the second %+v", len(a.Requests), a.Requests[1])
	}
	later, err := Read(strings.NewReader("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:01+00:00,2399,6\n"), "2024")
	if err != nil || later.Requests[1].At != 990070*time.Microsecond {
		t.Errorf("Azure's of 2024: %+v, %v", later, err)
	}
}

const head = `{"chimera_trace":1,"block_tokens":16,"started":"2026-01-02T03:04:05Z"}` + "\n"

func TestOwnForm(t *testing.T) {
	text := head + `{"at_ms":2000.5,"prompt":40,"answer":3,"class":"batch","tenant":"t","priority":0,"deadline_ms":250,"blocks":["0000000000ff","ABCDEFabcdef"]}` + "\n\n" +
		`{"at_ms":1,"prompt":1,"answer":0}` + "\n" +
		`{"chimera_trace":1,"block_tokens":16,"started":"2026-01-02T03:05:05Z"}` + "\n" + `{"at_ms":5,"prompt":2,"answer":1,"end":"refused"}` + "\n" +
		`{"at_ms":6,"prompt":2,"answer":900,"end":"refused"}` // its answer is the mean of the others' that had one
	tr, err := Read(strings.NewReader(text), "t.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want := []Request{
		{At: time.Millisecond, Prompt: 1, Priority: 5},
		{At: 2000500 * time.Microsecond, Prompt: 40, Answer: 3, Class: scheduler.Batch, Tenant: "t", Deadline: 250 * time.Millisecond, Blocks: []uint64{255, 0xabcdefabcdef}},
		{At: time.Minute + 5*time.Millisecond, Prompt: 2, Answer: 1, Priority: 5, Refused: true},
		{At: time.Minute + 6*time.Millisecond, Prompt: 2, Answer: 1, Priority: 5, Refused: true},
	}
	if !reflect.DeepEqual(tr.Requests, want) || tr.BlockTokens != 16 {
		t.Errorf("got  %+v\nwant %+v", tr.Requests, want)
	}
	tr.Speed(2)
	if left := tr.Limit(40); left != 1 || len(tr.Requests) != 3 || tr.Length() != 30*time.Second+3*time.Millisecond {
		t.Errorf("twice as fast, %d left out: %+v", left, tr.Requests)
	}
	for _, n := range []int{5, 1} {
		if tr.First(n); len(tr.Requests) != min(n, 3) {
			t.Errorf("the first %d: %+v", n, tr.Requests)
		}
	}
}

func TestBadTraces(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "f: a trace without requests",
		head:                                   "f: a trace without requests",
		"hello":                                "f:1: no trace is known",
		"\n\n{}":                               "f:3: no trace is known",
		head + "{":                             "f: a trace without requests", // it was cut off
		head + "}":                             "f:2: ",
		head + `{"prompt":5,"anwser":1}`:       `anwser`,
		head + `{"at_ms":-1,"prompt":5}`:       "f:2: at_ms",
		head + `{"at_ms":1e300,"prompt":5}`:    "f:2: at_ms",
		head + `{"prompt":0}`:                  "f:2: a prompt of 0 tokens",
		head + `{"prompt":99999999999}`:        "f:2: a prompt of 99999999999",
		head + `{"prompt":1,"answer":-1}`:      "f:2: an answer of -1",
		head + `{"prompt":1,"end":"bored"}`:    `f:2: end: "bored"`,
		head + `{"prompt":1,"priority":10}`:    "f:2: priority",
		head + `{"prompt":1,"class":"urgent"}`: `f:2: class: "urgent" is none of`,
		head + `{"prompt":1,"deadline_ms":-3}`: "f:2: deadline_ms",
		head + `{"prompt":20,"blocks":["12"]}`: `f:2: blocks: "12"`,
		head + `{"prompt":20,"blocks":["00000000000g"]}`:                                            "f:2: blocks",
		head + `{"prompt":16,"blocks":["000000000001","000000000002"]}`:                             "f:2: 2 blocks of 16 tokens",
		strings.Replace(head, ":1,", ":2,", 1):                                                      "f:1: chimera_trace: version 2",
		strings.Replace(head, ":16", ":32", 1):                                                      "f:1: block_tokens: 32",
		head + strings.Replace(head, "2026", "2025", 1):                                             "f:2: started",
		`{"timestamp":0,"input_length":5,"output_length":1,"hash_ids":[1,2]}`:                       "f:1: 2 blocks of 512",
		`{"timestamp":-1,"input_length":5,"output_length":1}`:                                       "f:1: timestamp",
		`{"timestamp":0,"input_length":"x","output_length":1}`:                                      "f:1: ",
		"TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2":                                    "f:2: TIMESTAMP",
		"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1":                            "f:2: 2 fields",
		"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,x,1":                          "f:2: ContextTokens",
		"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1": "f:3: TIMESTAMP",
		head + strings.Repeat("x", longestLine+1):                                                   "f:2: a line of more than",
	} {
		if _, err := Read(strings.NewReader(text), "f"); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%.80q: %v, want %q", text, err, want)
		}
	}
	if _, err := Open(t.TempDir() + "/none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a file that isn't there: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"testdata/mooncake_conversation.jsonl", "testdata/azure_conversation_2023.csv"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:300]))
	}
	f.Add(head + `{"at_ms":2000.5,"prompt":40,"answer":3,"class":"batch","tenant":"t","priority":0,"deadline_ms":250,"blocks":["0000000000ff"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := Read(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		for i, r := range tr.Requests {
			if r.check(tr.BlockTokens) != nil || r.At < 0 || r.Deadline < 0 || i > 0 && r.At < tr.Requests[i-1].At {
				t.Fatalf("request %d: %+v", i, r)
			}
		}
	})
}

func tokens(from, n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(from + i)
	}
	return list
}

// What is recorded is read back: times, lengths, and which prompts begin alike, but not across salts, nor recordings.
func TestRecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := Record(path)
		if err != nil {
			t.Fatal(err)
		}
		later := r.started.Add(3 * time.Second)
		shared := tokens(100, 40)
		r.Add(Ended{Request: scheduler.Request{Prompt: shared, Class: scheduler.Batch, Priority: 7, Tenant: "alice", Deadline: later.Add(time.Second)}, Arrived: later, Answer: 9})
		r.Add(Ended{Request: scheduler.Request{Prompt: append(tokens(100, 32), 5, 6, 7), Priority: 5}, Arrived: r.started.Add(time.Second), Answer: 2, End: Cancelled})
		r.Add(Ended{Request: scheduler.Request{Prompt: shared, Salt: "bob", Priority: 5}, Arrived: later, Answer: 1})
		r.Add(Ended{Request: scheduler.Request{Priority: 5}, Tokens: 77, Arrived: later.Add(time.Second), Answer: 1 << 30, End: Refused})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r.Add(Ended{}) // late, and harmless
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "alice") || strings.Contains(string(text), "bob") {
		t.Errorf("names are recorded:\n%s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	tr, err := Open(path)
	if err != nil || len(tr.Requests) != 8 {
		t.Fatalf("%+v, %v", tr, err)
	}
	got := [2][3]Request{} // (recordings, requests), where the second began a moment later
	for i, at := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}} {
		got[at[0]][at[1]] = tr.Requests[i]
	}
	if r := got[0][0]; r.At != time.Second || r.Prompt != 35 || r.Answer != 2 || len(r.Blocks) != 2 || r.Tenant != "" {
		t.Errorf("the cancelled: %+v", r)
	}
	if r := got[0][1]; r.At != 3*time.Second || r.Class != scheduler.Batch || r.Priority != 7 || r.Deadline != time.Second || len(r.Tenant) != blockDigits {
		t.Errorf("the batch: %+v", r)
	}
	if r := tr.Requests[7]; r.Prompt != 77 || r.Answer != 4 || !r.Refused || r.Blocks != nil {
		t.Errorf("one that was refused unread: %+v", r)
	}
	if !slices.Equal(got[0][0].Blocks, got[0][1].Blocks) {
		t.Error("two prompts that begin alike share no blocks")
	}
	if slices.Contains(got[0][1].Blocks, got[0][2].Blocks[0]) {
		t.Error("prompts that may not share pages share blocks")
	}
	if slices.Equal(got[0][0].Blocks, got[1][0].Blocks) || got[0][1].Tenant == got[1][1].Tenant {
		t.Error("two recordings have the same names")
	}
}

// A file of its largest size ends the recording, and nobody waits for a disk.
func TestRecorderIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	r, err := record(path, 1000, 100)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		r.Add(Ended{Request: scheduler.Request{Prompt: tokens(0, 64)}, Arrived: r.started})
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "largest size") {
		t.Errorf("behind 1000 bytes: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 1000 || info.Size() < 700 || r.Dropped() < 90 {
		t.Errorf("%d bytes, %d dropped, %v", info.Size(), r.Dropped(), err)
	}
	if tr, err := Open(path); err != nil || len(tr.Requests) < 3 {
		t.Errorf("what was recorded can't be read: %+v, %v", tr, err)
	}
	hangs := &Recorder{file: r.file, queue: make(chan Ended, 4)} // nobody writes
	for range 10 {
		hangs.Add(Ended{})
	}
	if hangs.Dropped() != 6 {
		t.Errorf("of ten requests a queue of four drops %d", hangs.Dropped())
	}
}

func TestSynthetic(t *testing.T) {
	s, err := ParseSynthetic("requests=20000, rate=10,burst=4,prompt=100,prompt_sigma=0.5,answer=30,answer_sigma=0,prefixes=4,prefix=64,zipf=1,alone=0.25,classes=interactive:3/batch:1,tenants=a:1/b:9,deadline=2s,priorities=5:3/9:1,seed=7")
	if err != nil {
		t.Fatal(err)
	}
	tr := s.Make()
	if !reflect.DeepEqual(tr, s.Make()) {
		t.Error("made twice it differs")
	}
	var gaps, squares, prompt, shared, batch, urgent, tenantA float64
	first := map[uint64]float64{}
	for i, r := range tr.Requests {
		if i > 0 {
			gap := (r.At - tr.Requests[i-1].At).Seconds()
			gaps, squares = gaps+gap, squares+gap*gap
		}
		if len(r.Blocks) > 0 {
			shared++
			first[r.Blocks[0]]++
			r.Prompt -= 64
		}
		prompt += math.Log(float64(r.Prompt))
		if r.Class == scheduler.Batch {
			batch++
		}
		if r.Priority == 9 {
			urgent++
		}
		if r.Tenant == "a" {
			tenantA++
		}
		if r.Answer != 30 || r.Deadline != 2*time.Second || r.Class == scheduler.Background || len(r.Blocks) != 0 && len(r.Blocks) != 4 {
			t.Fatalf("%+v", r)
		}
	}
	n := float64(len(tr.Requests))
	mean := gaps / (n - 1)
	for what, x := range map[string][2]float64{
		"seconds between requests": {mean, 0.1}, "their squared variation": {squares/(n-1)/mean/mean - 1, 4}, "median prompt": {math.Exp(prompt / n), 100},
		"share with a prefix": {shared / n, 0.75}, "share of batch": {batch / n, 0.25}, "share of a": {tenantA / n, 0.1}, "share of priority 9": {urgent / n, 0.25},
		"first prefix over second": {first[0] / first[1<<24], 2},
	} {
		if math.Abs(x[0]/x[1]-1) > 0.1 {
			t.Errorf("%s: %.3f, want %.3f", what, x[0], x[1])
		}
	}
	for text, want := range map[string]string{
		"color=red": `"color" is no parameter`, "rate": "rate has no value", "rate=0": "rate=0: use a number between", "rate=x": "use a number", "rate=NaN": "use a number",
		"requests=1.5": "whole number", "classes=urgent:1": "urgent", "tenants=a": `"a" is no NAME:WEIGHT`, "deadline=5": "use a time", "seed=-1": "seed=-1: use a number", "priorities=10:1": `"10" is not between`,
		"requests=10000000,prefix=1000000": "tokens in all",
	} {
		if _, err := ParseSynthetic(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	s.DeadlineSigma, s.Requests = 0.5, 5000
	deadline, squared := 0.0, 0.0
	for _, r := range s.Make().Requests {
		off := math.Log(r.Deadline.Seconds() / 2)
		deadline, squared = deadline+off/5000, squared+off*off/5000
	}
	if math.Abs(deadline) > 0.03 || math.Abs(math.Sqrt(squared)-0.5) > 0.03 {
		t.Errorf("deadlines about 2 s, with a spread of 0.5: about %.2f s, %.2f", 2*math.Exp(deadline), math.Sqrt(squared))
	}
	for _, p := range parameters {
		if !strings.Contains(SyntheticHelp(), fmt.Sprintf("  %-14s ", p.name)) {
			t.Errorf("the help lacks %s", p.name)
		}
	}
}

// A recording goes behind another one or into a file of its own, and never into what is something else.
func TestRecordSpoilsNothing(t *testing.T) {
	for text, fine := range map[string]bool{
		"": true, `{"chim`: true, `{"chimera_trace":1,"block_tokens":16,"started":"2026-01-02T03:04:05Z"}`: true,
		"GGUF\x03": false, "model = [\"a\"]\n": false, "\n": false, `{"state":"serving"}`: false,
	} {
		path := filepath.Join(t.TempDir(), "t")
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		r, err := Record(path)
		if fine {
			if err != nil || r.Close() != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		after, _ := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err == nil || !strings.Contains(err.Error(), path+": it holds something else than a trace") || string(after) != text || info.Mode() != 0o640 {
			t.Errorf("%q: %v; now %q, %v", text, err, after, info.Mode())
		}
	}
}

// A recording that was cut off is read up to there, and gone on with behind its last whole line; one that is cut off elsewhere is wrong.
func TestCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t")
	whole := `{"chimera_trace":1,"block_tokens":16,"started":"2026-01-02T03:04:05Z"}` + "\n" + `{"at_ms":1,"prompt":3,"answer":4,"class":"batch","priority":5}` + "\n"
	part := `{"at_ms":2,"prompt":3,"ans`
	if tr, err := Read(strings.NewReader(whole+part), "t"); err != nil || len(tr.Requests) != 1 {
		t.Errorf("cut off at the end: %+v, %v", tr, err)
	}
	for name, text := range map[string]string{"in the middle": whole + part + "\n" + whole, "with another slip": whole + `{"at_ms":"x"}`} {
		if _, err := Read(strings.NewReader(text), "t"); err == nil || !strings.HasPrefix(err.Error(), "t:3: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, []byte(whole+part), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Record(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Add(Ended{Request: scheduler.Request{Prompt: tokens(1, 5), Priority: 5}, Arrived: time.Now(), Answer: 1})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Record(t.TempDir()); err == nil {
		t.Error("a folder was recorded to")
	}
	text, _ := os.ReadFile(path)
	tr, err := Open(path)
	if err != nil || len(tr.Requests) != 2 || !strings.HasPrefix(string(text), whole+headerBegins) {
		t.Errorf("gone on with: %+v, %v\n%s", tr, err, text)
	}
}
