package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// This file owns the geometry of plots: where the lines, marks and ticks of an SVG lie. Colours are the page's, so that a plot follows the
// reader's scheme. Each plot has its figures in a table or in words beside it.
//
// Rejected: a library of charts, which is three megabytes of program for three plots and has colours of its own.

// The plots' size in units of the SVG, which scales, and the place of the axes within it.
const (
	plotWidth, plotHeight = 720.0, 260.0
	plotLeft, plotRight   = 84.0, 32.0
	plotTop, plotBottom   = 16.0, 44.0
)

// plot is one SVG.
type plot struct {
	Title, Description string // for those who do not see it
	XTitle, YTitle     string
	Width, Height      float64
	Left, Right        float64 // of the area within the axes
	Top, Bottom        float64
	XTicks, YTicks     []tick
	Lines              []polyline
	Marks              []mark
	Legend             []legend
}

type tick struct {
	At    float64
	Label string
}

// polyline is the corners of a line, as SVG has them.
type polyline struct{ Class, Points string }

// mark is a point.
type mark struct {
	X, Y         float64
	Class, Label string
}

type legend struct {
	Class, Label string
	X            float64
}

// axis maps values to places.
type axis struct{ low, high, from, to float64 }

func (a axis) at(x float64) float64 {
	return math.Round(10*(a.from+(x-a.low)/(a.high-a.low)*(a.to-a.from))) / 10
}

func newPlot(title string) plot {
	return plot{Title: title, Width: plotWidth, Height: plotHeight, Left: plotLeft, Right: plotWidth - plotRight, Top: plotTop, Bottom: plotHeight - plotBottom}
}

// ticksOf are four to eight round numbers from low to high, and the numbers that the axis goes between.
func ticksOf(low, high float64) (list []float64, from, to float64) {
	if !(high-low > 1e-9) {
		high = low + 1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, by := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*by) <= 6 {
			step *= by
			break
		}
	}
	from, to = math.Floor(low/step)*step, math.Ceil(high/step)*step
	for i := 0; i <= 10 && from+float64(i)*step <= to+step/2; i++ {
		list = append(list, from+float64(i)*step)
	}
	return list, from, to
}

// valueAxis puts ticks on the left.
func (p *plot) valueAxis(low, high float64, title string) axis {
	list, from, to := ticksOf(low, high)
	a := axis{from, to, p.Bottom, p.Top}
	p.YTitle = title
	for _, x := range list {
		p.YTicks = append(p.YTicks, tick{a.at(x), number(x)})
	}
	return a
}

// timeTicks are as many as there is room for labels.
const timeTicks = 4

// timeAxis puts times below; they are UTC.
func (p *plot) timeAxis(from, until time.Time) axis {
	a := axis{float64(from.Unix()), float64(until.Unix()), p.Left, p.Right}
	if a.high <= a.low {
		a.high = a.low + 1
	}
	form, last := "15:04", ""
	if until.Sub(from) > 36*time.Hour {
		form = "2 Jan 15:04"
	}
	for i := range timeTicks + 1 {
		at := a.low + float64(i)*(a.high-a.low)/timeTicks
		label := time.Unix(int64(at), 0).UTC().Format(form)
		if label != last {
			p.XTicks = append(p.XTicks, tick{a.at(at), label})
		}
		last = label
	}
	p.XTitle = "time, UTC"
	return a
}

// line adds a line through the values, broken where minutes had none; what stands alone is a mark.
func (p *plot) line(class string, points []Instant, x, y axis, of func(*Instant) *float64) {
	var corners []string
	var lastX, lastY float64
	end := func() {
		if len(corners) == 1 {
			p.Marks = append(p.Marks, mark{X: lastX, Y: lastY, Class: class})
		} else if len(corners) > 1 {
			p.Lines = append(p.Lines, polyline{class, strings.Join(corners, " ")})
		}
		corners = nil
	}
	for i := range points {
		value := of(&points[i])
		if i > 0 && points[i].From.Sub(points[i-1].Until) > points[i].Until.Sub(points[i].From) || value == nil {
			end()
		}
		if value == nil {
			continue
		}
		lastX, lastY = x.at(float64(points[i].Until.Unix())), y.at(*value)
		corners = append(corners, fmt.Sprintf("%g,%g", lastX, lastY))
	}
	end()
}

// level adds a line for an objective.
func (p *plot) level(y axis, value float64) {
	at := y.at(value)
	p.Lines = append(p.Lines, polyline{"target", fmt.Sprintf("%g,%g %g,%g", p.Left, at, p.Right, at)})
}

// explain adds legends, one beside the other.
func (p *plot) explain(pairs ...string) {
	at := p.Left + 8
	for i := 0; i < len(pairs); i += 2 {
		p.Legend = append(p.Legend, legend{pairs[i], pairs[i+1], at})
		at += 36 + 7.5*float64(len(pairs[i+1]))
	}
}

// target is an objective of a summary; 0: there is none.
func (s *Summary) target(name string) float64 {
	for _, t := range s.Statements {
		for _, f := range t.Figures {
			if f.Objective != nil && f.Objective.Name == name {
				return f.Objective.Target
			}
		}
	}
	return 0
}

// timePlots are throughput and latency over time; none where nothing was measured.
func timePlots(s *Summary) []plot {
	points := s.Series.Points
	if len(points) == 0 {
		return nil
	}
	highest := func(target float64, of ...func(*Instant) *float64) float64 {
		for i := range points {
			for _, f := range of {
				if v := f(&points[i]); v != nil {
					target = max(target, *v)
				}
			}
		}
		return target
	}
	rate := func(i *Instant) *float64 { return &i.QPS }
	mean := func(i *Instant) *float64 { return i.TTFT }
	late := func(i *Instant) *float64 { return i.P95 }
	from, until := points[0].From, points[len(points)-1].Until

	qps := newPlot("Queries a second over time, " + s.Model)
	want := s.target("qps")
	x, y := qps.timeAxis(from, until), qps.valueAxis(0, highest(want, rate), "queries/s")
	qps.line("one", points, x, y, rate)
	qps.Description = fmt.Sprintf("%d points, the highest %s.", len(points), number(highest(0, rate)))
	if want > 0 {
		qps.level(y, want)
		qps.explain("one", "completed", "target", "objective")
	} else {
		qps.explain("one", "completed")
	}

	ttft := newPlot("Time to the first token over time, " + s.Model)
	want = s.target("ttft_ms")
	x, y = ttft.timeAxis(from, until), ttft.valueAxis(0, highest(want, mean, late), "ms")
	ttft.line("one", points, x, y, mean)
	ttft.line("two", points, x, y, late)
	ttft.Description = fmt.Sprintf("%d points, the highest mean %s ms and 95th percentile %s ms.", len(points), number(highest(0, mean)), number(highest(0, late)))
	if want > 0 {
		ttft.level(y, want)
		ttft.explain("one", "mean", "two", "95th percentile", "target", "objective for the mean")
	} else {
		ttft.explain("one", "mean", "two", "95th percentile")
	}
	return []plot{qps, ttft}
}

// paretoPlot shows throughput against latency; quality is in the table. None where fewer than two points have a place.
func paretoPlot(a *Advice) []plot {
	p := newPlot("Throughput against time to the first token, " + a.Model)
	lowX, highX, lowY, highY, placed := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1), 0
	for i := range a.Front {
		if point := &a.Front[i]; point.placed() {
			placed++
			lowX, highX = min(lowX, *point.TTFT.Value), max(highX, *point.TTFT.Value)
			lowY, highY = min(lowY, *point.QPS.Value), max(highY, *point.QPS.Value)
		}
	}
	if placed < 2 {
		return nil
	}
	list, from, to := ticksOf(lowX, highX)
	x, y := axis{from, to, p.Left + 12, p.Right - 12}, p.valueAxis(lowY, highY, "queries/s")
	for _, v := range list {
		p.XTicks = append(p.XTicks, tick{x.at(v), number(v)})
	}
	p.XTitle = "time to the first token, mean, ms"
	for i := range a.Front {
		point := &a.Front[i]
		if !point.placed() {
			continue
		}
		class := "behind"
		if point.OnFront {
			class = "front"
		}
		p.Marks = append(p.Marks, mark{x.at(*point.TTFT.Value), y.at(*point.QPS.Value), class, fmt.Sprint(i + 1)})
	}
	p.explain("front", "on the front", "behind", "behind it")
	p.Description = fmt.Sprintf("%d points, numbered as in the table; up and to the left is better.", placed)
	return []plot{p}
}
