package engine

// RopeStyle tells which elements of a head turn together.
type RopeStyle uint8

// The pairings of rotary embeddings.
const (
	RopeAdjacent RopeStyle = iota // (0,1), (2,3) ...: GGUF's llama
	RopeHalves                    // (0,d/2), (1,d/2+1) ...: NeoX
)

// Rope is a rotary position embedding. Pair i turns by position * Scale / (Base^(2i/Dim) *
// Factors[i]); with YaRN (Extension > 0) as in Peng et al. 2023, section 3.2, and the rotated values
// are multiplied by Magnitude.
type Rope struct {
	Style     RopeStyle
	Dim       int // leading elements of a head that turn
	Base      float64
	Scale     float64  // 1/factor of linear scaling or of YaRN
	Factors   WeightID // (Dim/2) divisors of the frequencies, or NoWeight
	Magnitude float64  // attention factor on sine and cosine; 1 without YaRN
	// YaRN: pairs below Low keep their frequency, pairs above High are scaled, between is a ramp.
	Extension float64
	Low, High float64 // pair indices, already rounded as the model says
}

// checkRope refuses what does not turn heads of width elements; nil turns nothing.
func (b *Builder) checkRope(r *Rope, width int) error {
	if r == nil {
		return nil
	}
	return first(
		holds(r.Dim > 0 && r.Dim%2 == 0 && r.Dim <= width, "rope over %d of %d elements", r.Dim, width),
		holds(r.Style <= RopeHalves, "rope style %d", r.Style),
		positive("rope base", r.Base), positive("rope scale", r.Scale), positive("rope magnitude", r.Magnitude),
		notNegative("rope extension", r.Extension),
		holds(r.Extension == 0 || r.Low < r.High && finite(r.Low) && finite(r.High), "a rope ramp from %g to %g: it must rise", r.Low, r.High),
		b.optional(r.Factors, 1, r.Dim/2),
	)
}
