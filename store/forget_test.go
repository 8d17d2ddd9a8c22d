package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// This file owns tests of what must not be on the disk, by looking at its bytes.

const canary = "canary-7f3a-the-text-that-nobody-may-keep"

// files are the names of the store's files that have a text in them.
func filesWith(t fatal, s *Store, text string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(s.path + "*")
	must(t, err)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		must(t, err)
		if bytes.Contains(raw, []byte(text)) {
			names = append(names, strings.TrimPrefix(name, s.path))
		}
	}
	return names
}

// Which texts reach the disk, and which rows have them.
func TestPrivacy(t *testing.T) {
	all := map[string]bool{"prompt": true, "answer": true, "sampled prompt": true, "sampled answer": true, "correction": true}
	for privacy, want := range map[Privacy]map[string]bool{
		"": {}, None: {}, All: all,
		Samples: {"sampled prompt": true, "sampled answer": true, "correction": true},
	} {
		t.Run(string(privacy), func(t *testing.T) {
			s := opened(t, Options{Privacy: privacy})
			mark := func(what string) *string {
				text := canary + "-" + strings.ReplaceAll(what, " ", "-") + "."
				return &text
			}
			must(t, s.AddReceipt(Receipt{Answer: ID{1}, Prompt: mark("prompt"), Text: mark("answer")}))
			must(t, s.AddReceipt(Receipt{Answer: ID{2}, Prompt: mark("sampled prompt"), Text: mark("sampled answer"), Sampled: true}))
			must(t, s.AddRating(Rating{Answer: ID{2}, Rating: 1, Correction: mark("correction")}))
			flush(t, s)
			for what := range all {
				if on := len(filesWith(t, s, *mark(what))) > 0; on != want[what] {
					t.Errorf("the %s is on the disk: %t", what, on)
				}
			}
			r, err := s.Receipt(context.Background(), ID{1})
			if err != nil || (r.Prompt != nil) != want["prompt"] || (r.Text != nil) != want["answer"] {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}

// Names of tenants are nowhere, and what stands for them is another's in another file.
func TestTenantsHaveNoNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s, other := mustOpen(t, path, Options{}), opened(t, Options{})
	must(t, s.AddReceipt(Receipt{Answer: ID{1}, Tenant: s.Tenant(canary)}))
	flush(t, s)
	if on := filesWith(t, s, canary); len(on) > 0 {
		t.Errorf("the name is in %v", on)
	}
	if a, b := s.Tenant("a"), other.Tenant("a"); a == b || a == s.Tenant("b") || a == (Tenant{}) || a != s.Tenant("a") || s.Tenant("") != (Tenant{}) {
		t.Errorf("%x %x", a, b)
	}
	kept := s.Tenant("a")
	must(t, s.Close())
	s = mustOpen(t, path, Options{})
	defer s.Close()
	if s.Tenant("a") != kept {
		t.Error("after a start a tenant is another")
	}
}

// A key that is damaged is replaced, and told.
func TestDamagedKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{})
	before := s.Tenant("a")
	execute(t, s, "UPDATE internal SET value = 'zz'")
	must(t, s.Close())
	for range 2 {
		s = mustOpen(t, path, Options{})
		after, damaged := s.Tenant("a"), s.State().Damaged
		must(t, s.Close())
		if after == before || damaged > 1 {
			t.Errorf("%x after %x, %d damaged", after, before, damaged)
		}
	}
}

// texts adds receipts and ratings with texts, some of them short and some of many pages, of two tenants.
func texts(t fatal, s *Store, n int) {
	for i := range n {
		text := fmt.Sprintf("%s-%03d-%s", canary, i, strings.Repeat("x", (i*i*37)%9000))
		tenant := s.Tenant([]string{"a", "b"}[i%2])
		must(t, s.AddReceipt(Receipt{Answer: ID{byte(i), 5}, Tenant: tenant, Prompt: &text, Text: &text}))
		must(t, s.AddRating(Rating{Answer: ID{byte(i), 5}, Tenant: tenant, Rating: 2, Correction: &text}))
		must(t, s.AddJudgement(Unjudged(ID{byte(i), 5}, tenant, time.Now())))
		must(t, s.AddWindow(Window{Tenant: tenant}))
		must(t, s.AddCost(Cost{Tenant: tenant}))
		if i%10 == 0 {
			flush(t, s)
		}
	}
	flush(t, s)
}

func TestForgetAnswer(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	const n = 120
	texts(t, s, n)
	for _, i := range []int{0, 57, 3, n - 1, 4, 5, 6, 56, 58} {
		mark := fmt.Sprintf("%s-%03d", canary, i)
		if len(filesWith(t, s, mark)) == 0 {
			t.Fatal("the test looks in the wrong place")
		}
		rows, err := s.ForgetAnswer(context.Background(), ID{byte(i), 5})
		if err != nil || rows != 3 {
			t.Errorf("%d rows %v", rows, err)
		}
		if on := filesWith(t, s, mark); len(on) > 0 {
			t.Errorf("answer %d is still in %q", i, on)
		}
		if rows, err := s.ForgetAnswer(context.Background(), ID{byte(i), 5}); err != nil || rows != 0 {
			t.Errorf("again: %d rows %v", rows, err)
		}
	}
	rows, errs := everything(s)
	if len(rows) != 5*n-3*9 || len(errs) > 0 {
		t.Errorf("%d rows are left: %v", len(rows), errs)
	}
}

// What waits to be written is forgotten too.
func TestForgetWhatIsQueued(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	text := canary
	must(t, s.AddReceipt(Receipt{Answer: ID{1}, Text: &text}))
	if rows, err := s.ForgetAnswer(context.Background(), ID{1}); err != nil || rows != 1 {
		t.Errorf("%d rows %v", rows, err)
	}
	flush(t, s)
	if on := filesWith(t, s, canary); len(on) > 0 {
		t.Errorf("it is in %q", on)
	}
}

func TestForgetTenant(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	const n = 120
	texts(t, s, n)
	before, _ := everything(s)
	rows, err := s.ForgetTenant(context.Background(), "a")
	if err != nil || rows != 5*n/2 {
		t.Errorf("%d rows %v", rows, err)
	}
	for i := 0; i < n; i += 2 {
		if on := filesWith(t, s, fmt.Sprintf("%s-%03d", canary, i)); len(on) > 0 {
			t.Errorf("answer %d is still in %q", i, on)
		}
	}
	a := s.Tenant("a")
	if on := filesWith(t, s, string(a[:])); len(on) > 0 {
		t.Errorf("what stands for the tenant is still in %q", on)
	}
	after, errs := everything(s)
	if len(errs) > 0 || len(after) != len(before)-int(rows) {
		t.Errorf("%d rows are left of %d: %v", len(after), len(before), errs)
	}
}

// SQLite leaves copies of rows behind when it moves them from page to page. They go too, also if the process ended before it had rebuilt the file.
func TestForgetLeavesNoCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := mustOpen(t, path, Options{Privacy: All})
	random := rand.New(rand.NewPCG(10, 5)) // with which two copies are left behind
	name := func(i int) string { return fmt.Sprintf("%s-%05d-", canary, i) }
	var kept []int
	for n := range 600 {
		text := name(n) + strings.Repeat("x", random.IntN(700))
		must(t, s.AddReceipt(Receipt{Answer: ID{byte(n), byte(n >> 8), 5}, Prompt: &text}))
		kept = append(kept, n)
	}
	flush(t, s)
	random.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
	gone, kept := kept[:400], kept[400:]
	for _, i := range gone {
		id := ID{byte(i), byte(i >> 8), 5}
		must(t, s.ask(context.Background(), func(w *writer) error {
			_, err := w.deleteWhere("answer", id[:], func(k kind) bool { return k.answer })
			return err
		}))
	}
	must(t, s.ask(context.Background(), (*writer).emptyLog))
	if left(t, path, name, gone) == 0 {
		t.Error("deleting alone leaves no copies: the test shows nothing")
	}
	must(t, s.Close())
	s = mustOpen(t, path, Options{Privacy: All})
	defer s.Close()
	sweepAll(t, s)
	if n := left(t, path, name, gone); n > 0 {
		t.Errorf("copies of %d texts of %d are left", n, len(gone))
	}
	if n := left(t, path, name, kept); n != len(kept) {
		t.Errorf("%d texts of %d are kept", n, len(kept))
	}
	if owed := countOf(t, s, "SELECT count(*) FROM internal WHERE name = 'rebuild'"); owed != 0 {
		t.Error("it will be done again")
	}
}

// left counts the texts that are in the file.
func left(t *testing.T, path string, name func(int) string, list []int) (n int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	for _, i := range list {
		if bytes.Contains(raw, []byte(name(i))) {
			n++
		}
	}
	return n
}

// As long as somebody reads rows that were deleted, forgetting does not claim that they are gone.
func TestForgetWhileSomebodyReads(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	texts(t, s, 20)
	for r, err := range s.Receipts(context.Background(), Span{}) {
		must(t, err)
		if _, err := s.ForgetAnswer(context.Background(), r.Answer); !errors.Is(err, errRead) {
			t.Errorf("%v", err)
		}
		break
	}
	if rows, err := s.ForgetAnswer(context.Background(), ID{0, 5}); err != nil || rows != 0 {
		t.Errorf("%d rows %v", rows, err)
	}
	if on := filesWith(t, s, canary+"-000"); len(on) > 0 {
		t.Errorf("it is in %q", on)
	}
}

// Rows go by the time that they are kept for, those that are not settled stay, and what they held leaves the files.
func TestRetention(t *testing.T) {
	c := newClock()
	day := 24 * time.Hour
	keep := map[Table]time.Duration{}
	for _, k := range kinds {
		keep[k.name] = 2 * day
	}
	delete(keep, Alarms)
	s := opened(t, Options{Privacy: All, Retention: keep, now: c.now})
	old := c.now().Add(-2*day - time.Microsecond)
	for _, at := range []time.Time{old, old.Add(time.Microsecond)} {
		for i := range 2 * sweepRows {
			must(t, s.AddScore(Score{Time: at, N: int64(i), Model: strings.Repeat("model", 20)}))
			must(t, s.AddCost(Cost{From: old.Add(-day), Until: at}))
		}
		must(t, s.AddWindow(Window{From: old.Add(-day), Until: at}))
		must(t, s.AddAlarm(Alarm{Time: at}))
		text := canary + at.String()
		must(t, s.AddReceipt(Receipt{Time: at, Answer: NewID(), Text: &text}))
		must(t, s.AddRating(Rating{Time: at, Answer: NewID(), Rating: 1, Correction: &text}))
		must(t, s.AddJudgement(Unjudged(NewID(), Tenant{}, at)))
		for i := range 2 {
			row, err := s.Decide(context.Background(), Decision{Time: at})
			must(t, err)
			if i == 0 {
				must(t, s.Settle(context.Background(), row, Applied))
			}
		}
	}
	flush(t, s)
	pages := countOf(t, s, "PRAGMA page_count")
	sweepAll(t, s)
	want := map[Table]int{Scores: 2 * sweepRows, Costs: 2 * sweepRows, Windows: 1, Alarms: 2, Receipts: 1, Ratings: 1, Judgements: 1, Decisions: 3}
	got := map[Table]int{}
	rows, errs := everything(s)
	for _, r := range rows {
		got[r.Table]++
	}
	if len(errs) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v: %v", got, want, errs)
	}
	if on := filesWith(t, s, canary+old.String()); len(on) > 0 {
		t.Errorf("an old text is still in %q", on)
	}
	if after, free := countOf(t, s, "PRAGMA page_count"), countOf(t, s, "PRAGMA freelist_count"); after > pages*3/4 || free > 0 {
		t.Errorf("the file has %d pages of %d before, %d of them free", after, pages, free)
	}
}

// A batch is short, so that what is queued is not kept waiting.
func TestRetentionByBatches(t *testing.T) {
	c := newClock()
	s := opened(t, Options{Retention: map[Table]time.Duration{Scores: time.Hour}, now: c.now})
	for range 2*sweepRows + 1 {
		must(t, s.AddScore(Score{Time: c.now()}))
	}
	flush(t, s)
	c.advance(time.Hour + time.Second)
	for _, left := range []int64{sweepRows + 1, 1, 0} {
		must(t, s.ask(context.Background(), func(w *writer) error {
			if d := w.sweep(); d != sweepPause {
				t.Errorf("the next batch comes after %v", d)
			}
			return nil
		}))
		if n := countOf(t, s, "SELECT count(*) FROM scores"); n != left {
			t.Errorf("%d rows are left, want %d", n, left)
		}
	}
}

func countOf(t fatal, s *Store, query string) (n int64) {
	t.Helper()
	must(t, s.ask(context.Background(), func(w *writer) error { return w.c.QueryRowContext(context.Background(), query).Scan(&n) }))
	return n
}

// A receipt's prompt, answer and biases are kept all or none, as privacy and the draw say.
func TestPrivacyOfReceipts(t *testing.T) {
	for _, c := range []struct {
		privacy Privacy
		sampled bool
		kept    bool
	}{{None, false, false}, {None, true, false}, {Samples, false, false}, {Samples, true, true}, {All, false, true}} {
		s := opened(t, Options{Privacy: c.privacy})
		prompt, text, bias := "[[1]]", `["a"]`, "[[1,2.5]]"
		must(t, s.AddReceipt(Receipt{Answer: ID{1}, Sampled: c.sampled, Prompt: &prompt, Text: &text, LogitBias: &bias}))
		flush(t, s)
		r, err := s.Receipt(context.Background(), ID{1})
		must(t, err)
		if (r.Prompt != nil) != c.kept || (r.Text != nil) != c.kept || (r.LogitBias != nil) != c.kept {
			t.Errorf("%+v: %v %v %v", c, r.Prompt, r.Text, r.LogitBias)
		}
	}
}
