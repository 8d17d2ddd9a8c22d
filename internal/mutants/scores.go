package main

// This file owns the part of the list that is scores of texts, and what differences between them are worth.

func init() { list = append(list, scores...) }

var scores = []mutant{
	// BLEU.
	{
		name: "bleu-rewards-brevity", file: "quality/score/bleu.go", pkg: "quality/score", tests: []string{"TestGolden", "TestGoldenCorpora"},
		old: "math.Exp(1 - reference/length)", new: "math.Exp(1 - length/reference)",
	},
	{
		name: "bleu-smooths-all-orders-alike", file: "quality/score/bleu.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "smooth *= 2", new: "smooth = 2",
	},
	{
		name: "bleu-never-clips", file: "quality/score/ngrams.go", pkg: "quality/score", tests: []string{"TestGolden", "TestGoldenCorpora"},
		old: "			most[id]--\n", new: "",
	},
	{
		name: "bleu-adds-references-up", file: "quality/score/ngrams.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "most[id] = max(most[id], count[id])", new: "most[id]++",
	},
	{
		name: "bleu-sentences-without-effective-order", file: "quality/score/bleu.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "orders < bleuOrder && !effective", new: "orders < bleuOrder",
	},
	{
		name: "bleu-corpora-with-effective-order", file: "quality/score/bleu.go", pkg: "cmd/chimera", tests: []string{"TestScore"},
		old: "return bleu(sum, false)", new: "return bleu(sum, true)",
	},
	{
		name: "bleu-longer-reference-of-two-as-near", file: "quality/score/bleu.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "len(reference) < nearest", new: "len(reference) > nearest",
	},
	{
		name: "ngrams-by-their-last-symbol", file: "quality/score/ngrams.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "uint64(id)<<32 |", new: "uint64(0*id)<<32 |",
	},

	// Tokenizers.
	{
		name: "13a-entities-at-once", file: "quality/score/tokenize.go", pkg: "quality/score", tests: []string{"TestGolden", "TestTokenizers"},
		old: `{"&amp;", "&"}, {"&lt;", "<"}`, new: `{"&lt;", "<"}, {"&amp;", "&"}`,
	},
	{
		name: "13a-matches-overlap", file: "quality/score/tokenize.go", pkg: "quality/score", tests: []string{"TestTokenizers"},
		old: "			i++\n", new: "",
	},
	{
		name: "13a-without-blanks-around", file: "quality/score/tokenize.go", pkg: "quality/score", tests: []string{"TestTokenizers"},
		old: `western(" " + text + " ")`, new: "western(text)",
	},
	{
		name: "zh-ranges-as-they-were-meant", file: "quality/score/tokenize.go", pkg: "quality/score", tests: []string{"TestGolden", "TestTokenizers"},
		old: "{0x2001, 0x2a6d}", new: "{0x20001, 0x2a6d6}",
	},
	{
		name: "intl-parts-numbers", file: "quality/score/tokenize_intl.go", pkg: "quality/score", tests: []string{"TestGolden", "TestTokenizers"},
		old: "unicode.IsPunct(a) && !unicode.IsNumber(b)", new: "unicode.IsPunct(a)",
	},
	{
		name: "separators-are-no-blanks", file: "quality/score/space.go", pkg: "quality/score", tests: []string{"TestTokenizers"},
		old: " || 0x1c <= r && r <= 0x1f", new: "",
	},

	// The other metrics.
	{
		name: "chrf-1", file: "quality/score/chrf.go", pkg: "quality/score", tests: []string{"TestGolden", "TestGoldenCorpora"},
		old: "chrfFactor = 4", new: "chrfFactor = 1",
	},
	{
		name: "chrf-misses-against-nothing", file: "quality/score/chrf.go", pkg: "quality/score", tests: []string{"TestGoldenCorpora"},
		old: "				n = 0 //", new: "				//",
	},
	{
		name: "chrf-worst-reference", file: "quality/score/chrf.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "chrf(of) > chrf(best)", new: "chrf(of) < chrf(best)",
	},
	{
		name: "rouge-without-carry", file: "quality/score/rouge.go", pkg: "quality/score", tests: []string{"TestLongestCommon"},
		old: "bits.Add64(v, u, carry)", new: "bits.Add64(v, u, 0*carry)",
	},
	{
		name: "rouge-bits-stay-set", file: "quality/score/rouge.go", pkg: "quality/score", tests: []string{"TestLongestCommon"},
		old: "		m.bits[at/64] = 0\n", new: "		_ = at\n",
	},
	{
		name: "squad-articles-between-blanks-alone", file: "quality/score/squad.go", pkg: "quality/score", tests: []string{"TestGolden"},
		old: "unicode.IsLetter(r) || unicode.IsNumber(r)", new: "!isSpace(r)",
	},
	{
		name: "sigma-is-never-final", file: "quality/score/space.go", pkg: "quality/score", tests: []string{"TestLower", "TestGolden"},
		old: "r == 'Σ' && inWord &&", new: "false && inWord &&",
	},
	{
		name: "files-of-different-length", file: "quality/score/segments.go", pkg: "quality/score", tests: []string{"TestReadCorpusRefuses"},
		old: "len(more) != len(lines)", new: "len(more) < 0",
	},

	// What needs no reference.
	{
		name: "divergence-without-tail", file: "quality/score/distribution.go", pkg: "quality/score", tests: []string{"TestDivergence", "TestDivergenceIsALowerBound"},
		old: "tail := 1 - p; tail > 0", new: "tail := 1 - p; tail > 1",
	},
	{
		name: "divergence-the-other-way", file: "quality/score/distribution.go", pkg: "quality/score", tests: []string{"TestDivergence"},
		old: "a := math.Exp(control[i])", new: "a := math.Exp(tier[i])",
	},
	{
		name: "calibration-bins-cancel-out", file: "quality/score/calibration.go", pkg: "quality/score", tests: []string{"TestCalibrationError"},
		old: "gaps += math.Abs(gap)", new: "gaps += gap",
	},
	{
		name: "acc-norm-by-bytes", file: "quality/score/choices.go", pkg: "quality/score", tests: []string{"TestChoose"},
		old: "best(utf8.RuneCountInString)", new: "best(func(text string) int { return len(text) + 0*utf8.RuneCountInString(text) })",
	},

	// What differences are worth.
	{
		name: "ranks-of-ties-apart", file: "quality/stats/ranking.go", pkg: "quality/stats", tests: []string{"TestGoldenCorrelations"},
		old: "x[at] != x[r.order[i-1]] {", new: "x[at] != x[r.order[i-1]]-1 {",
	},
	{
		name: "kendall-tau-a", file: "quality/stats/kendall.go", pkg: "quality/stats", tests: []string{"TestGoldenCorrelations", "TestCorrelationProperties"},
		old: "/ math.Sqrt(all-tiedX) / math.Sqrt(all-tiedY)", new: "/ math.Max(all, 0*(tiedX+tiedY))",
	},
	{
		name: "segments-resampled-instead-of-requests", file: "quality/stats/sample.go", pkg: "quality/stats", tests: []string{"TestRequestsAreResampled"},
		old: "if !known {", new: "if known = false; !known {",
	},
	{
		name: "paired-draws-apart", file: "quality/stats/paired.go", pkg: "quality/stats", tests: []string{"TestPairedBootstrap"},
		old: "score(p.b.sum(times))", new: "score(p.b.sum(append(times[1:len(times):len(times)], times[0])))",
	},
	{
		name: "replicates-all-alike", file: "quality/stats/draw.go", pkg: "quality/stats", tests: []string{"TestDraws", "TestBootstrap"},
		old: "uint64(replicate))", new: "uint64(0*replicate))",
	},
	{
		name: "interval-of-90-percent", file: "quality/stats/bootstrap.go", pkg: "quality/stats", tests: []string{"TestBootstrap"},
		old: "confidence = 0.95", new: "confidence = 0.9",
	},
	{
		name: "p-may-be-zero", file: "quality/stats/permutation.go", pkg: "quality/stats", tests: []string{"TestPairedPermutation"},
		old: "asLarge := 1", new: "asLarge := 0",
	},
}
