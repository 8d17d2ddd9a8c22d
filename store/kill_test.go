package store

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file owns the test of a process that is killed at any moment: what it wrote more than a second before is there, without a gap, and
// each decision that it was told is on the disk is. What it was forgetting is there whole, or no byte of it is.

const killVariable = "CHIMERA_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(killVariable); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// child adds and decides until it is killed, and says what was taken, when.
func child(path string) {
	s, err := Open(path, Options{Log: quiet, Privacy: All})
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	next := int64(0)
	for r, err := range s.Scores(context.Background(), Span{}) {
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		next = max(next, r.N)
	}
	fmt.Println("open", next)
	for i := 0; ; i++ {
		next++
		if err := s.AddScore(Score{Time: time.Now(), N: next, Model: strings.Repeat("m", i%300)}); err != nil {
			next--
		} else {
			fmt.Println("added", next, time.Now().UnixNano())
		}
		if i%40 == 0 {
			decideOne(s)
			pinOne(s, i)
		}
		if i%100 == 99 {
			forgetOne(s, next)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func decideOne(s *Store) {
	row, err := s.Decide(context.Background(), Decision{Model: "m", From: "q8", To: "q4", Evidence: json.RawMessage(strings.Repeat(" ", 6000) + "1")})
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("begun", row)
	state := []DecisionState{Applied, Reverted}[row%2]
	if err := s.Settle(context.Background(), row, state); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println(state, row)
}

// pinOne pins a golden of many pages, and says so.
func pinOne(s *Store, i int) {
	digest := fmt.Sprint(os.Getpid(), "-", i)
	content := strconv.Quote(digest + strings.Repeat("g", 100_000))
	if _, err := s.Pin(context.Background(), Golden{Kind: Suite, Digest: digest, Content: json.RawMessage(content)}); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("pinned", digest)
}

// forgetOne adds an answer and forgets it.
func forgetOne(s *Store, n int64) {
	text := canaryOf(n)
	r := Receipt{Answer: ID{byte(n), byte(n >> 8), byte(n >> 16), 1}, Prompt: &text}
	err := s.AddReceipt(r)
	if err == nil {
		_, err = s.ForgetAnswer(context.Background(), r.Answer)
	}
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println("forgotten", n)
}

func canaryOf(n int64) string { return fmt.Sprintf("%s-%d.", canary, n) }

// said is what the children of one file have said.
type said struct {
	added    map[int64]int64 // when
	decision map[int64]DecisionState
	forgot   int
	pinned   []string
	failed   string
}

func (s *said) line(text string) {
	f := strings.Fields(text)
	switch n := int64(0); f[0] {
	case "failed":
		s.failed = text
	case "forgotten":
		s.forgot++
	case "pinned":
		s.pinned = append(s.pinned, f[1])
	case "added":
		n, _ = strconv.ParseInt(f[1], 10, 64)
		s.added[n], _ = strconv.ParseInt(f[2], 10, 64)
	case "begun", "applied", "reverted":
		n, _ = strconv.ParseInt(f[1], 10, 64)
		s.decision[n] = DecisionState(f[0])
	}
}

// run lets a child live for a while, and kills it.
func (s *said) run(t *testing.T, path string, life time.Duration) (killed time.Time) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), killVariable+"="+path)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	timer := time.AfterFunc(10*time.Second, func() { c.Process.Kill() }) // it never said that it is open
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "open") {
			timer.Stop()
			time.AfterFunc(life, func() {
				killed = time.Now()
				c.Process.Kill()
			})
			continue
		}
		if strings.Count(lines.Text(), " ") > 0 { // the last may be cut off, and then says less than was so
			s.line(lines.Text())
		}
	}
	c.Wait()
	return killed
}

// check opens what is left.
func (s *said) check(t *testing.T, path string, killed time.Time) {
	store, err := Open(path, Options{Log: quiet})
	if err != nil {
		t.Error(err)
		return
	}
	defer store.Close()
	var last int64
	for r, err := range store.Scores(context.Background(), Span{}) {
		if err != nil || r.N != last+1 {
			t.Errorf("score %d follows %d: %v", r.N, last, err)
		}
		last = r.N
	}
	for n, at := range s.added {
		if age := killed.Sub(time.Unix(0, at)); n > last && age > time.Second {
			t.Errorf("score %d was taken %v before the end, and is lost; the last is %d", n, age, last)
		}
		if n > last {
			delete(s.added, n) // the next child will give the number again
		}
	}
	open := []int64{}
	for r, err := range store.Unfinished(context.Background()) {
		if err != nil {
			t.Error(err)
		}
		open = append(open, r.Row)
	}
	kept := map[int64]DecisionState{}
	for r, err := range store.Decisions(context.Background(), Span{}) {
		if err != nil || len(r.Evidence) != 6001 || (r.State == Begun) != r.Settled.IsZero() || (r.State == Begun) != slices.Contains(open, r.Row) {
			t.Errorf("a decision is half written: %d %s %v %v", r.Row, r.State, r.Settled, err)
		}
		kept[r.Row] = r.State
	}
	for row, state := range s.decision {
		if kept[row] == "" || state != Begun && kept[row] != state {
			t.Errorf("decision %d was said to be %s, and is %q", row, state, kept[row])
		}
	}
	s.checkGoldens(t, store)
	checkForgotten(t, store)
	v, err := store.Verify(context.Background())
	if err != nil || len(v.Damaged)+len(v.Faults) > 0 {
		t.Errorf("%+v %v", v, err)
	}
}

// checkGoldens: each that is there is whole, and each that was said to be pinned is there.
func (s *said) checkGoldens(t *testing.T, store *Store) {
	there := map[string]bool{}
	for g, err := range store.Goldens(context.Background(), Span{}) {
		if err != nil || len(g.Content) != 100_000+len(g.Digest)+2 {
			t.Errorf("golden %s has %d bytes, %v", g.Digest, len(g.Content), err)
		}
		there[g.Digest] = true
	}
	for _, digest := range s.pinned {
		if !there[digest] {
			t.Errorf("golden %s was said to be pinned, and is not there", digest)
		}
	}
}

// checkForgotten has the store do what the child owes, and looks for texts whose rows are gone.
func checkForgotten(t *testing.T, s *Store) {
	sweepAll(t, s)
	there := map[string]bool{}
	for r, err := range s.Receipts(context.Background(), Span{}) {
		if err != nil || r.Prompt == nil {
			t.Errorf("%+v %v", r, err)
			continue
		}
		there[*r.Prompt] = true
	}
	raw, err := os.ReadFile(s.path)
	if err != nil {
		t.Error(err)
	}
	for _, text := range regexp.MustCompile(canary+`-\d+\.`).FindAllString(string(raw), -1) {
		if !there[text] {
			t.Errorf("%s is in the file, and its row is not", text)
		}
	}
}

func TestKilled(t *testing.T) {
	files, kills := 5, 6
	if testing.Short() {
		kills = 2
	}
	var all sync.WaitGroup
	for range files {
		path := filepath.Join(t.TempDir(), "history.db")
		all.Go(func() {
			s := &said{added: map[int64]int64{}, decision: map[int64]DecisionState{}}
			for i := range kills {
				life := time.Duration(rand.IntN(700)+1200*(i%2)) * time.Millisecond
				killed := s.run(t, path, life)
				if killed.IsZero() || s.failed != "" {
					t.Errorf("the child did not begin: %s", s.failed)
					return
				}
				s.check(t, path, killed)
			}
			if len(s.added) < 100 || len(s.decision) < 3 || s.forgot < 3 || len(s.pinned) < 3 {
				t.Errorf("%d scores, %d decisions, %d goldens and %d forgotten only", len(s.added), len(s.decision), len(s.pinned), s.forgot)
			}
		})
	}
	all.Wait()
}
