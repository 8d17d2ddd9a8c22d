package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file owns tests of reading: what files say, what is refused and how, and what a version is.

func read(t *testing.T, lines ...string) *Suite {
	t.Helper()
	s, err := Read("folder/small.jsonl", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestForms(t *testing.T) {
	s := read(t,
		`{"id":"a","input":"Hello","references":["Hallo"],"kind":"translation","tags":["short","de","short"],"source":{"page":4}}`,
		"",
		`{"id":"b","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"2+2?"}],"kind":"qa","answer":"4","references":["four"],"half":"sealed"}`,
		`{"id":"c","input":"Sky?","kind":"choice","choices":["red","blue"],"answer":"blue"}`,
		`{"id":"d","input":"Sky?","kind":"choice","choices":["red","blue"],"answer":1}`,
		`{"id":"e","input":"Sky?","kind":"choice","choices":["red","blue"],"answer":"B"}`,
		`{"id":"f","input":"Which letter?","kind":"choice","choices":["B","A"],"answer":"A"}`,
		`{"id":"g","input":"","kind":"edge","references":["empty"]}`,
	)
	if s.Name != "small" || len(s.Items) != 7 {
		t.Fatalf("%q with %d items", s.Name, len(s.Items))
	}
	want := Item{ID: "a", Kind: Translation, Messages: []Message{{"user", "Hello"}}, References: []string{"Hallo"}, Tags: []string{"de", "short"}, Half: halfOf("a")}
	if !reflect.DeepEqual(s.Items[0], want) {
		t.Errorf("%+v, want %+v", s.Items[0], want)
	}
	b := s.Items[1]
	if b.Half != Sealed || b.Messages[0].Role != "system" || !reflect.DeepEqual(b.References, []string{"four", "4"}) || b.Question() != "Be brief.\n2+2?" {
		t.Errorf("%+v", b)
	}
	for _, i := range s.Items[2:6] {
		if i.Right != 1 {
			t.Errorf("%s: right is choice %d", i.ID, i.Right)
		}
	}
	if g := s.Items[6]; g.References != nil || g.Passes("It is empty.") != 1 || g.Passes("It is full.") != 0 {
		t.Errorf("%+v", g)
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{`, "s.jsonl:2: it is no JSON"},
		{`[]`, "s.jsonl:2: it must be a JSON object"},
		{`{"id":"x","id":"y"}`, "s.jsonl:2: it is no JSON"},
		{"{\"id\":\"\xff\"}", "s.jsonl:2: it is no JSON"},
		{`{"id":3}`, "s.jsonl:2: id: it must be a string"},
		{`{"input":"q","kind":"qa","answer":"x"}`, "s.jsonl:2: id: it is missing"},
		{`{"id":"first","input":"q","kind":"qa","answer":"x"}`, `s.jsonl:2: id: line 1 has "first" too`},
		{`{"id":"` + strings.Repeat("x", 257) + `","input":"q","kind":"qa","answer":"x"}`, "id: it has more than 256 bytes"},
		{`{"id":"x","input":"q","answer":"x"}`, "kind: it is missing: use one of translation, qa, choice, edge, text"},
		{`{"id":"x","input":"q","kind":"q&a","answer":"x"}`, `kind: "q&a": use one of`},
		{`{"id":"x","kind":"qa","answer":"x"}`, "input: it is missing, and there are no messages"},
		{`{"id":"x","input":"q","messages":[{"role":"user","content":"q"}],"kind":"qa","answer":"x"}`, "input: there are messages too"},
		{`{"id":"x","messages":[],"kind":"qa","answer":"x"}`, "input: it is missing"},
		{`{"id":"x","messages":[{"content":"q"}],"kind":"qa","answer":"x"}`, "messages.0.role: it is missing"},
		{`{"id":"x","messages":"q","kind":"qa","answer":"x"}`, "messages: it must be a list of turns"},
		{`{"id":"x","input":["q"],"kind":"qa","answer":"x"}`, "input: it must be a string"},
		{`{"id":"x","input":"q","kind":"qa"}`, "references: an item of kind qa needs one at least"},
		{`{"id":"x","input":"q","kind":"qa","answer":4}`, "answer: it must be a string"},
		{`{"id":"x","input":"q","kind":"translation","refernces":["x"]}`, "references: an item of kind translation needs one at least"},
		{`{"id":"x","input":"q","kind":"text","references":"x"}`, "references: it must be a list of strings"},
		{`{"id":"x","input":"q","kind":"qa","answer":"x","choices":["x","y"]}`, "choices: an item of kind qa has none"},
		{`{"id":"x","input":"q","kind":"qa","answer":"x","checks":[{"check":"asks"}]}`, "checks: an item of kind qa has none"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a"],"answer":0}`, "choices: there must be two at least"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","a"],"answer":0}`, `choices.1: "a"`},
		{`{"id":"x","input":" ","kind":"choice","choices":["a","b"],"answer":0}`, "a question with choices can't be empty"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","b"]}`, "answer: it must be the right choice's text, its number from 0 to 1"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","b"],"answer":2}`, "answer: it must be"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","b"],"answer":0.5}`, "answer: it must be"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","b"],"answer":-1e300}`, "answer: it must be"},
		{`{"id":"x","input":"q","kind":"choice","choices":["a","b"],"answer":"C"}`, "answer: it must be"},
		{`{"id":"x","input":"q","kind":"edge"}`, "checks: an item of kind edge needs one at least"},
		{`{"id":"x","input":"q","kind":"edge","references":[" "]}`, `references: check "contains" needs any`},
		{`{"id":"x","input":"q","kind":"edge","checks":[{"check":"contain","any":["x"]}]}`, `checks.0: check "contain": use one of absent, asks, begins`},
		{`{"id":"x","input":"q","kind":"edge","checks":[{"check":"number"}]}`, `checks.0: check "number" needs a number`},
		{`{"id":"x","input":"q","kind":"edge","checks":[{"check":"script","script":"English"}]}`, `checks.0: check "script" needs script`},
		{`{"id":"x","input":"q","kind":"edge","checks":[{"check":"words"}]}`, `checks.0: check "words" needs words`},
		{`{"id":"x","input":"q","kind":"qa","answer":"x","tags":[""]}`, "tags.0: it must have 1 to 256 bytes"},
		{`{"id":"x","input":"q","kind":"qa","answer":"x","half":"test"}`, `half: "test": use tuning or sealed`},
	} {
		_, err := Read("s.jsonl", strings.NewReader(`{"id":"first","input":"q","kind":"qa","answer":"x"}`+"\n"+c.line))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "s.jsonl:2: ") {
			t.Errorf("%s: %v, want %q", c.line, err, c.want)
		}
	}
	if _, err := Read("s.jsonl", strings.NewReader("\n\n")); err == nil || err.Error() != "s.jsonl: it has no items" {
		t.Errorf("a file of blank lines: %v", err)
	}
}

func TestBounds(t *testing.T) {
	line := `{"id":"%d","input":"q","kind":"qa","answer":"x"}` + "\n"
	three := fmt.Sprintf(line, 1) + fmt.Sprintf(line, 2) + fmt.Sprintf(line, 3)
	size := len(three) / 3
	for _, c := range []struct {
		limits
		want string
	}{
		{limits{size, 3 * size, 3}, ""},
		{limits{size - 2, 3 * size, 3}, "s.jsonl:1: the line has more than"},
		{limits{size, 3*size - 1, 3}, "s.jsonl:3: the file has more than"},
		{limits{size, 3 * size, 2}, "s.jsonl:3: there are more than 2 items"},
	} {
		_, err := c.read("s.jsonl", strings.NewReader(three))
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%+v: %v, want %q", c.limits, err, c.want)
		}
	}
}

// What means the same has the same version, and what does not has another.
func TestDigest(t *testing.T) {
	first := `{"id":"a","input":"q","kind":"choice","choices":["x","y"],"answer":1,"tags":["t","s"]}`
	second := `{"id":"b","input":"r","kind":"qa","answer":"z"}`
	want := read(t, first, second).Digest()
	for _, same := range [][]string{
		{"\n" + ` { "kind" : "choice", "answer":"y", "tags":["s","t","s"], "input":"q", "choices":["x", "\u0079"], "id":"a", "note":4 } `, second, ""},
		{`{"id":"a","messages":[{"role":"user","content":"q"}],"kind":"choice","choices":["x","y"],"answer":"B","references":["unread"],"tags":["t","s"]}`, `{"id":"b","input":"r","kind":"qa","references":["z"]}`},
	} {
		if got := read(t, same...).Digest(); got != want {
			t.Errorf("%s: another digest", same)
		}
	}
	for _, other := range [][]string{
		{second, first}, {first}, {first, strings.Replace(second, "r", "R", 1)}, {strings.Replace(first, "1", "0", 1), second},
		{strings.Replace(first, `"s"`, `"u"`, 1), second}, {first, strings.Replace(second, "z", "y", 1)}, {first, strings.Replace(second, `"b"`, `"c"`, 1)},
	} {
		if got := read(t, other...).Digest(); got == want {
			t.Errorf("%s: the same digest", other)
		}
	}
	// Versions stand in reports that are kept: the form they are made of may not change.
	if pinned := "1712fa727f1fbddd"; len(want) != 64 || !strings.HasPrefix(want, pinned) {
		t.Errorf("the digest is %s, it was %s…", want, pinned)
	}
}

// Halves are near halves, each item's by its id alone.
func TestHalves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9-]{1,12}`), 1, 60, rapid.ID).Draw(t, "ids")
		s := &Suite{Name: "s"}
		for _, id := range ids {
			s.Items = append(s.Items, Item{ID: id, Half: halfOf(id)})
		}
		tuning, sealed := s.Of(Tuning), s.Of(Sealed)
		if len(tuning.Items)+len(sealed.Items) != len(ids) {
			t.Fatalf("%d and %d of %d", len(tuning.Items), len(sealed.Items), len(ids))
		}
		all, err := Join(tuning, sealed)
		if err != nil || len(all.Items) != len(ids) || len(all.Of(Sealed).Items) != len(sealed.Items) {
			t.Fatal(all, err)
		}
	})
	n := 0
	for i := range 10_000 {
		if halfOf(fmt.Sprint("item-", i)) == Sealed {
			n++
		}
	}
	if n < 4800 || n > 5200 {
		t.Errorf("%d of 10,000 are sealed", n)
	}
	same := read(t, `{"id":"a","input":"q","kind":"qa","answer":"x"}`)
	if _, err := Join(same, same); err == nil || !strings.Contains(err.Error(), `both have an item "a"`) {
		t.Errorf("one item in both halves: %v", err)
	}
}

func TestTranslationFiles(t *testing.T) {
	dir := os.Getenv("CHIMERA_MT")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "mt")
	}
	var halves []*Suite
	for _, c := range []struct {
		name  string
		items int
	}{{"dev", 500}, {"test", 1000}} {
		f, err := os.Open(filepath.Join(dir, "suite", c.name+".jsonl"))
		if err != nil {
			t.Skip("no mt folder: set CHIMERA_MT")
		}
		defer f.Close()
		s, err := Read(f.Name(), f)
		if err != nil || len(s.Items) != c.items || s.Name != c.name || s.References() != 1 || !s.Has(Translation) || s.Has(Edge) {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		halves = append(halves, s)
	}
	all, err := Join(halves[0], halves[1])
	if err != nil || len(all.Of(Tuning).Items) != 500 || all.Name != "dev+test" {
		t.Error(all.Name, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"id":"c","input":"Sky?","kind":"choice","choices":["red","blue"],"answer":"B"}`)
	f.Add(`{"id":"d","messages":[{"role":"user","content":""}],"kind":"edge","checks":[{"check":"number","number":4},{"check":"script","script":"Latin"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read("f.jsonl", strings.NewReader(text))
		if err != nil {
			return
		}
		s.Digest()
		for _, i := range s.Items {
			if n := i.Passes(text); n < 0 || n > len(i.Checks) || i.Right >= max(1, len(i.Choices)) {
				t.Fatalf("%+v passes %d", i, n)
			}
		}
	})
}

// Translations have as many references as the one with fewest; what other kinds have does not count.
func TestReferences(t *testing.T) {
	s := read(t,
		`{"id":"a","input":"q","kind":"qa","references":["x"]}`,
		`{"id":"b","input":"q","kind":"translation","references":["x","y","z"]}`,
		`{"id":"c","input":"q","kind":"translation","references":["x","y"]}`,
		`{"id":"d","input":"q","kind":"translation","references":["x","y","z"]}`)
	if n := s.References(); n != 2 {
		t.Errorf("%d references of each", n)
	}
}
