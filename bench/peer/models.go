package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"chimera/bench"
)

// This file owns the row of several models on one device.

// names of the three, which are one file: the device is as fast with each.
var modelNames = []string{"first", "second", "third"}

func withModels(s setup) (text string) {
	for _, name := range modelNames {
		text += fmt.Sprintf("[[model]]\npath = %q\nname = %q\nload = \"start\"\n", s.model, name)
	}
	return text
}

// models has each answer alone, then all at once: what the device loses by going from one to the other.
func models(ctx context.Context, x *server, seed uint64) (figures, error) {
	alone := make([]float64, len(modelNames))
	for i := range modelNames {
		r, err := x.run(ctx, x.ofModel(i, seed))
		if err != nil {
			return nil, err
		}
		alone[i] = r.QPS
	}
	var all sync.WaitGroup
	together, errs := make([]*bench.Report, len(modelNames)), make([]error, len(modelNames))
	for i := range modelNames {
		all.Go(func() { together[i], errs[i] = x.run(ctx, x.ofModel(i, seed+1000)) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	sum, least := 0.0, 1.0
	for i, r := range together {
		part := r.QPS / alone[i]
		sum, least = sum+part, min(least, part)
	}
	return figures{
		{name: "requests/s of one, alone", value: alone[0]}, {name: "requests/s together of those alone, sum", value: sum},
		{name: "the least of the three", value: least},
	}, nil
}

func (x *server) ofModel(i int, seed uint64) bench.Load {
	l := x.standard(8, seed+uint64(i))
	l.Model = modelNames[i]
	return l
}
