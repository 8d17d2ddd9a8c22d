package main

// This file owns the part of the list that is people's ratings: what of their answers is scored and kept, and what is said of both together.

func init() { list = append(append(list, ratingRules...), ratingsAtWork...) }

var ratingRules = []mutant{
	{
		name: "correlation-draws-pairs-and-not-requests", file: "quality/stats/correlation.go", pkg: "quality/stats", tests: []string{"TestCorrelationIntervals"},
		old: "float64(times[of[i]])", new: "float64(times[min(i, len(times)-1+0*of[0])])",
	},
	{
		name: "correlation-of-a-constant-replicate", file: "quality/stats/correlation.go", pkg: "quality/stats", tests: []string{"TestCorrelationThatHangsOnOne"},
		old: "return p.rx.count(p.times) > 1 && p.ry.count(p.times) > 1", new: "return p.rx.count(p.times)+p.ry.count(p.times) > 0",
	},
	{
		name: "correlation-that-is-no-number", file: "quality/stats/correlation.go", pkg: "quality/stats", tests: []string{"TestCorrelateRefuses"},
		old: "if !finite(k.to.Estimate) || !finite(k.to.Low) || !finite(k.to.High) {", new: "if false {",
	},
	{
		name: "ranks-of-ties-are-their-last", file: "quality/stats/ranking.go", pkg: "quality/stats", tests: []string{"TestGoldenCorrelations"},
		old: "to[at] = before + (r.held[r.level[at]]+1)/2", new: "to[at] = before + r.held[r.level[at]]",
	},
	{
		name: "kendall-equal-ones-agree", file: "quality/stats/kendall.go", pkg: "quality/stats", tests: []string{"TestGoldenCorrelations", "TestCorrelationProperties"},
		old: "(p.upTo(y) - (seen", new: "(p.upTo(y+1) - (seen",
	},
	{
		name: "pull-takes-the-oldest", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "for i := len(m.waiting) - 1; i >= 0; i-- {", new: "for i := range m.waiting {",
	},
	{
		name: "pull-keeps-the-bytes", file: "quality/control/memory.go", pkg: "quality/control", tests: []string{"TestMemory"},
		old: "			m.bytes -= s.Bytes()\n			return s, true", new: "			return s, true",
	},
	{
		name: "figures-that-nobody-computed", file: "quality/control/window.go", pkg: "quality/control", tests: []string{"TestFigures"},
		old: "counts := m.counts(sum); counts != nil {", new: "counts := m.counts(sum); counts != nil || m.name == Fluency {",
	},
	{
		name: "newest-ratings-are-the-oldest", file: "store/ratings.go", pkg: "store", tests: []string{"TestNewestRatings"},
		old: "ORDER BY time DESC, id DESC LIMIT", new: "ORDER BY time, id LIMIT",
	},
	{
		name: "newest-ratings-of-nobody", file: "store/ratings.go", pkg: "store", tests: []string{"TestNewestRatings"},
		old: "AND tenant IS ?", new: "AND tenant = ?",
	},
	{
		name: "judgement-takes-over-what-is-unknown", file: "store/judgements.go", pkg: "store", tests: []string{"TestJudgements"},
		old: "if !math.IsNaN(*from[i]) {", new: "if !math.IsNaN(*from[i]) || i < 2 {",
	},
	{
		name: "judgements-outlive-their-answer", file: "store/table.go", pkg: "store", tests: []string{"TestForgetAnswer"},
		old: "{name: Judgements, time: \"time\", answer: true,", new: "{name: Judgements, time: \"time\",",
	},
	{
		name: "only-what-rises-goes-with-ratings", file: "quality/report/ratings.go", pkg: "quality/report", tests: []string{"TestRatings"},
		old: "c.Spearman.Low > 0 || c.Spearman.High < 0", new: "c.Spearman.Low > 0",
	},
	{
		name: "confidence-of-a-draft-that-was-not-given", file: "api/escalate.go", pkg: "api", tests: []string{"TestEscalation"},
		old: "e.extra != nil && e.extra.From != \"\" {", new: "false {",
	},
}

var ratingsAtWork = []mutant{
	{
		name: "rated-answers-count-for-windows", file: "daemon/live.go", pkg: "daemon", tests: []string{"TestForgottenAnswers"},
		old: "	if !s.isDrawn() {\n		return\n	}\n	l.mu.Lock()\n", new: "	l.mu.Lock()\n",
	},
	{
		name: "rated-samples-go-first", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestRatedSamplesWaitBehindDrawnOnes"},
		old: "	s, any := l.memory.Take()\n	if !any {\n		s, _ = l.rated.Take()", new: "	s, any := l.rated.Take()\n	if !any {\n		s, _ = l.memory.Take()",
	},
	{
		name: "forgotten-while-it-is-scored", file: "daemon/judgements.go", pkg: "daemon", tests: []string{"TestForgottenAnswers"},
		old: "	if s.forgotten {\n", new: "	if false {\n",
	},
	{
		name: "forgotten-sample-is-put-back", file: "daemon/live_score.go", pkg: "daemon", tests: []string{"TestForgottenAnswers"},
		old: "	case s.forgotten:\n", new: "	case false:\n",
	},
	{
		name: "forgotten-answer-is-remembered", file: "daemon/live_rated.go", pkg: "daemon", tests: []string{"TestForgottenAnswers"},
		old: "	l.recent.Drop(of)\n", new: "",
	},
	{
		name: "answers-remembered-for-ever", file: "daemon/live_rated.go", pkg: "daemon", tests: []string{"TestRecentAnswersAreErased"},
		old: "return now.Sub(s.ended) > recentFor", new: "return false && now.Sub(s.ended) > recentFor",
	},
	{
		name: "correction-of-any-of-several", file: "daemon/live_rated.go", pkg: "daemon", tests: []string{"TestCorrections"},
		old: "if model = s.model; len(s.answers) == 1 {", new: "if model = s.model; len(s.answers) >= 1 {",
	},
	{
		name: "correction-of-any-length", file: "daemon/judgements.go", pkg: "daemon", tests: []string{"TestCorrections"},
		old: "|| len(correction) > mostCorrected {\n		return", new: "{\n		return",
	},
	{
		name: "correlations-of-all-ratings-there-are", file: "daemon/ratings.go", pkg: "daemon", tests: []string{"TestNewestRatingsCount"},
		old: "mostRatings, of) {", new: "mostRatings*2, of) {",
	},
	{
		name: "correlations-of-what-is-unknown", file: "daemon/correlations.go", pkg: "daemon", tests: []string{"TestCorrelationThatIsNotDefined"},
		old: "if math.IsNaN(value) || math.IsInf(value, 0) {", new: "if math.IsNaN(value) {",
	},
	{
		name: "correlations-are-those-of-before", file: "daemon/correlations.go", pkg: "daemon", tests: []string{"TestCorrelations"},
		old: "if c.last != nil && c.rows == rows {", new: "if c.last != nil && len(c.rows) <= len(rows) {",
	},
	{
		name: "correlations-without-later-judgements", file: "daemon/correlations.go", pkg: "daemon", tests: []string{"TestJudgementAfterTheRating"},
		old: "			list = binary.AppendVarint(list, row)\n", new: "			_ = row\n",
	},
}
