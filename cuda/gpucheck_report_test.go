//go:build cuda

package cuda

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/engine"
)

// This file owns what the GPU check finds: verdicts and figures, and the files that they are written to.

// verdict is the outcome of one check: how many values of the GPU were compared with the CPU's, and how many differ.
type verdict struct {
	Group      string  `json:"group"`
	Name       string  `json:"name"`
	Values     int64   `json:"values"`
	Different  int64   `json:"different"`
	ULPs       uint64  `json:"max_ulps,omitempty"`       // the largest distance in units of the last place
	Difference float64 `json:"max_difference,omitempty"` // the largest absolute one
	Numbers    int64   `json:"not_numbers,omitempty"`    // where only one of the two is a number
	// Differences are the first ones, each with the place, both values and their bits.
	Differences []string `json:"differences,omitempty"`
	Error       string   `json:"error,omitempty"`
	Poisoned    bool     `json:"poisoned,omitempty"` // the context was lost in it: what comes next has a new process
	Seconds     float64  `json:"seconds"`
}

func (v *verdict) good() bool { return v.Different == 0 && v.Error == "" }

// keptDifferences is how many tell a pattern, if there is one, without filling the page.
const keptDifferences = 16

func (v *verdict) differ(what string, want, got any) {
	if v.Different++; v.Different <= keptDifferences {
		v.Differences = append(v.Differences, fmt.Sprintf("%s: %s, not %s", what, withBits(got), withBits(want)))
	}
}

// withBits is a value, of a float its bits too: two that differ may print alike.
func withBits(x any) string {
	switch x := x.(type) {
	case float32:
		return fmt.Sprintf("%v (%#08x)", x, math.Float32bits(x))
	case byte:
		return fmt.Sprintf("%#02x", x)
	}
	return fmt.Sprint(x)
}

// floats compares bit by bit. Two NaNs are equal: which of its bits are set is the processor's choice.
func (v *verdict) floats(what string, want, got []float32) {
	v.equal(what+": how many", len(want), len(got))
	for i := range min(len(want), len(got)) {
		v.float(what, i, want[i], got[i])
	}
}

func (v *verdict) float(what string, i int, want, got float32) {
	v.Values++
	lost, gained := want != want, got != got
	switch {
	case math.Float32bits(want) == math.Float32bits(got), lost && gained:
		return
	case lost != gained:
		v.Numbers++
	default:
		v.ULPs = max(v.ULPs, ulpsBetween(want, got))
		if d := math.Abs(float64(want) - float64(got)); !math.IsInf(d, 0) {
			v.Difference = max(v.Difference, d)
		}
	}
	v.differ(fmt.Sprintf("%s, value %d", what, i), want, got)
}

// ulpsBetween counts the floats from a to b.
func ulpsBetween(a, b float32) uint64 {
	ordered := func(x float32) int64 {
		if bits := int64(math.Float32bits(x)); bits < 1<<31 {
			return bits
		} else {
			return 1<<31 - bits
		}
	}
	d := ordered(a) - ordered(b)
	return uint64(max(d, -d))
}

// equal compares anything else.
func (v *verdict) equal(what string, want, got any) {
	v.Values++
	if want != got {
		v.differ(what, want, got)
	}
}

func (v *verdict) bytes(what string, want, got []byte) {
	v.equal(what+": how many bytes", len(want), len(got))
	for i := range min(len(want), len(got)) {
		v.Values++
		if want[i] != got[i] {
			v.differ(fmt.Sprintf("%s, byte %d", what, i), want[i], got[i])
		}
	}
}

func (v *verdict) results(what string, want, got []engine.Result) {
	for i := range want {
		w, g := want[i], got[i]
		at := fmt.Sprintf("%s, output %d", what, i)
		v.equal(at+", token", w.Token, g.Token)
		v.equal(at+", rank", w.Rank, g.Rank)
		v.floats(at+", logit, sum, target", []float32{w.Logit, w.LogSumExp, w.TargetLogit}, []float32{g.Logit, g.LogSumExp, g.TargetLogit})
	}
}

func (v *verdict) tops(what string, want, got []engine.TopToken) {
	for i := range want {
		v.equal(fmt.Sprintf("%s, top token %d", what, i), want[i].Token, got[i].Token)
		v.float(what+", top logits", i, want[i].Logit, got[i].Logit)
	}
}

// text is the verdict in one line.
func (v *verdict) text() string {
	switch {
	case v.Error != "" && v.Different > 0:
		return fmt.Sprintf("%s; %d of %d differ, first %s", v.Error, v.Different, v.Values, v.Differences[0])
	case v.Error != "":
		return v.Error
	case v.Different > 0:
		return fmt.Sprintf("%d of %d differ, by up to %d ulp, %.3g; numbers lost or gained: %d; first %s",
			v.Different, v.Values, v.ULPs, v.Difference, v.Numbers, v.Differences[0])
	}
	return "same bytes"
}

// figure is something measured.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// checkPart is what a group found.
type checkPart struct {
	Group    string    `json:"group"`
	Verdicts []verdict `json:"verdicts"`
	Figures  []figure  `json:"figures"`
	Remarks  []string  `json:"remarks,omitempty"` // what is no fault of the GPU or of the program
}

// report is a whole run.
type report struct {
	Device   DeviceInfo    `json:"device"`
	CUDA     string        `json:"cuda"`   // what the driver supports
	Driver   string        `json:"driver"` // its kernel module's own words
	Commit   string        `json:"commit"` // what the folder was packed from
	When     time.Time     `json:"when"`
	Seconds  float64       `json:"seconds"`
	Verdicts []verdict     `json:"verdicts"`
	Figures  []figure      `json:"figures"`
	Remarks  []string      `json:"remarks,omitempty"`
	NVML     []observation `json:"nvml,omitempty"`
	small    bool
}

func newReport(small bool) (*report, error) {
	info, err := gpuUnderCheck(small)
	if err != nil {
		return nil, err
	}
	r := &report{Device: info, CUDA: cudaVersion(), Commit: packedCommit(), When: time.Now().UTC().Round(time.Second), small: small}
	if text, err := os.ReadFile("/proc/driver/nvidia/version"); err == nil {
		r.Driver, _, _ = strings.Cut(string(text), "\n")
	}
	return r, nil
}

func (r *report) add(p checkPart) {
	r.Verdicts = append(r.Verdicts, p.Verdicts...)
	r.Figures = append(r.Figures, p.Figures...)
	r.Remarks = append(r.Remarks, p.Remarks...)
}

// packedCommit is the commit that stands beside the packed binary.
func packedCommit() string {
	self, err := os.Executable()
	if err != nil {
		return "unknown"
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(self), "commit"))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// sum is a group's outcome in a line; of all for "".
func (r *report) sum(group string) string {
	checks, good, values := 0, 0, int64(0)
	for _, v := range r.Verdicts {
		if group != "" && v.Group != group {
			continue
		}
		checks++
		values += v.Values
		if v.good() {
			good++
		}
	}
	return fmt.Sprintf("%d of %d checks give the CPU's bytes, %d values compared", good, checks, values)
}

// failures says what went wrong, a line each.
func (r *report) failures() string {
	var b strings.Builder
	for _, v := range r.Verdicts {
		if !v.good() {
			fmt.Fprintf(&b, "%s: %s: %s\n", v.Group, v.Name, v.text())
		}
	}
	return b.String()
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// fileName is the GPU's name as files are called: nvidia-h200.
func (r *report) fileName() string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(r.Device.Name), "-"), "-")
}

func (r *report) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	at := filepath.Join(folder, r.fileName())
	if err := os.WriteFile(at+".json", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(at+".md", []byte(r.markdown()), 0o644)
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n`make gpu-check` of commit %s, %s, %.0f s. %s; driver for CUDA %s. %s\n\n%s.\n\n", r.Device.Name, r.Commit, r.When.Format(time.RFC3339),
		r.Seconds, r.Device, r.CUDA, r.Driver, r.sum(""))
	for _, o := range r.NVML {
		fmt.Fprintf(&b, "- %s\n", o)
	}
	for _, remark := range r.Remarks {
		fmt.Fprintf(&b, "- %s\n", remark)
	}
	b.WriteString("\n## Checks against the CPU backend\n\n| Group | Check | Values | Outcome | s |\n| --- | --- | ---: | --- | ---: |\n")
	for _, v := range r.Verdicts {
		outcome := strings.NewReplacer("\n", " ", "|", "\\|").Replace(v.text())
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %.1f |\n", v.Group, v.Name, v.Values, outcome, v.Seconds)
	}
	b.WriteString("\n## Figures\n\n| What | Figure | Unit |\n| --- | ---: | --- |\n")
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %.4g | %s |\n", f.Name, f.Value, f.Unit)
	}
	b.WriteString(r.differences())
	for _, o := range r.NVML {
		fmt.Fprintf(&b, "\n## NVML %s\n\n```json\n%s\n```\n", o.When, o.Answer)
	}
	return b.String()
}

// differences lists the first ones of each check, as text: they tell more than the largest distance.
func (r *report) differences() string {
	var b strings.Builder
	for _, v := range r.Verdicts {
		if len(v.Differences) > 0 {
			fmt.Fprintf(&b, "\n## Differences of %s: %s\n\n    %s\n", v.Group, v.Name, strings.Join(v.Differences, "\n    "))
		}
	}
	return b.String()
}

// What counts as a difference, and how large it is.
func TestVerdicts(t *testing.T) {
	nan, other := float32(math.NaN()), math.Float32frombits(0xffc00001)
	inf, zero := float32(math.Inf(1)), float32(0)
	for _, c := range []struct {
		want, got float32
		ulps      uint64
		different int64
		lost      int64
	}{
		{1, 1, 0, 0, 0}, {nan, other, 0, 0, 0}, {nan, 1, 0, 1, 1}, {1, nan, 0, 1, 1}, {1, math.Nextafter32(1, 2), 1, 1, 0},
		{zero, float32(math.Copysign(0, -1)), 0, 1, 0}, {inf, inf, 0, 0, 0}, {inf, math.MaxFloat32, 1, 1, 0},
		{-1e-45, 1e-45, 2, 1, 0},
	} {
		v := verdict{}
		v.floats("x", []float32{c.want}, []float32{c.got})
		if v.ULPs != c.ulps || v.Different != c.different || v.Numbers != c.lost || v.good() != (c.different == 0) {
			t.Errorf("%v and %v: %+v", c.want, c.got, v)
		}
	}
	v := verdict{}
	v.bytes("page", []byte{1, 2}, []byte{1, 3})
	v.results("step", []engine.Result{{Token: 1}}, []engine.Result{{Token: 2}})
	v.tops("step", []engine.TopToken{{Token: 1}}, []engine.TopToken{{Token: 1, Logit: 2}})
	v.floats("short", []float32{1, 2}, []float32{1})
	if v.Different != 4 || v.Differences[0] != "page, byte 1: 0x03, not 0x02" || v.Differences[2] != "step, top logits, value 0: 2 (0x40000000), not 0 (0x00000000)" {
		t.Errorf("%+v", v)
	}
	many := verdict{Group: "rows", Name: "add"}
	many.floats("x", make([]float32, 40), slices.Repeat([]float32{1}, 40))
	text := (&report{Verdicts: []verdict{many}}).markdown()
	if many.Different != 40 || len(many.Differences) != 16 || !strings.Contains(text, "## Differences of rows: add\n\n    x, value 0: 1 (0x3f800000), not 0 (0x00000000)\n    x, value 1: ") {
		t.Errorf("%+v\n%s", many, text)
	}
}
