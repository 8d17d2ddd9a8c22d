package deptest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// This file owns what the documents say of GPUs that the project ran on: no more than the result files of
// `make gpu-check` in docs/gpu/ show.

var rewrite = flag.Bool("rewrite", false, "write the generated files anew")

const gpuIntroduction = "# Results of GPU checks\n\n" +
	"`make gpu-check` packs `bin/gpu-check/`, a folder of some 20 MB. On a machine with an NVIDIA GPU (A100 or later) and driver 580 or\n" +
	"later, and nothing else, its `run.sh` measures first: each kernel by events, steps, copies of every kind of memory, and clocks, power and\n" +
	"temperature meanwhile. Then it holds the first GPU to the CPU backend: every op in odd sizes with random and extreme data, sampling, whole\n" +
	"models in every weight type, two steps under way, graphs, pages on the move, pinned copies. It goes on after a difference, of which it keeps\n" +
	"the first sixteen with their bits, and after a lost context, and takes ten minutes at most. What a machine's limits refuse to lock is a\n" +
	"remark. `go test -tags cuda ./cuda -run GPUCheck` runs the same checks at small sizes on the emulated driver.\n\n" +
	"The files that it writes, NAME.json and NAME.md by the GPU's name, belong here; this page is made from them:\n" +
	"`go test ./internal/deptest -run GPUResults -rewrite`.\n\n"

// gpuResult is what the page shows of a result file.
type gpuResult struct {
	Device   struct{ Name string }
	Driver   string
	When     time.Time
	Verdicts []struct {
		Different int64
		Error     string
	}
	Figures []struct {
		Name, Unit string
		Value      float64
	}
}

// gpuColumns are the figures of the page, by the names that the check gives them.
var gpuColumns = []struct{ head, name, unit string }{
	{"prefill of 512, tokens/s", "prefill of 512", "tokens/s"}, {"decode of 1", "decode of 1, two steps under way", "tokens/s"},
	{"of 8", "decode of 8, two steps under way", "tokens/s"}, {"of 32", "decode of 32, two steps under way", "tokens/s"},
	{"pinned copies, GB/s", "pinned to the GPU", "GB/s"},
}

func (r gpuResult) row(file string) string {
	good := 0
	for _, v := range r.Verdicts {
		if v.Different == 0 && v.Error == "" {
			good++
		}
	}
	b := fmt.Sprintf("| [%s](%s.md) | %s | %s | %d of %d |", r.Device.Name, file, r.When.Format(time.DateOnly), r.Driver, good, len(r.Verdicts))
	for _, c := range gpuColumns {
		text := "-"
		for _, f := range r.Figures {
			if f.Name == c.name && f.Unit == c.unit {
				text = fmt.Sprintf("%.1f", f.Value)
			}
		}
		b += " " + text + " |"
	}
	return b + "\n"
}

// gpuPage is docs/gpu/README.md for a folder of results, and how many there are.
func gpuPage(folder string) (page string, results int, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		return gpuIntroduction + "Not yet run on a GPU.\n", 0, err
	}
	page = gpuIntroduction + "| GPU | Date | Driver | Checks with the CPU's bytes |"
	line := "| --- | --- | --- | ---: |"
	for _, c := range gpuColumns {
		page += " " + c.head + " |"
		line += " ---: |"
	}
	page += "\n" + line + "\n"
	for _, file := range files {
		var r gpuResult
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if err == nil {
			_, err = os.Stat(filepath.Join(folder, name+".md"))
		}
		if err != nil {
			return "", 0, err
		}
		page += r.row(name)
	}
	return page, len(files), nil
}

func TestGPUResults(t *testing.T) {
	const path = "../../docs/gpu/README.md"
	want, results, err := gpuPage("../../docs/gpu")
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is out of date (%v): go test ./internal/deptest -run GPUResults -rewrite", path, err)
	}
	// Documents say that nothing ran until something did, and no longer.
	for _, name := range []string{"README.md", "ARCHITECTURE.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		says := regexp.MustCompile(`not\s+yet\s+been\s+run\s+on\s+a\s+GPU`).Match(text)
		if says != (results == 0) {
			t.Errorf("%s says \"not yet been run on a GPU\": %v; docs/gpu has %d results", name, says, results)
		}
	}
}

func TestGPUPage(t *testing.T) {
	folder := t.TempDir()
	result := `{"device": {"Name": "NVIDIA X"}, "driver": "580.1", "when": "2027-01-02T03:04:05Z", "verdicts": [{"values": 4}, {"different": 1}, {"error": "lost"}],
		"figures": [{"name": "prefill of 512", "unit": "ms", "value": 3}, {"name": "prefill of 512", "unit": "tokens/s", "value": 123456}]}`
	if err := os.WriteFile(filepath.Join(folder, "nvidia-x.json"), []byte(result), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := gpuPage(folder); err == nil {
		t.Error("a result without its page is taken")
	}
	if err := os.WriteFile(filepath.Join(folder, "nvidia-x.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	page, results, err := gpuPage(folder)
	const row = "\n| [NVIDIA X](nvidia-x.md) | 2027-01-02 | 580.1 | 1 of 3 | 123456.0 | - | - | - | - |\n"
	if err != nil || results != 1 || !strings.HasSuffix(page, row) || strings.Contains(page, "Not yet run") {
		t.Errorf("%v %d\n%s", err, results, page)
	}
}
