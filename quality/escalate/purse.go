package escalate

// This file owns the budget: a token bucket that what clients are answered fills and what is computed twice empties. It begins empty, so that at no
// time since the start more than the share was extra, and it holds what a window of traffic earns, so that after a quiet time no burst takes it all.

// window is how many tokens of traffic a purse may save up the share of: at 1 % that is 10,485 tokens, several long answers.
const window = 1 << 20

// purse is what may be spent, in tokens.
type purse struct {
	budget float64 // share of all tokens
	saved  float64
}

// earn adds the share of tokens that clients were answered for.
func (p *purse) earn(tokens int) {
	p.saved = min(p.saved+p.budget*float64(tokens), p.budget*window)
}

// take spends tokens if they are there.
func (p *purse) take(tokens int) bool {
	if float64(tokens) > p.saved {
		return false
	}
	p.saved -= float64(tokens)
	return true
}

// giveBack returns what was taken and not needed.
func (p *purse) giveBack(tokens int) {
	p.saved = min(p.saved+float64(tokens), p.budget*window)
}
