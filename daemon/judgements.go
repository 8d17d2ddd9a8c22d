package daemon

import (
	"log/slog"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/score"
	"chimera/store"
)

// This file owns what is written of how good a single answer is: figures by its name, and no text.

// judged writes what the control says of a sample's answers.
func (l *liveGroup) judged(s *sample, answers []group.Paired) {
	h := l.all.history
	if h.keepsNothing() || s.id == (api.AnswerID{}) {
		return
	}
	row := judgementOf(s, answers, h.store.Tenant(s.tenant))
	l.mu.Lock()
	defer l.mu.Unlock() // or it could be forgotten before it is written
	if s.forgotten {
		return
	}
	if err := h.store.AddJudgement(row); err != nil {
		slog.Debug("control: what was found of an answer is not kept", "cause", err)
	}
}

func judgementOf(s *sample, answers []group.Paired, tenant store.Tenant) store.Judgement {
	j := store.Unjudged(store.ID(s.id), tenant, time.Now())
	j.Control = s.control
	figures := group.Figures(answers...)
	for name, to := range map[string]*float64{group.Agreement: &j.Agreement, group.KL: &j.KL, group.ChrF: &j.ChrF, group.Fluency: &j.Fluency} {
		if x, measured := figures[name]; measured {
			*to = x
		}
	}
	j.Relevance, j.CorrectionRelevance = orUnknown(s.relevance), orUnknown(s.correctionRelevance)
	return j
}

// mostCorrected bounds the texts of which one is held against the other, in bytes: while they are, who sent the correction waits.
const mostCorrected = 64 << 10

// judgeRated has a rated answer scored, and holds it against the correction, if there is one and the answer is still known: because its text is kept, or
// because its tokens are remembered.
func (h *history) judgeRated(r *store.Receipt, correction string) {
	text, known := textKept(r)
	if h.watched != nil {
		if remembered, is := h.watched.live.rate(api.AnswerID(r.Answer), correction); is && !known {
			text, known = remembered, true
		}
	}
	if !known || correction == "" || len(text) > mostCorrected || len(correction) > mostCorrected {
		return
	}
	j := store.Unjudged(r.Answer, r.Tenant, time.Now())
	j.CorrectionChrF, j.CorrectionF1 = sentence("chrf", text, correction), sentence("f1", text, correction)
	if err := h.store.AddJudgement(j); err != nil {
		slog.Debug("what a correction says of an answer is not kept", "cause", err)
	}
}

// sentence is a metric of one text against another.
func sentence(metric, text, reference string) float64 {
	m, err := score.New(metric, "")
	if err != nil { // there is no such metric, which no test would pass
		return math.NaN()
	}
	return m.Sentence(m.Counts(text, []string{reference}))
}

// textKept is that of the one answer of a receipt, if privacy let it be kept.
func textKept(r *store.Receipt) (text string, known bool) {
	if r.Answers != 1 || r.Text == nil {
		return "", false
	}
	var texts []string
	if err := json.Unmarshal([]byte(*r.Text), &texts); err != nil || len(texts) != 1 {
		return "", false
	}
	return texts[0], true
}
