package store

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// This file owns the table of ratings: what people thought of answers.

// Rating is one person's opinion of one answer. An answer may have several.
type Rating struct {
	Numbered
	Time       time.Time // kept to the microsecond
	Answer     ID
	Tenant     Tenant
	Rating     int64   // 1 (bad) to 5 (good); a thumb is 1 or 5
	Correction *string // what the answer should have been; nil if nobody said, or privacy forbids to keep it
}

func (*Rating) table() Table { return Ratings }
func (r *Rating) size() int  { return rowBytes + lengthOf(r.Correction) }

func (r *Rating) columns() []column {
	return []column{{"time", &r.Time}, {"answer", &r.Answer}, {"tenant", &r.Tenant}, {"rating", &r.Rating}, {"correction", &r.Correction}}
}

// AddRating has a rating written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddRating(r Rating) error {
	if err := checkAnswer(Ratings, r.Answer); err != nil {
		return err
	}
	if r.Rating < 1 || r.Rating > 5 {
		return &FieldError{Ratings, "rating", fmt.Sprintf("%d, it must lie between 1 and 5", r.Rating)}
	}
	if !s.privacy.keepsCorrections() {
		r.Correction = nil
	}
	if err := checkLength(Ratings, "correction", lengthOf(r.Correction), maxText); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Ratings reads the ratings of a span, the oldest first: see [Store] for errors.
func (s *Store) Ratings(ctx context.Context, span Span) iter.Seq2[Rating, error] {
	return within[Rating](ctx, s, span)
}

// NewestRatings reads the ratings that were given from a time on, the newest first and so many at most; with a tenant those that are its own alone.
func (s *Store) NewestRatings(ctx context.Context, from time.Time, most int, tenant *Tenant) iter.Seq2[Rating, error] {
	where, args := Span{From: from}.condition("time")
	if tenant != nil {
		where, args = where+" AND tenant IS ?", append(args, bytesOf(*tenant))
	}
	return selected[Rating](ctx, s, where+" ORDER BY time DESC, id DESC LIMIT ?", append(args, most)...)
}

// RatingsOf reads the ratings of one answer, in the order in which they were written.
func (s *Store) RatingsOf(ctx context.Context, answer ID) iter.Seq2[Rating, error] {
	return selected[Rating](ctx, s, "WHERE answer = ? ORDER BY id", answer[:])
}
