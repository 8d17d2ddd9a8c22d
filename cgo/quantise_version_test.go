package cgo

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"chimera/engine"
)

// TestQuantiseVersion: what is kept on disk of one version must be what is made by it. Whoever changes the search so that it writes other bytes counts
// QuantiseVersion up, and writes the digest of the new ones down here.
func TestQuantiseVersion(t *testing.T) {
	const version, want = 1, "5a6286010c2d32ba0e12b5115cd43d00"
	r := rand.New(rand.NewPCG(11, 12))
	values := make([]float32, 64*512)
	for i := range values {
		values[i] = float32(r.NormFloat64() * (1 + float64(i%512)/64))
	}
	h := sha256.New()
	for _, q := range []struct {
		t             engine.DType
		values, bytes int
	}{{engine.Q4_0, 32, 18}, {engine.Q5_0, 32, 22}, {engine.Q5_1, 32, 24}, {engine.Q2_K, 256, 84}, {engine.Q3_K, 256, 110}, {engine.Q4_K, 256, 144}, {engine.Q5_K, 256, 176}, {engine.Q6_K, 256, 210}} {
		dst := make([]byte, len(values)/q.values*q.bytes)
		if err := Quantise(dst, q.t, values, 512, nil); err != nil {
			t.Fatal(err)
		}
		h.Write(dst)
	}
	if got := hex.EncodeToString(h.Sum(nil)[:16]); got != want || QuantiseVersion != version {
		t.Errorf("version %d writes %s, %d was noted to write %s: another search has another version", QuantiseVersion, got, version, want)
	}
}
