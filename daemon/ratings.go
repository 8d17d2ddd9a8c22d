package daemon

import (
	"context"
	"errors"
	"time"

	"chimera/api"
	"chimera/store"
)

// This file owns ratings: one an answer, what follows from it, and the newest of them with what is known of their answers.

// Rate implements api.History.
func (h *history) Rate(ctx context.Context, id api.AnswerID, a api.Asker, rating int, correction string) (kept bool, err error) {
	r, err := h.rate(ctx, id, a, rating, correction)
	if err != nil {
		return false, err
	}
	h.judgeRated(&r, correction)
	return correction != "" && h.privacy != store.None, nil
}

// rate has a rating written, if it is the answer's first, and returns the answer's receipt.
func (h *history) rate(ctx context.Context, id api.AnswerID, a api.Asker, rating int, correction string) (r store.Receipt, err error) {
	h.rating.Lock()
	defer h.rating.Unlock()
	ctx, cancel, err := h.written(ctx) // or an answer could be rated twice in the second that a row waits
	defer cancel()
	if err != nil {
		return r, err
	}
	if r, err = h.find(ctx, id, a); err != nil {
		return r, err
	}
	for _, err := range h.store.RatingsOf(ctx, store.ID(id)) {
		if err == nil {
			err = api.ErrRated
		}
		return r, err
	}
	row := store.Rating{Time: time.Now(), Answer: store.ID(id), Tenant: r.Tenant, Rating: int64(rating)}
	if correction != "" {
		row.Correction = &correction
	}
	return r, h.store.AddRating(row)
}

// mostRatings bounds what correlations are computed of, each some thousand times: the newest tell how it is now.
const mostRatings = 1000

// ratingsSince is how far back correlations look.
const ratingsSince = 30 * 24 * time.Hour

// ratedAnswer is all that is known of an answer that was rated.
type ratedAnswer struct {
	rating     store.Rating
	receipt    store.Receipt
	judgement  store.Judgement // of several judgements what each has measured
	judgements []int64         // their rows
}

// rated are the newest answers that were rated and that who asks may know of.
func (h *history) rated(ctx context.Context, a api.Asker) (list []ratedAnswer, err error) {
	var of *store.Tenant
	if !a.Administers {
		of = new(h.store.Tenant(a.Tenant))
	}
	for rating, err := range h.store.NewestRatings(ctx, time.Now().Add(-ratingsSince), mostRatings, of) {
		if isDamage(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known := ratedAnswer{rating: rating}
		switch err := h.complete(ctx, &known, a); {
		case err == nil:
			list = append(list, known)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
	return list, nil
}

// complete finds what is known of an answer beside its rating.
func (h *history) complete(ctx context.Context, known *ratedAnswer, a api.Asker) (err error) {
	answer := known.rating.Answer
	if known.receipt, err = h.find(ctx, api.AnswerID(answer), a); err != nil {
		return err
	}
	known.judgement = store.Unjudged(answer, known.receipt.Tenant, known.rating.Time)
	for j, err := range h.store.JudgementsOf(ctx, answer) {
		if isDamage(err) {
			continue
		}
		if err != nil {
			return err
		}
		known.judgement.Merge(j)
		known.judgements = append(known.judgements, j.Row)
	}
	return nil
}

// isDamage tells a row that is damaged, which the store has told of, from a history that can't be read.
func isDamage(err error) bool {
	var damaged *store.DamagedRowError
	return errors.As(err, &damaged)
}
