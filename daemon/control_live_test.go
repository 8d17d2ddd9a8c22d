package daemon

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chimera/config"
	document "chimera/internal/tables"
	"chimera/quality/experiment"
)

// This file owns the measurement of what the control group costs clients: docs/BENCHMARKS.md has its table. -rewrite alone makes it, and CHIMERA_CONTROL_MINUTES
// says how long it may take in all: it ends sooner where intervals are narrow enough.
//
// It is an experiment as those of quality/experiment: the share is switched by a reload between turns of one server, whose requests are as many, of the same
// lengths, at the same times in all turns of a block, and ask for nothing that was asked before. What the server completes at most is measured before each
// block anew: on a machine that is now half as fast, 70 % of what it once did is overload.

const (
	controlledShare = 0.1
	fullTime        = 12 * time.Second
	openTime        = 30 * time.Second // a p95 of a hundred requests, at three a second
	leastBlocks     = 10
	unendingBlocks  = 1000 // time ends it before
	narrow          = 0.02 // half of an interval, as a share
	mostLoss        = 0.05
	openLoad        = 0.7 // of what the server completes at most
	answerWords     = 24
	promptNumbers   = 40 // Rejected: short requests to a small model. Their p95 is of what the machine does beside, and differs twofold from turn to turn
)

// costed is a server whose control is measured.
type costed struct {
	*remembering
	clients *http.Client
	most    float64 // requests a second that it completes at most, of late
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

// ask has a prompt answered that nobody has asked before, and tells how long it waited for its first token.
func (c *costed) ask(r *rand.Rand) (ttft time.Duration, err error) {
	prompt := "In the year"
	for range promptNumbers {
		prompt += " " + strconv.Itoa(10_000+r.IntN(90_000))
	}
	began := time.Now()
	status, first, err := c.stream(prompt)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d", status)
	}
	return first.Sub(began), err
}

// asTheyCome asks as a process of that rate has requests come, whatever becomes of them, and returns the p95 of the time to the first token, in seconds.
func (c *costed) asTheyCome(rate float64, block, turn uint64) float64 {
	arrivals := rand.New(rand.NewPCG(block, 1))
	var mu sync.Mutex
	var all sync.WaitGroup
	var times []float64
	for at, began := time.Duration(0), time.Now(); at < openTime; at += time.Duration(arrivals.ExpFloat64() / rate * 1e9) {
		time.Sleep(time.Until(began.Add(at)))
		own := rand.New(rand.NewPCG(turn, uint64(at)))
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

// atOnce has as many clients ask as fill the queue, and returns how many requests were completed a second.
func (c *costed) atOnce(during time.Duration, turn uint64) float64 {
	var all sync.WaitGroup
	var n atomic.Int64
	began := time.Now()
	for client := range 2 * c.config.MaxSequences {
		r := rand.New(rand.NewPCG(turn, uint64(client)))
		all.Go(func() {
			for time.Since(began) < during {
				if _, err := c.ask(r); err != nil {
					c.t.Error(err)
					return
				}
				if time.Since(began) < during {
					n.Add(1)
				}
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / during.Seconds()
}

// inBlocks measures both until the difference is known well enough, or time is up.
func (c *costed) inBlocks(until time.Time, measure string, turn func(block, turn uint64) float64) experiment.Result {
	turns := uint64(0)
	design := experiment.Design{Seed: 6, Least: leastBlocks, Most: unendingBlocks, HalfWidth: narrow, Over: func() bool { return time.Now().After(until) },
		Begin: func(ctx context.Context) (context.Context, func(), error) {
			c.switched(false)
			turns++
			c.most = c.atOnce(fullTime, turns)
			return ctx, func() {}, ctx.Err()
		}}
	r, err := design.Run(c.t.Context(), func(_ context.Context, arm experiment.Arm, block int) (experiment.Reading, error) {
		turns++
		c.switched(arm == experiment.Changed)
		x := turn(uint64(block), turns)
		c.t.Logf("block %d, control %t: %.4g, where it completes %.4g a second at most", block, arm == experiment.Changed, x, c.most)
		return experiment.Reading{measure: x}, nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func TestControlCostsLittle(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	minutes, err := strconv.ParseFloat(cmp.Or(os.Getenv("CHIMERA_CONTROL_MINUTES"), "60"), 64)
	if !*rewrite || path == "" || err != nil {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it measures what the control group costs, for CHIMERA_CONTROL_MINUTES (60)")
	}
	c := &costed{remembering: newRememberingOn(t, onTheCPU(t), func(c *config.Config) {
		c.Model = []config.Model{{Path: path, Name: "smol", Load: config.LoadAtStart}}
		c.Device, c.Threads, c.StepTokens, c.MaxSequences = "cpu", 2, 512, 16
		c.Tiers.Start, c.Quality.ControlShare, c.Tenant = "q3_k", 0, nil // of a file of four bits: a tier, so that there is a control beside it
	})}
	c.clients = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	c.watchesLive()
	c.switched(true) // which loads the control
	c.atOnce(fullTime, 0)
	began, most := time.Now(), time.Duration(minutes*float64(time.Minute))
	full := c.inBlocks(began.Add(most/3), "seconds a request", func(_, turn uint64) float64 { return 1 / c.atOnce(fullTime, turn) })
	before := c.drawnAndScored()
	open := c.inBlocks(began.Add(most), "TTFT p95", func(block, turn uint64) float64 { return c.asTheyCome(openLoad*c.most, block, turn) })
	c.switched(false)
	scored, took := c.scoredOf(before)
	table := document.Table{Name: "what the control group costs", Head: []string{"load", "without", "with 10%", "loss", "95% interval", "blocks of four turns"}}
	line := func(load, off, on string, r experiment.Result) {
		e := r.Effects[0]
		low, high := 100*e.Difference.Low/e.Before, 100*e.Difference.High/e.Before
		table.Rows = append(table.Rows, []string{load, off, on, fmt.Sprintf("%.1f%%", 100*(e.After/e.Before-1)), fmt.Sprintf("%.1f to %.1f%%", low, high), strconv.Itoa(r.Blocks)})
		t.Log(table.Rows[len(table.Rows)-1])
		if !(high <= 100*mostLoss) {
			t.Errorf("%s: the control may cost %.1f%%", load, high)
		}
	}
	milliseconds := func(s float64) string { return fmt.Sprintf("%.4g ms", 1e3*s) }
	rate := func(s float64) string { return fmt.Sprintf("%.4g a second", 1/s) }
	line("70% of that as they come: TTFT p95", milliseconds(open.Effects[0].Before), milliseconds(open.Effects[0].After), open)
	line("as many clients as fill the queue: requests", rate(full.Effects[0].Before), rate(full.Effects[0].After), full)
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
