package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"chimera/quality/score"
)

// This file owns the verb score.

func scoreCommand() *cobra.Command {
	var metric, tokenizer, hypotheses string
	var references []string
	var sentences, asJSON bool
	c := &cobra.Command{
		Use: "score --metric METRIC --hyp FILE --ref FILE", Short: "Score answers against references", Args: operands(),
		Long: `Score answers against references. Both are UTF-8 text, a segment a line: line 3 of --hyp is compared with line 3 of each --ref. Where there
are several references, each may be met.

  bleu     BLEU, 0 to 100, as sacrebleu 2.6.0 has it: a corpus score of words, smoothed by exp
  chrf     chrF2, 0 to 100, as sacrebleu 2.6.0 has it: of n-grams of up to 6 characters, for languages with rich endings
  rouge-l  ROUGE-L, 0 to 1, F-measure as rouge_score 0.1.2 has it, without stemmer; words are of a-z and 0-9 alone
  exact    exact match, 0 to 1, as SQuAD's evaluation v1.1 has it: case, punctuation and English articles do not count
  f1       F1 of words, 0 to 1, as there

The signature that is printed says what a score depends on: scores with equal signatures compare. --sentence scores each segment by itself,
too; of BLEU with effective order, as sacrebleu's sentence scores are. The last three are the mean of these.`,
		Example: `  chimera score --metric bleu --hyp answers.txt --ref reference.txt
  chimera score --metric chrf --hyp - --ref first.txt --ref second.txt --json < answers.txt
  chimera score --metric bleu --tokenize zh --sentence --hyp answers.txt --ref reference.txt`,
	}
	f := c.Flags()
	f.StringVar(&metric, "metric", "", "which `METRIC`: "+strings.Join(score.Metrics(), ", "))
	f.StringVar(&hypotheses, "hyp", "", "`file` with the answers, - for standard input")
	f.StringArrayVar(&references, "ref", nil, "`file` with references, - for standard input (may be repeated)")
	f.StringVar(&tokenizer, "tokenize", "", "of bleu, which `TOKENIZER` says where words end: "+strings.Join(score.Tokenizers(), ", ")+"; 13a if none is given")
	f.BoolVar(&sentences, "sentence", false, "score each segment too")
	f.BoolVar(&asJSON, "json", false, "print JSON, with numbers unrounded")
	for _, name := range []string{"metric", "hyp", "ref"} {
		_ = c.MarkFlagRequired(name)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := score.New(metric, tokenizer)
		if err != nil {
			return usageError{err}
		}
		lines, of, err := readCorpus(c, hypotheses, references)
		if err != nil {
			return err
		}
		r, err := score.Corpus(m, lines, of, sentences)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), r)
		}
		return printScore(c.OutOrStdout(), r)
	}
	return c
}

// readCorpus opens and reads the files; one of them may be standard input.
func readCorpus(c *cobra.Command, hypotheses string, references []string) ([]string, [][]string, error) {
	names := append([]string{hypotheses}, references...)
	if first := slices.Index(names, "-"); first >= 0 && slices.Contains(names[first+1:], "-") {
		return nil, nil, usageError{errors.New("--hyp and --ref: only one of them can be standard input")}
	}
	files := make([]score.File, len(names))
	for i, name := range names {
		if name == "-" {
			files[i] = score.File{Name: "standard input", Text: input(c, "text, a segment a line,")}
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		files[i] = score.File{Name: name, Text: file}
	}
	return score.ReadCorpus(files[0], files[1:])
}

// printScore writes each segment's score, where there are such, and the corpus's.
func printScore(w io.Writer, r score.Result) error {
	decimals := 4
	if r.Metric == "bleu" || r.Metric == "chrf" { // as published ones are
		decimals = 2
	}
	for i, s := range r.Sentences {
		fmt.Fprintf(w, "%6d  %7.*f\n", i+1, decimals, s)
	}
	_, err := fmt.Fprintf(w, "%s %.*f over %d segments\n%s\n", r.Metric, decimals, r.Score, r.N, r.Signature)
	return err
}
