package store

import (
	"context"
	"math"
	"reflect"
	"testing"
	"time"
)

// This file owns tests of judgements of answers, and of the newest ratings that they are held against.

// What two judgements of an answer have measured comes together, and what neither has stays unknown.
func TestJudgements(t *testing.T) {
	s := opened(t, Options{})
	ctx, id, at := context.Background(), ID{7}, time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	control, correction := Unjudged(id, s.Tenant("a"), at), Unjudged(id, s.Tenant("a"), at)
	control.Control, control.Agreement, control.KL = "n", 0, 0.25 // no token in common is a figure
	correction.CorrectionF1 = 0.5
	for _, j := range []Judgement{control, correction, Unjudged(ID{8}, Tenant{}, at)} {
		must(t, s.AddJudgement(j))
	}
	flush(t, s)
	all := Unjudged(id, Tenant{}, at)
	n := 0
	for j, err := range s.JudgementsOf(ctx, id) {
		must(t, err)
		all.Merge(j)
		n++
	}
	if n != 2 || all.Agreement != 0 || all.KL != 0.25 || all.CorrectionF1 != 0.5 || !math.IsNaN(all.ChrF) || !math.IsNaN(all.CorrectionRelevance) {
		t.Errorf("of %d: %+v", n, all)
	}
	if fields := reflect.TypeFor[Judgement]().NumField(); len(all.figures()) != fields-5 { // all but the number, the time, and whose and by whom it is
		t.Errorf("%d figures of %d fields", len(all.figures()), fields)
	}
	if err := s.AddJudgement(Judgement{}); err == nil {
		t.Error("a judgement of no answer is taken")
	}
}

// The newest ratings come first, no more than were asked for, none from before, and of one tenant none of another's; nobody is a tenant too.
func TestNewestRatings(t *testing.T) {
	s := opened(t, Options{})
	from := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	a, nobody := s.Tenant("a"), Tenant{}
	for i := range 12 {
		must(t, s.AddRating(Rating{Time: from.Add(time.Duration(i/2-1) * time.Second), Answer: ID{byte(i + 1)}, Tenant: []Tenant{a, nobody, s.Tenant("b")}[i%3], Rating: 3}))
	}
	flush(t, s)
	for name, c := range map[string]struct {
		most   int
		tenant *Tenant
		want   []int64
	}{
		"all":    {100, nil, []int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3}},
		"three":  {3, nil, []int64{12, 11, 10}},
		"a":      {100, &a, []int64{10, 7, 4}},
		"two":    {2, &a, []int64{10, 7}},
		"nobody": {100, &nobody, []int64{11, 8, 5}},
	} {
		var got []int64
		for r, err := range s.NewestRatings(context.Background(), from, c.most, c.tenant) {
			must(t, err)
			got = append(got, r.Row)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
