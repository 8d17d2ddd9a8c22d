package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"chimera/quality/score"
)

// This file owns the tests of the verb score.

func TestScore(t *testing.T) {
	hypotheses := "the cat sat on the mat\nzebra\na cat &amp; dog\n"
	first, second := file(t, "the cat sat on a mat\nthe zoo\na cat & a dog\n"), file(t, "a cat sat on the mat today\nthe zebra\na dog\n")
	asked := func(args ...string) (r score.Result) {
		t.Helper()
		got := runBinary(t, hypotheses, append([]string{"score", "--hyp", "-", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 || r.N != 3 {
			t.Fatalf("%v: %+v, %v", args, got, err)
		}
		return r
	}
	for _, c := range []struct {
		args      []string
		score     float64 // by sacrebleu 2.6.0, rouge_score and by hand
		signature string
		sentences []float64
	}{
		{[]string{"--metric", "bleu", "--ref", first}, 41.92251517317463, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:chimera-1", nil},
		{[]string{"--metric", "bleu", "--ref", first, "--ref", second, "--tokenize", "char"}, 80.05600416360191, "nrefs:2|case:mixed|eff:no|tok:char|smooth:exp|version:chimera-1", nil},
		{[]string{"--metric", "chrf", "--ref", first}, 58.786089219492425, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:chimera-1", nil},
		{[]string{"--metric", "exact", "--ref", first, "--ref", second, "--sentence"}, 2.0 / 3, "nrefs:2|norm:squad-v1.1|version:chimera-1", []float64{1, 1, 0}},
		{[]string{"--metric", "f1", "--ref", second, "--sentence"}, (8.0/9 + 1 + 0.5) / 3, "nrefs:1|norm:squad-v1.1|version:chimera-1", []float64{8.0 / 9, 1, 0.5}},
		{[]string{"--metric", "rouge-l", "--ref", second}, (10.0/13 + 2.0/3 + 4.0/6) / 3, "nrefs:1|stem:no|version:chimera-1", nil},
	} {
		r := asked(c.args...)
		if math.Abs(r.Score-c.score) > 1e-9 || r.Signature != c.signature || r.Metric != c.args[1] || len(r.Sentences) != len(c.sentences) {
			t.Errorf("%v: %+v, want %v and %s", c.args, r, c.score, c.signature)
		}
		for i, s := range c.sentences {
			if math.Abs(r.Sentences[i]-s) > 1e-9 {
				t.Errorf("%v: segment %d scores %v, want %v", c.args, i+1, r.Sentences[i], s)
			}
		}
	}
	text := runBinary(t, "", "score", "--metric", "bleu", "--hyp", file(t, "cat\na dog\n"), "--ref", file(t, "cat\na cow\n"), "--sentence")
	want := "     1   100.00\n     2    50.00\nbleu 0.00 over 2 segments\nnrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:chimera-1\n"
	if text.out != want || text.code != 0 {
		t.Errorf("%q, want %q", text.out, want)
	}
}

func TestScoreRefuses(t *testing.T) {
	two, three := file(t, "a\nb\n"), file(t, "a\nb\nc")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--hyp x --ref x", exitUsage, `required flag(s) "metric" not set`},
		{"--metric bleu --hyp x", exitUsage, `required flag(s) "ref" not set`},
		{"--metric blue --hyp x --ref x", exitUsage, `metric "blue": use bleu, chrf`},
		{"--metric bleu --tokenize 14a --hyp x --ref x", exitUsage, `tokenizer "14a": use 13a, intl`},
		{"--metric f1 --tokenize 13a --hyp x --ref x", exitUsage, "only bleu has a choice"},
		{"--metric f1 --hyp - --ref -", exitUsage, "only one of them can be standard input"},
		{"--metric f1 --hyp " + two + " --ref /nowhere/r", exitFailed, "/nowhere/r: no such file"},
		{"--metric f1 --hyp " + two + " --ref " + three, exitFailed, fmt.Sprintf("%s has 2 lines and %s has 3", two, three)},
		{"--metric f1 --hyp " + two + " --ref " + file(t, "a\n\xff"), exitFailed, "given: line 2 is not UTF-8"},
		{"--metric f1 --hyp - --ref " + two, exitFailed, "standard input: it is empty"},
		{"--metric f1 --hyp " + t.TempDir() + " --ref " + two, exitFailed, "is a directory"},
	} {
		r := runBinary(t, "", append([]string{"score"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) || r.out != "" {
			t.Errorf("%s: %+v, want %d and %q", c.args, r, c.code, c.want)
		}
	}
}
