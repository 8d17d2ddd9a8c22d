//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"time"

	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/hostmem"
)

// This file owns the run that the fault table is made with: from opening the device to closing it, leg by leg, as the daemon uses it.

// tinyOptions load a model in a few ms.
var tinyOptions = engine.LoadOptions{Policy: engine.Policy{KV: engine.F16},
	MaxTokens: 8, MaxSequences: 2, MaxOutputs: 2, MaxTop: 2, MaxContext: 64, Pages: []int{8}}

// The legs of a ride.
const (
	opening  = "opening the device"
	loaded   = "loading the model"
	batched  = "making batches"
	stepped  = "steps"
	paged    = "moving pages"
	replaced = "replacing the weights"
	retired  = "retiring the old weights"
	closing  = "closing"
)

// ride is one run. It ends with the first error.
type ride struct {
	program *engine.Program
	weights enginetest.Tensors
	others  enginetest.Tensors // of the second generation

	backend *Backend
	pinner  *Pinner
	in      engine.Instance
	batch   [2]*engine.Batch

	leg     string
	subject string // whom an error is about: the model, or what a pinner is for
	err     error
	took    time.Duration  // the longest leg
	answers [][]byte       // of all steps that were waited for, and of pages, in order
	until   map[string]int // driver calls made up to a leg's end
}

func (r *ride) run() *ride {
	r.until = map[string]int{}
	for _, leg := range []struct {
		name string
		do   func() error
	}{{opening, r.open}, {loaded, r.load}, {batched, r.makeBatches}, {stepped, r.steps}, {paged, r.pages}, {replaced, r.replace}, {retired, r.retire}, {closing, r.close}} {
		r.leg, r.subject = leg.name, "tiny"
		begin := time.Now()
		r.err = leg.do()
		r.took = max(r.took, time.Since(begin))
		r.until[leg.name] = cudatest.Live().Calls
		if r.err != nil {
			break
		}
	}
	return r
}

func (r *ride) open() (err error) {
	if r.backend, err = New(0, "tiny"); err != nil {
		return err
	}
	r.subject = hostMemory
	if r.pinner, err = OpenPinner(0); err != nil {
		return err
	}
	hostmem.UsePinner(r.pinner)
	return nil
}

func (r *ride) load() (err error) {
	r.in, err = r.backend.Load(r.program, r.weights, tinyOptions)
	return err
}

func (r *ride) makeBatches() (err error) {
	for i := range r.batch {
		if r.batch[i], err = r.in.NewBatch(); err != nil {
			return err
		}
	}
	return nil
}

// submit puts tokens into one of the batches, asks for all there is of the last row, and submits it to the newest generation.
func (r *ride) submit(which int, tokens []int32, first int, page int32) error {
	b := r.batch[which]
	b.Reset()
	row, err := b.AddSequence(tokens, first, tables(b.Limits(), first, []int32{page}))
	if err != nil {
		return err
	}
	o := engine.Output{Row: int32(row + len(tokens) - 1), Mode: engine.Sample | engine.WholeRow | engine.LogSumExp | engine.Rank, Top: 2,
		Temperature: 1, TopP: 1, Repetition: 1.1, Seed: 3}
	if _, err := b.AddOutput(o, []engine.Penalty{{Token: 4, Seen: 1}}, []engine.Bias{{Token: 5, Value: 1}}); err != nil {
		return err
	}
	b.Generation = r.in.Generation()
	return r.in.Submit(b)
}

func (r *ride) wait(which int) error {
	err := r.in.Wait()
	if err == nil {
		b := r.batch[which]
		r.answers = append(r.answers, slices.Concat(bytesOf(b.Results), bytesOf(b.TopOf(0)), bytesOf(b.Logits)))
	}
	return err
}

// steps are a prompt and three tokens after it, each submitted before the one before it is done.
func (r *ride) steps() error {
	if err := r.submit(0, prompt(5, tinyShape.vocab), 0, 1); err != nil {
		return err
	}
	for i := range 3 {
		if err := r.submit((i+1)%2, []int32{engine.PreviousRow(0)}, 5+i, 1); err != nil {
			return err
		}
		if err := r.wait(i % 2); err != nil {
			return err
		}
	}
	return r.wait(1)
}

// pages copies the sequence's page, takes it out and in again, and goes on from there.
func (r *ride) pages() error {
	page := make([]byte, r.in.Limits().Groups[0].PageBytes)
	if err := r.in.CopyPages(1, []engine.PageCopy{{From: 1, To: 3}}); err != nil {
		return err
	}
	if err := waited(r.in.Export(1, 3, page)); err != nil {
		return err
	}
	r.answers = append(r.answers, page)
	if err := waited(r.in.Import(1, 5, page)); err != nil {
		return err
	}
	if err := r.submit(0, []int32{7}, 8, 5); err != nil {
		return err
	}
	return r.wait(0)
}

func (r *ride) replace() error {
	g, err := r.in.Replace(r.others, nil)
	if err == nil && g != 2 {
		err = fmt.Errorf("generation %d", g)
	}
	return err
}

// retire computes with the new weights, which have a graph of their own, and gives the old ones back.
func (r *ride) retire() error {
	if err := r.submit(1, []int32{7, 8}, 0, 6); err != nil {
		return err
	}
	if err := r.wait(1); err != nil {
		return err
	}
	return r.in.Retire(1)
}

// waited is what became of a transfer.
func waited(t *engine.Ticket, err error) error {
	if err != nil {
		return err
	}
	return t.Wait()
}

func (r *ride) close() error {
	if err := r.in.Close(); err != nil {
		return err
	}
	r.subject = hostMemory
	hostmem.UsePinner(nil)
	if err := r.pinner.Close(); err != nil {
		return err
	}
	r.subject = "tiny"
	return r.backend.Close()
}

// leave closes what the ride has opened, twice: no panic, whatever has happened before.
func (r *ride) leave() {
	hostmem.UsePinner(nil)
	for range 2 {
		if r.in != nil {
			_ = r.in.Close()
		}
		if r.pinner != nil {
			_ = r.pinner.Close()
		}
		if r.backend != nil {
			_ = r.backend.Close()
		}
	}
}

// letGo frees the memory of poisoned devices; its driver is reset.
func letGo() {
	cudatest.Reset()
	kept.Lock()
	defer kept.Unlock()
	for _, r := range kept.regions {
		_ = r.Free()
	}
	kept.regions = nil
}
