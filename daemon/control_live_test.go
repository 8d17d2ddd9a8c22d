package daemon

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chimera/config"
	document "chimera/internal/tables"
	"chimera/quality/stats"
)

// This file owns the measurement of what the control group costs clients: docs/BENCHMARKS.md has its table. -rewrite alone makes it, and CHIMERA_CONTROL_MINUTES
// says how long it may take in all: it ends sooner where intervals are narrow enough.
//
// The share is switched by a reload between blocks of one server, in the order on, off, off, on: what the machine does meanwhile meets both alike. The two blocks of
// a pair get requests of the same length at the same times, and none that was asked before.

const (
	controlledShare = 0.1
	fullTime        = 12 * time.Second
	openTime        = 30 * time.Second // a p95 of a hundred requests, at three a second
	leastBlocks     = 10
	narrow          = 0.02 // half of an interval, as a share
	mostLoss        = 0.05
	openLoad        = 0.7 // of what the server completes at most
	answerWords     = 24
)

// costed is a server whose control is measured.
type costed struct {
	*remembering
	clients *http.Client
}

// switched sets the share as a reload does.
func (c *costed) switched(on bool) {
	now := c.config
	if now.Quality.ControlShare = 0; on {
		now.Quality.ControlShare = controlledShare
	}
	for _, apply := range c.reloaded {
		apply(now)
	}
}

// ask has a prompt answered that nobody has asked before, and tells when its first token came.
func (c *costed) ask(r *rand.Rand) (ttft time.Duration, err error) {
	prompt := "In the year"
	for range 40 {
		prompt += " " + strconv.Itoa(10_000+r.IntN(90_000))
	}
	began := time.Now()
	status, first, err := c.stream(prompt)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d", status)
	}
	return first.Sub(began), err
}

// openBlock asks as a process of that rate has requests come, whatever becomes of them, and returns the p95 of the time to the first token, in seconds.
func (c *costed) openBlock(rate float64, seed, turn uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	var all sync.WaitGroup
	var times []float64
	for at, began := time.Duration(0), time.Now(); at < openTime; at += time.Duration(r.ExpFloat64() / rate * 1e9) {
		time.Sleep(time.Until(began.Add(at)))
		own := rand.New(rand.NewPCG(2*seed+turn, uint64(at)))
		all.Go(func() {
			ttft, err := c.ask(own)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.t.Error(err)
			}
			times = append(times, ttft.Seconds())
		})
	}
	all.Wait()
	slices.Sort(times)
	return times[int(0.95*float64(len(times)-1))]
}

// fullBlock has as many clients ask as there are places, and returns how many requests were completed a second.
func (c *costed) fullBlock(seed uint64) float64 {
	var all sync.WaitGroup
	var mu sync.Mutex
	n, began := 0, time.Now()
	for client := range 2 * c.config.MaxSequences {
		r := rand.New(rand.NewPCG(seed, uint64(client)))
		all.Go(func() {
			for time.Since(began) < fullTime {
				if _, err := c.ask(r); err != nil {
					c.t.Error(err)
					return
				}
				if time.Since(began) < fullTime {
					mu.Lock()
					n++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return float64(n) / fullTime.Seconds()
}

// losses are what blocks with the control have lost on those without, pair by pair, as logarithms of ratios.
type losses []float64

// interval is the loss as a share, with its interval over pairs.
func (l losses) interval() stats.Interval {
	rows, pairs := make([][]float64, len(l)), make([]int, len(l))
	for i, x := range l {
		rows[i], pairs[i] = []float64{x, 1}, i
	}
	i, err := stats.Bootstrap(rows, pairs, share, stats.Resampling{Seed: 1})
	if err != nil {
		return stats.Interval{Estimate: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}
	}
	return stats.Interval{Estimate: math.Expm1(i.Estimate), Low: math.Expm1(i.Low), High: math.Expm1(i.High)}
}

// inPairs runs pairs of blocks until their loss is known well enough, or the time is up. block is one, of which worse is more.
func inPairs(until time.Time, c *costed, block func(pair, turn uint64) float64) (l losses, on, off []float64) {
	for pair := uint64(0); time.Now().Before(until) || len(l) < 2; pair++ {
		if i := l.interval(); len(l) >= leastBlocks/2 && i.High-i.Low <= 2*narrow {
			break
		}
		var worse [2]float64
		for turn := range 2 {
			with := (turn == 0) == (pair%2 == 0) // on, off, off, on
			c.switched(with)
			figure := block(pair, uint64(turn))
			c.t.Logf("pair %d, control %t: %.4g", pair, with, figure)
			if with {
				worse[1], on = figure, append(on, figure)
			} else {
				worse[0], off = figure, append(off, figure)
			}
		}
		l = append(l, math.Log(worse[1]/worse[0]))
	}
	return l, on, off
}

func TestControlCostsLittle(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	minutes, err := strconv.ParseFloat(cmp.Or(os.Getenv("CHIMERA_CONTROL_MINUTES"), "60"), 64)
	if !*rewrite || path == "" || err != nil {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it measures what the control group costs, for CHIMERA_CONTROL_MINUTES (60)")
	}
	c := &costed{remembering: newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Model = []config.Model{{Path: path, Name: "smol", Load: config.LoadAtStart}}
		c.Device, c.Threads, c.StepTokens, c.MaxSequences, c.Ctx = "cpu", 2, 512, 16, 1024
		c.Tiers.Start, c.Quality.ControlShare, c.Tenant = os.Getenv("CHIMERA_CONTROL_TIER"), 0, nil
		if c.Tiers.Start == "" {
			c.Tiers.Start = "q3_k" // of a file of four bits: a tier, so that there is a control beside it
		}
	})}
	c.clients = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	c.watchesLive()
	c.switched(true) // which loads the control
	most := c.fullBlock(99)
	half := time.Duration(minutes / 2 * float64(time.Minute))
	full, fullOn, fullOff := inPairs(time.Now().Add(half), c, func(pair, turn uint64) float64 { return 1 / c.fullBlock(2*pair+turn) })
	before := c.drawnAndScored()
	open, openOn, openOff := inPairs(time.Now().Add(half), c, func(pair, turn uint64) float64 { return c.openBlock(openLoad*most, pair, turn) })
	c.switched(false)
	scored, took := c.scoredOf(before)
	table := document.Table{Name: "what the control group costs", Head: []string{"load", "without", "with 10%", "loss", "95% interval", "pairs of blocks"}}
	line := func(load string, off, on float64, unit string, l losses) {
		i := l.interval()
		table.Rows = append(table.Rows, []string{load, fmt.Sprintf("%.4g %s", off, unit), fmt.Sprintf("%.4g %s", on, unit),
			fmt.Sprintf("%.1f%%", 100*i.Estimate), fmt.Sprintf("%.1f to %.1f%%", 100*i.Low, 100*i.High), strconv.Itoa(len(l))})
		t.Log(table.Rows[len(table.Rows)-1])
		if !(i.High <= mostLoss) && len(l) >= leastBlocks/2 {
			t.Errorf("%s: the control may cost %.1f%%", load, 100*i.High)
		}
	}
	line("70% of that as they come: TTFT p95", 1e3*mean(openOff), 1e3*mean(openOn), "ms", open)
	line("as many clients as fill the queue: requests", 1/mean(fullOff), 1/mean(fullOn), "a second", full)
	table.Rows = append(table.Rows, []string{"samples of the first row that were scored", "", fmt.Sprintf("%.1f%%", 100*scored), "", fmt.Sprintf("after %.0f s", took.Seconds()), ""})
	t.Log(table.Rows[2])
	if !(scored >= 0.9) {
		t.Errorf("%.1f%% of the samples were scored", 100*scored)
	}
	if t.Failed() {
		return
	}
	if err := table.Write("../docs/BENCHMARKS.md"); err != nil {
		t.Fatal(err)
	}
}

func mean(list []float64) (sum float64) {
	for _, x := range list {
		sum += x / float64(len(list))
	}
	return sum
}

// drawnAndScored are those of all traffic so far.
func (c *costed) drawnAndScored() (n [3]int64) {
	for _, count := range c.models.live.shown("smol").Requests {
		if count.Tag == "" {
			n = [3]int64{count.Drawn, count.Scored, count.Lost}
		}
	}
	return n
}

// scoredOf waits for at most ten minutes until no sample waits, and returns the share of those drawn since then that were scored.
func (c *costed) scoredOf(before [3]int64) (share float64, took time.Duration) {
	began := time.Now()
	for time.Since(began) < 10*time.Minute {
		if now := c.drawnAndScored(); now[0] == now[1]+now[2] {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	now := c.drawnAndScored()
	waited := before[0] - before[1] - before[2] // they were scored since then, too
	return float64(now[1]-before[1]-waited) / float64(now[0]-before[0]), time.Since(began)
}

// stream asks for an answer as it comes.
func (c *costed) stream(prompt string) (status int, first time.Time, err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	body := fmt.Sprintf(`{"prompt":%q,"max_tokens":%d,"ignore_eos":true,"temperature":0,"stream":true}`, prompt, answerWords)
	return streamed(ctx, c.clients, "http://"+c.tcp.String()+"/v1/completions", body)
}

// streamed posts a request and reads the stream; first is when its first event came.
func streamed(ctx context.Context, client *http.Client, url, body string) (status int, first time.Time, err error) {
	request, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		return 0, first, err
	}
	request.Header.Set("X-Chimera-Class", "batch") // what waits long is not refused
	answer, err := client.Do(request)
	if err != nil {
		return 0, first, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if first.IsZero() && strings.HasPrefix(lines.Text(), "data:") {
			first = time.Now()
		}
	}
	return answer.StatusCode, first, lines.Err()
}
