package drift

import "math"

// This file owns one series: of windows what it learns, and when it is worse than that; of suites' runs which one others are held against. That of windows is a self-starting CUSUM (Hawkins 1987, "Self-starting cusum charts
// for location and scale"; Page 1954): a figure is held against all that came before it, with the error of both, and then
// learnt from.
//
// Rejected: to take suites' evidence for the baseline. Suites are other requests than those of clients, and what a tier costs on one says little of the
// other to the percent. A tier that is bad from the beginning is found by the suites, which are asked after each change of tier.

const (
	// leastJudged is of how many requests a figure is judged: where windows have fewer, as those of a rare tag have, they are put together until they have
	// as many. Of fewer, the tails of requests' figures show in their mean.
	leastJudged = 100
	// mostLearnt is after how many requests a baseline stays as it is: its own error is a seventh of a window's by then, which the slack covers, and what
	// gets worse slowly is not learnt along with.
	mostLearnt = 10_000
)

// learnt is a mean with the scatter of what it is of.
type learnt struct {
	n       float64 // requests
	sum     float64 // of values, by requests
	scatter float64 // of requests' variances, by requests
	windows int
}

// add takes in a figure of n requests.
func (l *learnt) add(p Point) {
	n := float64(p.N)
	l.n, l.sum, l.scatter, l.windows = l.n+n, l.sum+n*p.Value, l.scatter+n*n*p.Error*p.Error, l.windows+1
}

func (l learnt) mean() float64 { return l.sum / l.n }

// deviation is how a figure of n requests varies about the mean, the mean's own error with it; more is what is known of the figure itself.
func (l learnt) deviation(metric string, p Point) float64 {
	with := l
	with.add(p)
	variance := with.scatter / with.n // of a request
	own := math.Max(math.Sqrt(variance/float64(p.N)), least(metric, l.mean()))
	return own * math.Sqrt(1+float64(p.N)/l.n)
}

// series is one that is watched.
type series struct {
	key       Key
	base      learnt
	pending   learnt  // of a figure that is not judged yet, which has too few requests
	suspects  []Point // that are worse or better than the baseline, and neither surely
	worse     float64 // CUSUM's sums
	better    float64
	isRun     bool  // it is a suite's, and no window's
	reference Point // of a suite: the run that others are held against
	last      Point
	hasLast   bool
	deviation float64
	lastLimit float64
	alarms    int
}

// window takes in a figure of a window, and tells whether it is surely worse than those before. After an alarm, and where figures are surely better, it
// learns anew.
func (s *series) window(p Point, limit float64) *Finding {
	s.last, s.hasLast, s.lastLimit = p, true, limit
	p, whole := s.gather(p)
	if !whole {
		return nil
	}
	if s.base.windows == 0 {
		s.base.add(p)
		s.deviation = s.base.deviation(s.key.Metric, p) / math.Sqrt2 // its own alone
		return nil
	}
	s.deviation = s.base.deviation(s.key.Metric, p)
	z := worseBy(s.key.Metric, p.Value, s.base.mean()) / s.deviation
	z = max(-mostStep, min(mostStep, z))
	s.worse, s.better = max(0, s.worse+z-slack), max(0, s.better-z-slack)
	switch {
	case s.worse > limit:
		f := &Finding{Detector: CUSUM, Value: p.Value, Baseline: s.base.mean(), Deviation: s.deviation, Sum: s.worse, Threshold: limit, N: p.N}
		s.alarms++
		s.anew()
		return f
	case s.better > limit: // the figure itself is the best of many: the next are what is learnt
		s.anew()
	case s.base.n < mostLearnt: // on its way to an alarm, too: what waited would be judged by a mean that is off, for as long as it is
		s.base.add(p)
	}
	return nil
}

// gather puts figures together until they are of enough requests.
func (s *series) gather(p Point) (whole Point, enough bool) {
	if s.pending.windows == 0 && p.N >= leastJudged {
		return p, true
	}
	s.pending.add(p)
	if s.pending.n < leastJudged {
		return p, false
	}
	p.Value, p.N = s.pending.mean(), int(s.pending.n)
	p.Error = math.Sqrt(s.pending.scatter) / s.pending.n
	s.pending = learnt{}
	return p, true
}

// anew forgets what was learnt.
func (s *series) anew() {
	s.base, s.pending, s.worse, s.better = learnt{}, learnt{}, 0, 0
}

// run takes in a suite's run. Runs are of the same items, so they have no chance in them: of the same weights they are the same. Where the weights are
// others, which those of one source and tier should not be, a run is held against the reference, with the error of the difference, item by item. The
// reference is the first run, and after a change that is sure the run that showed it: so a loss in small steps adds up, and nothing must be learnt.
func (s *series) run(p Point, limit float64) *Finding {
	before, had := s.last, s.hasLast
	s.last, s.hasLast, s.lastLimit = p, true, limit
	switch {
	case !had:
		s.refer(p)
		return nil
	case p.Numerics == s.reference.Numerics && p.isSame(s.reference):
		return nil // though the one before was not: it is mended
	case p.Numerics == before.Numerics:
		return s.exact(p, before)
	case p.Numerics == s.reference.Numerics:
		return s.exact(p, s.reference)
	}
	return s.paired(p, limit)
}

// exact finds any change from a run of the same weights.
func (s *series) exact(p, before Point) *Finding {
	if p.isSame(before) {
		return nil
	}
	s.alarms++
	return &Finding{Detector: Exact, Value: p.Value, Baseline: before.Value, N: p.N}
}

// paired finds what is surely worse than the reference.
func (s *series) paired(p Point, limit float64) *Finding {
	f := &Finding{Detector: Paired, Value: p.Value, Baseline: s.reference.Value, N: p.N, Threshold: limit}
	f.Deviation = math.Max(p.Error, least(s.key.Metric, f.Baseline))
	f.Sum = worseBy(s.key.Metric, p.Value, f.Baseline) / f.Deviation
	s.deviation, s.worse = f.Deviation, math.Max(0, f.Sum)
	if math.Abs(f.Sum) > limit {
		s.refer(p)
	}
	if !(f.Sum > limit) {
		return nil
	}
	s.alarms++
	return f
}

// refer makes a run the one that others are held against.
func (s *series) refer(p Point) {
	s.reference, s.base = p, learnt{}
	s.base.add(Point{Value: p.Value, N: p.N})
}

// isSame tells whether two figures are one, but for the last digit of a sum that was added up in another order, written and read.
func (p Point) isSame(q Point) bool {
	return math.Abs(p.Value-q.Value) <= same*math.Max(1, math.Abs(q.Value))
}

const same = 1e-9
