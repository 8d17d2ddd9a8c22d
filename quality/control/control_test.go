package control

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chimera/quality/score"
)

// This file owns tests of the rules: who is drawn, what is kept and lost, how two models' expectations are compared, and what a window says.

// A share is of answers by their names alone: as many as it says, the same ones each time, all of a smaller share among those of a larger, and others for
// another key.
func TestDraw(t *testing.T) {
	const n = 20_000
	d, other := NewDraw(), NewDraw()
	taken, both := 0, 0
	for i := range n {
		var id [16]byte
		binary.LittleEndian.PutUint64(id[:], uint64(i)) // as alike as names can be
		takes := d.Takes(id, 0.1)
		if takes != d.Takes(id, 0.1) || takes && !d.Takes(id, 0.2) || !d.Takes(id, 1) || d.Takes(id, 0) {
			t.Fatalf("answer %d is not drawn by its name and the share", i)
		}
		if takes {
			taken++
			if other.Takes(id, 0.1) {
				both++
			}
		}
	}
	if math.Abs(float64(taken)-0.1*n) > 4*math.Sqrt(0.09*n) || both > taken/5 {
		t.Errorf("%d of %d are drawn, %d of them by another key too", taken, n, both)
	}
}

func TestStrata(t *testing.T) {
	for text, want := range map[string]string{
		"Open the file": "latin", "Grüße, Straße": "latin", "Откройте файл": "cyrillic", "打开文件": "han", "ファイルをひらく": "kana", "파일 열기": "hangul", "افتح الملف": "arabic",
		"1 + 2 = 3": "none", "": "none", "open открыть": "mixed", "Ανοίξτε το αρχείο": "greek", "ملف ab": "mixed", "ملف a": "arabic", "ᚠᚢᚦ": "other", "בראשית": "hebrew",
	} {
		if got := ScriptOf(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for _, c := range []struct{ got, want string }{
		{LoadOf(0, 0), Idle}, {LoadOf(3, 0), Busy}, {LoadOf(0, 1), Queued}, {LoadOf(3, 1), Queued},
		{LengthOf(64), Short}, {LengthOf(65), Medium}, {LengthOf(1024), Medium}, {LengthOf(1025), Long},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
	s := Stratum{Load: Busy, Class: "batch", Length: Long, Script: "han", Truncated: true}
	if want := "load:busy class:batch length:long script:han end:truncated"; s.String() != want {
		t.Errorf("%s", s)
	}
	c := Counts{}
	c.Of(s).Drawn = 5
	c.Of(s).Lost = 2
	c.Of(Stratum{Load: Idle, Class: "batch"}).Drawn++
	all := c.ByTag()
	if n := all[""]; n.Drawn != 6 || n.Waiting() != 4 || all["load:busy"].Lost != 2 || all["class:batch"].Drawn != 6 || all["end:whole"].Drawn != 1 {
		t.Errorf("%+v", all)
	}
}

// page is a sample of so many bytes.
type page struct {
	id     int
	size   int
	erased bool
}

func (p *page) Bytes() int { return p.size }
func (p *page) Erase()     { p.erased = true }

// Whatever comes, no more is held than may be, the oldest go first, each exactly once, and what is not held any more is erased, unless it was taken.
func TestMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Memory[*page]{MostSamples: rapid.IntRange(0, 6).Draw(t, "samples"), MostBytes: rapid.IntRange(0, 50).Draw(t, "bytes")}
		var held []*page
		next := 0
		gone := func(list []*page) {
			for _, p := range list {
				if !p.erased {
					t.Fatalf("sample %d is lost and not erased", p.id)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				bytes := 0
				for _, p := range held {
					if bytes += p.size; p.erased {
						t.Fatalf("sample %d waits and is erased", p.id)
					}
				}
				if n, b := m.Waiting(); n != len(held) || b != bytes || n > m.MostSamples || b > m.MostBytes {
					t.Fatalf("%d samples of %d bytes, want %d of %d", n, b, len(held), bytes)
				}
			},
			"add": func(t *rapid.T) {
				p := &page{id: next, size: rapid.IntRange(0, 60).Draw(t, "size")}
				next++
				lost := m.Add(p)
				gone(lost)
				held = append(held, p)
				if p.size > m.MostBytes || m.MostSamples == 0 {
					if held = held[:len(held)-1]; len(lost) != 1 || lost[0] != p {
						t.Fatalf("what has no room at all costs %d others theirs", len(lost))
					}
					return
				}
				if !slices.Equal(lost, held[:len(lost)]) {
					t.Fatal("others than the oldest are lost")
				}
				held = held[len(lost):]
			},
			"take and return": func(t *rapid.T) {
				p, any := m.Take()
				if any != (len(held) > 0) || any && (p != held[0] || p.erased) {
					t.Fatalf("%+v is taken", p)
				}
				if !any {
					return
				}
				if !m.Return(p) {
					t.Fatal("what was just taken has no room")
				}
				if rapid.Bool().Draw(t, "taken") {
					m.Take()
					held = held[1:]
				}
			},
			"return too much": func(t *rapid.T) {
				if p := (&page{size: m.MostBytes + 1}); m.Return(p) {
					t.Fatal("more is returned than has room")
				}
			},
			"pull": func(t *rapid.T) {
				odd := func(p *page) bool { return p.id%2 == 1 }
				p, any := m.Pull(odd)
				at := -1
				for i, p := range held {
					if odd(p) {
						at = i
					}
				}
				if any != (at >= 0) || any && (p != held[at] || p.erased) {
					t.Fatalf("%+v is pulled", p)
				}
				if any {
					held = slices.Delete(slices.Clone(held), at, at+1)
				}
			},
			"drop": func(t *rapid.T) {
				odd := func(p *page) bool { return p.id%2 == 1 }
				lost := m.Drop(odd)
				gone(lost)
				if want := slices.DeleteFunc(slices.Clone(held), func(p *page) bool { return !odd(p) }); !slices.Equal(lost, want) {
					t.Fatal("others are dropped")
				}
				held = slices.DeleteFunc(held, odd)
			},
		})
	})
}

// expects is a position of these tokens, with these probabilities.
func expects(pairs ...float64) (p Position) {
	for i := 0; i < len(pairs); i += 2 {
		p = append(p, Likely{int32(pairs[i]), math.Log(pairs[i+1])})
	}
	return p
}

func TestCompare(t *testing.T) {
	same := expects(1, 0.5, 2, 0.3)
	for name, c := range map[string]struct {
		control, tier Position
		same, kl      float64
	}{
		"alike":             {same, same, 1, 0},
		"another order":     {same, expects(2, 0.5, 1, 0.3), 0, 0.5*math.Log(0.5/0.3) + 0.3*math.Log(0.3/0.5)},
		"one in common":     {same, expects(2, 0.5, 7, 0.3), 0, 0.3*math.Log(0.3/0.5) + 0.7*math.Log(0.7/0.5)},
		"none in common":    {same, expects(8, 0.5, 7, 0.3), 0, 0.5*math.Log(0.5/0.3) + 0.5*math.Log(0.5/0.7)},
		"and it may be one": {expects(1, 0.2), expects(8, 0.5, 7, 0.3), 0, 0},
	} {
		p, err := Compare([]Position{c.control, same}, []Position{c.tier, same})
		if err != nil || p.Tokens != 2 || p.Same != c.same+1 || !(math.Abs(p.KL-c.kl) < 1e-12) {
			t.Errorf("%s: %+v, %v, want %v and %v", name, p, err, c.same+1, c.kl)
		}
	}
	for name, c := range map[string][2][]Position{
		"nothing": {nil, nil}, "fewer": {{same}, {same, same}}, "no token": {{same}, {{}}}, "no number": {{expects(1, math.NaN())}, {same}},
	} {
		if p, err := Compare(c[0], c[1]); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// Of any two models what is said is no more than their whole divergence.
func TestDivergenceIsALowerBound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		const vocabulary, top = 40, 8
		model := func() (all []float64, likely Position) {
			sum := 0.0
			for range vocabulary {
				all = append(all, math.Exp(3*r.NormFloat64()))
				sum += all[len(all)-1]
			}
			for id := range all {
				all[id] /= sum
				likely = append(likely, Likely{int32(id), math.Log(all[id])})
			}
			slices.SortFunc(likely, func(a, b Likely) int { return int(math.Copysign(1, b.LogProbability-a.LogProbability)) })
			return all, likely[:top]
		}
		p, control := model()
		q, tier := model()
		whole := 0.0
		for id := range p {
			whole += p[id] * math.Log(p[id]/q[id])
		}
		if c, err := Compare([]Position{control}, []Position{tier}); err != nil || !(c.KL >= 0 && c.KL <= whole+1e-9) {
			t.Fatalf("%v of %v, %v", c.KL, whole, err)
		}
	}
}

// Requests that are lost more often where answers are worse do not make the estimate better: it is that of all, where the mean of the scored is not.
func TestWeightedEstimate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	var w Window
	truth, scored, n := 0.0, 0.0, 0.0
	for range 4000 {
		s, rate, kept := Stratum{Load: Idle, Script: "latin"}, 0.95, 1.0
		if r.IntN(2) == 0 {
			s, rate, kept = Stratum{Load: Queued, Script: []string{"latin", "han"}[r.IntN(2)]}, 0.7, 0.1
		}
		same := 0.0
		for range 20 {
			if r.Float64() < rate {
				same++
			}
		}
		truth += same / 20 / 4000
		if r.Float64() >= kept {
			w.Lose(s, 0.1)
			continue
		}
		scored, n = scored+same/20, n+1
		w.Score(s, 0.1, Paired{Tokens: 20, Same: same, KL: 20 - same})
	}
	list, err := w.Overall()
	if err != nil || len(list) != 2 || list[0].Metric != Agreement || list[1].Metric != KL {
		t.Fatalf("%+v %v", list, err)
	}
	if a := list[0]; !(math.Abs(a.Estimate-truth) < 0.01) || !(a.Low < truth && truth < a.High) || !(scored/n-truth > 0.05) || a.Requests != w.Requests() {
		t.Errorf("%+v of %.4f; the scored alone have %.4f", a, truth, scored/n)
	}
}

// What is lost of a stratum that has no scored request goes to those under the same load, and else to all; requests that were drawn with less probability
// stand for more.
func TestWeights(t *testing.T) {
	latin, han, idle := Stratum{Load: Busy, Script: "latin"}, Stratum{Load: Busy, Script: "han"}, Stratum{Load: Idle}
	var w Window
	w.Score(latin, 1, Paired{Tokens: 1})
	w.Score(idle, 0.25, Paired{Tokens: 1})
	w.Lose(latin, 0.5)                 // 2 for the first
	w.Lose(han, 1)                     // 1 for the first, under the same load
	w.Lose(Stratum{Load: Queued}, 0.2) // 5 for all, which stand for 1 and 4
	if got, want := w.weights(), []float64{1 + 2 + 1 + 1, 4 + 4}; !(math.Abs(got[0]-want[0]) < 1e-12 && math.Abs(got[1]-want[1]) < 1e-12) {
		t.Errorf("%v, want %v", got, want)
	}
	c := w.Clone()
	c.Lose(latin, 1)
	if w.lost[latin] != 2 {
		t.Error("a clone is the window itself")
	}
}

// A tag has an estimate if it has enough requests, whose answers count together; intervals are of requests.
func TestEstimatesByTag(t *testing.T) {
	var w Window
	of := func(text string) []float64 { return score.ChrF{}.Counts(text, []string{"the same text"}) }
	for i := range 40 {
		s := Stratum{Load: Idle, Script: "latin", Truncated: i >= 40-LeastRequests+1}
		w.Score(s, 1, Paired{Tokens: 10, Same: float64(i % 2 * 10), ChrF: of("the same text"), Fluency: []float64{10 * math.Ln2, 10}}, Paired{Tokens: 30, Same: 30, Fluency: []float64{90 * math.Ln2, 30}})
	}
	list, err := w.Estimates()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Tag+" "+e.Metric)
		if want := map[string]float64{Agreement: 35.0 / 40, KL: 0, ChrF: 100, Fluency: math.Exp2(2.5)}[e.Metric]; e.Tag == "" && (!(math.Abs(e.Estimate-want) < 1e-12) || e.Requests != 40 || e.Metric == Agreement && !(e.Low > 0.8 && e.Low < 0.87)) {
			t.Errorf("%+v, want %v", e, want)
		}
	}
	if text := strings.Join(names, ","); strings.Contains(text, "end:truncated") || !strings.Contains(text, "end:whole agreement") || !strings.HasPrefix(text, " agreement, kl, chrf, fluency,class: agreement") {
		t.Errorf("%s", text)
	}
	if empty, err := new(Window).Estimates(); err != nil || len(empty) != 0 {
		t.Errorf("%+v %v", empty, err)
	}
}

// A request's figures are of its answers together, and of those alone that were computed.
func TestFigures(t *testing.T) {
	of := func(text string) []float64 { return score.ChrF{}.Counts(text, []string{"the same text"}) }
	got := Figures(Paired{Tokens: 10, Same: 4, KL: 1, ChrF: of("the same text")}, Paired{Tokens: 30, Same: 30, KL: 3, Fluency: []float64{60 * math.Ln2, 30}})
	want := map[string]float64{Agreement: 34.0 / 40, KL: 0.1, ChrF: 100, Fluency: 4}
	for name, figure := range want {
		if !(math.Abs(got[name]-figure) < 1e-12) || len(got) != len(want) {
			t.Errorf("%s: %v, want %v of %v", name, got[name], figure, got)
		}
	}
	if got := Figures(Paired{Tokens: 2}); len(got) != 2 || got[Agreement] != 0 {
		t.Errorf("of an answer that was only read: %v", got)
	}
}

// Each canary has a name of its own in the digest: nothing of what is read or how long is answered can change without it.
func TestCanaries(t *testing.T) {
	seen := map[string]string{}
	for name, d := range map[string]string{
		"two": DigestOf([][]int32{{1, 2}, {3}}, 8), "shifted": DigestOf([][]int32{{1}, {2, 3}}, 8), "one": DigestOf([][]int32{{1, 2, 3}}, 8), "longer": DigestOf([][]int32{{1, 2}, {3}}, 9),
		"other": DigestOf([][]int32{{1, 2}, {4}}, 8), "none": DigestOf(nil, 8), "empty": DigestOf([][]int32{{}}, 8), "answer": AnswerDigest([]int32{1, 2}),
	} {
		if seen[d] != "" {
			t.Errorf("%s and %s are one", name, seen[d])
		}
		seen[d] = name
	}
	if len(Prompts) != 16 || len(slices.Compact(slices.Sorted(slices.Values(Prompts)))) != 16 {
		t.Errorf("%d prompts", len(Prompts))
	}
	for _, c := range []struct {
		golden, now []string
		want        string
	}{
		{[]string{"a", "b"}, []string{"a", "b"}, "[]"}, {[]string{"a", "b"}, []string{"a", "c"}, "[1]"}, {[]string{"a"}, []string{"a", "b"}, "[1]"}, {[]string{"a", "b"}, nil, "[0 1]"},
	} {
		if got := fmt.Sprint(Changed(c.golden, c.now)); got != c.want {
			t.Errorf("%v and %v: %s", c.golden, c.now, got)
		}
	}
}
