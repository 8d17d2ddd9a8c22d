// Package deptest holds the tests of the project's structure: which package may import which, and that
// the architecture document speaks of what is there.
package deptest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed is the import graph: a package, and the packages of this module that it may import. What is
// absent here does not exist; leaves import nothing of ours.
var allowed = map[string][]string{
	"cmd/chimera":         {"client", "client/answerer", "bench", "config", "daemon", "loader", "paths", "quality/eval", "quality/report", "quality/score", "quality/suite", "quality/suites", "scheduler", "scheduler/simulator", "scheduler/trace"},
	"config":              {"api", "paths", "quality/control", "quality/suites", "socket", "store", "webhook", "weights"},
	"client":              {"paths"},             // server and client agree on whose a socket must be
	"bench":               {"client", "hostmem"}, // it is a client that counts, and measures memory as the engine takes it
	"bench/models":        {"weights"},
	"bench/peer":          {"bench", "client"},
	"daemon":              {"api", "cgo", "chat", "chat/jinja", "config", "cores", "cuda", "energy", "engine", "gpu", "hostmem", "loader", "measure", "model", "paths", "quality/control", "quality/coverage", "quality/drift", "quality/escalate", "quality/eval", "quality/experiment", "quality/guard", "quality/mix", "quality/report", "quality/score", "quality/stats", "quality/suite", "quality/suites", "quality/tier", "scheduler", "scheduler/trace", "socket", "store", "systemd", "tokenizer", "weights", "webhook"},
	"loader":              {"api", "cgo", "chat", "chat/jinja", "config", "cores", "cuda", "engine", "gpu", "hostmem", "model", "paths", "quality/control", "quality/tier", "tokenizer", "weights"},
	"systemd":             {},
	"store":               {},
	"measure":             {"store"},
	"energy":              {},
	"paths":               {},
	"webhook":             {},
	"client/answerer":     {"client", "quality/eval", "quality/suite"},
	"quality/control":     {"quality/score", "quality/stats"},
	"quality/coverage":    {"quality/control"},
	"quality/drift":       {},
	"quality/guard":       {"quality/stats"},
	"quality/escalate":    {},
	"quality/mix":         {},
	"quality/eval":        {"quality/score", "quality/stats", "quality/suite"},
	"quality/experiment":  {"quality/stats"},
	"quality/report":      {"measure", "quality/stats", "store"},
	"quality/score":       {},
	"quality/stats":       {},
	"quality/tier":        {"engine", "weights"},
	"quality/suite":       {},
	"quality/suites":      {"quality/suite"},
	"socket":              {"paths"},
	"api":                 {"scheduler", "tokenizer", "engine", "gpu", "quality/escalate"}, // gpu: the types of what it shows
	"gpu":                 {},
	"gpu/gputest":         {"gpu"},
	"internal/fixtures":   {"config", "weights"},
	"scheduler":           {"engine"},
	"scheduler/trace":     {"engine", "scheduler"},
	"scheduler/simulator": {"engine", "scheduler", "scheduler/trace"},
	"engine":              {},
	"engine/enginetest":   {"engine"},
	"engine/lowering":     {"engine", "hostmem"},
	"engine/reference":    {"engine", "weights"}, // a second opinion: it shares no code with what it judges
	"cgo":                 {"engine", "engine/lowering", "hostmem"},
	"cgo/cgotest":         {"cgo", "engine", "engine/lowering"},     // its tests alone: nothing may import it
	"cuda":                {"engine", "engine/lowering", "hostmem"}, // with its tag alone, as all below it
	"cuda/cudatest":       {},
	"cuda/kernels":        {}, // a test alone
	"hostmem":             {"cgroup"},
	"cores":               {"cgroup"},
	"cgroup":              {},
	"model":               {"engine", "weights"},
	"weights":             {},
	"tokenizer":           {},
	"chat":                {"chat/jinja"},
	"chat/jinja":          {},
	"internal/deptest":    {},
	"internal/mutants":    {},
	"internal/tables":     {},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages lists what a build with the tags has. -e: the cuda build's modules need not be there.
func packages(t *testing.T, tags string) []goPackage {
	c := exec.Command("go", "list", "-e", "-tags", tags, "-json=ImportPath,Imports", "chimera/...")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []goPackage
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestImportGraph(t *testing.T) {
	plain, list := packages(t, ""), packages(t, "cuda")
	if len(plain) < 15 || len(list) <= len(plain) {
		t.Fatalf("go list names %d packages only, and %d with cuda", len(plain), len(list))
	}
	for _, p := range append(list, plain...) {
		name := strings.TrimPrefix(p.ImportPath, "chimera/")
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the import graph", name)
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, "chimera/"); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which the import graph does not allow", name, ours)
			}
		}
	}
}

// Only the CPU backend and what tests it may hold C: all else builds and vets without a C compiler. And without
// its tag nothing of the GPU backend is there.
func TestOnlyCgoImportsC(t *testing.T) {
	for _, p := range packages(t, "") {
		if !slices.Contains([]string{"chimera/cgo", "chimera/cgo/cgotest"}, p.ImportPath) && slices.Contains(p.Imports, "C") {
			t.Errorf("%s imports C", p.ImportPath)
		}
		for _, name := range append(p.Imports, p.ImportPath) {
			if strings.HasPrefix(name, "chimera/cuda") || name == "gorgonia.org/cu" {
				t.Errorf("%s has %s without the tag of the cuda build", p.ImportPath, name)
			}
		}
	}
}

// Every `package.Identifier` and every `path/` that ARCHITECTURE.md names must exist.
func TestArchitectureNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, m := range regexp.MustCompile("`([a-z]+)\\.([A-Z][A-Za-z0-9]*)(?:\\.([A-Z][A-Za-z0-9]*))?`").FindAllStringSubmatch(string(text), -1) {
		if _, known := allowed[m[1]]; !known {
			continue
		}
		symbol := m[2]
		if m[3] != "" {
			symbol += "." + m[3]
		}
		if out, err := exec.Command("go", "doc", "chimera/"+m[1], symbol).CombinedOutput(); err != nil {
			t.Errorf("%s does not exist: %s", m[0], out)
		}
		checked++
	}
	for _, m := range regexp.MustCompile("`((?:[a-z]+/)*[a-z0-9_]+(?:/|\\.(?:go|c|h)))`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat("../../" + m[1]); err != nil {
			t.Errorf("ARCHITECTURE.md names %s: %v", m[1], err)
		}
		checked++
	}
	if checked < 20 {
		t.Errorf("only %d names found in ARCHITECTURE.md", checked)
	}
}

// Every make target, and every test in a command, that a document names must exist: commands are what
// readers copy.
func TestDocumentsNameWhatExists(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets, commands := 0, 0
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/CONTRACT.md", "docs/BENCHMARKS.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:`|^    )make ([a-z-]+)").FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s names make %s, which the Makefile has not", name, m[1])
			}
			targets++
		}
		for _, m := range regexp.MustCompile(`go test \./([a-z/]+)\S* -run (\w+)`).FindAllStringSubmatch(string(text), -1) {
			if !hasTest(t, m[1], m[2]) {
				t.Errorf("%s: %s runs no test", name, m[0])
			}
			commands++
		}
	}
	if targets < 8 || commands < 6 {
		t.Errorf("only %d targets and %d commands found", targets, commands)
	}
}

// hasTest tells whether a package has a test whose name contains part. (go test -list would build it.)
func hasTest(t *testing.T, folder, part string) bool {
	files, err := filepath.Glob("../../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func Test\w*` + strings.TrimPrefix(part, "Test")).Match(text) {
			return true
		}
	}
	return false
}
