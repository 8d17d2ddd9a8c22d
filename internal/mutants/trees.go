package main

import (
	"context"
	"errors"
	"time"
)

// This file owns the copies side by side: one a processor.

// trees are copies of the module; each carries one mutant at a time.
type trees []*tree

// judgement is what became of one mutant.
type judgement struct {
	verdict
	took time.Duration
	err  error // the mutant was not judged
}

func copyTrees(root string, n int) (trees, error) {
	var copies trees
	for range n {
		c, err := copyTree(root)
		if err != nil {
			copies.remove()
			return nil, err
		}
		copies = append(copies, c)
	}
	return copies, nil
}

func (t trees) remove() {
	for _, c := range t {
		c.remove()
	}
}

// judge has each copy take the next mutant that none has taken. Each mutant has an answer of its own; with ctx done the rest are
// errors. Once all have come, the copies are sound and at rest.
func (t trees) judge(ctx context.Context, g goTest, list []mutant, b *built) []chan judgement {
	answers := make([]chan judgement, len(list))
	todo := make(chan int, len(list))
	for i := range list {
		answers[i] = make(chan judgement, 1)
		todo <- i
	}
	close(todo)
	for _, c := range t {
		go func() {
			g := g
			g.dir = c.dir
			for i := range todo {
				began := time.Now()
				v, err := judge(ctx, g, c, b, list[i])
				answers[i] <- judgement{v, time.Since(began), err}
			}
		}()
	}
	return answers
}

// judge has m in force by its switch, or applies it and takes it back, while its tests run.
func judge(ctx context.Context, g goTest, c *tree, b *built, m mutant) (verdict, error) {
	if b.switches[m.name] {
		return b.judge(ctx, g, m)
	}
	if ctx.Err() != nil {
		return verdict{}, context.Cause(ctx)
	}
	undo, err := c.apply(m)
	if err != nil {
		return verdict{}, err
	}
	v, err := g.run(ctx, m.pkg, m.tags, m.tests)
	return v, errors.Join(err, undo())
}
