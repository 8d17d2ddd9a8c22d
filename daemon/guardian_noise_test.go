package daemon

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/model"
	"chimera/quality/guard"
	"chimera/quality/tier"
	"chimera/store"
	"chimera/weights"
)

// This file owns the proof that damage which came before anything was pinned is found by scores, and mended.

// noisy are float32 weights with normal noise in each matrix, of a standard deviation that is so much of the matrix's own. The same rows have the same noise.
type noisy struct {
	engine.Weights
	share float64
}

// Read implements engine.Weights.
func (n noisy) Read(name string, firstRow int, dst []byte) error {
	if err := n.Weights.Read(name, firstRow, dst); err != nil {
		return err
	}
	t, err := n.Tensor(name)
	if err != nil || t.Rows == 1 {
		return err
	}
	whole := make([]byte, t.Rows*t.RowBytes)
	if err := n.Weights.Read(name, 0, whole); err != nil {
		return err
	}
	square := 0.0
	for _, x := range floatsOf(whole) {
		square += float64(x) * float64(x)
	}
	deviation := n.share * math.Sqrt(square/float64(t.Rows*t.Cols))
	h := fnv.New64a()
	h.Write([]byte(name))
	for at := 0; at < len(dst); at += t.RowBytes {
		addNoise(rand.New(rand.NewPCG(h.Sum64(), uint64(firstRow+at/t.RowBytes))), deviation, dst[at:][:t.RowBytes])
	}
	return nil
}

func addNoise(r *rand.Rand, deviation float64, row []byte) {
	for i, x := range floatsOf(row) {
		binary.LittleEndian.PutUint32(row[i*4:], math.Float32bits(x+float32(r.NormFloat64()*deviation)))
	}
}

func floatsOf(data []byte) []float32 {
	list := make([]float32, len(data)/4)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[i*4:]))
	}
	return list
}

// Noise is put into a tier as it is made, so that it has a digest and a file on disk of its own: the suites find it, the tier is made anew of the source while clients ask, and then it is the one
// that it should be, on the disk too.
func TestGuardMendsNoise(t *testing.T) {
	mt := fixtures.SharedDir(t, "CHIMERA_MT", "mt")
	path := filepath.Join(mt, "gguf", "f32.gguf")
	clean, _ := digestAt(t, path, "q4_k")
	file, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name      string
		share     float64
		agreement float64 // tiers.min_agreement
		loss      float64 // tiers.max_loss
		metric    string
	}{
		{"two points of agreement", 0.078, 0.95, 1.5, "agreement"},
		{"two points of BLEU", 0.2, 0, 1, "chrf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := guarded(t, 500, func(k *config.Config) {
				k.Tiers.Mode, k.Tiers.Start, k.Tiers.MinAgreement, k.Tiers.MaxLoss, k.Tiers.Ladder = config.ModeGuard, "source", c.agreement, c.loss, []string{"q8_0", "q4_k"}
			})
			var spoilt atomic.Int64
			r.models.spoil = func(name string, w engine.Weights) engine.Weights {
				if name != "q4_k" || spoilt.Add(1) > 1 {
					return w
				}
				return tier.New(noisy{model.NewSource(file), c.share}, loader.Recipe(file, weights.Q4_K), loader.Search, loader.Pace)
			}
			if status, text := r.set("q4_k"); status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			up := r.models.list[0].up
			if damaged := up.lane.Weights(); damaged == clean {
				t.Fatal("there is no noise in it")
			}
			kept := r.keptOf("q4_k")
			stop := r.asksLines(3)
			r.watch()
			if status, text := r.set("auto"); status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			now := r.rests()
			answered, failed := stop()
			if t.Logf("%d answers", answered); failed > 0 || answered < 20 {
				t.Errorf("%d of %d requests failed", failed, answered+failed)
			}
			if got := up.lane.Weights(); got != clean || now.Tier != "q4_k" || kept == 0 || r.keptOf("q4_k") != kept {
				t.Errorf("it rests at %s with %s, clean is %s; %d bytes on disk, were %d", now.Tier, got, clean, r.keptOf("q4_k"), kept)
			}
			last := r.decisions()[len(r.decisions())-1]
			var evidence []guard.Evidence
			if last.From != "q4_k" || last.To != "q4_k" || last.State != store.Applied || !strings.Contains(last.Reason, "is not what the tier is") || json.Unmarshal(last.Evidence, &evidence) != nil {
				t.Fatalf("%+v", last)
			}
			after := now.Ladder[5].Scores[c.metric]
			for _, e := range evidence {
				t.Logf("damaged: %+v", e)
				if e.Metric == c.metric && !(after.Value > e.Value) {
					t.Errorf("%s is %v, was %v when it was damaged", c.metric, after.Value, e.Value)
				}
			}
			t.Logf("mended: %+v", now.Ladder[5].Scores)
			if status, text := r.set("source"); status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			if status, text := r.set("q4_k"); status != 200 || up.lane.Weights() != clean {
				t.Errorf("read from the disk it is %s: %d %s", up.lane.Weights(), status, text)
			}
		})
	}
}
