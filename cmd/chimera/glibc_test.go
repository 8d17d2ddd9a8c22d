package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// documentedGlibc is what README.md and docs/GPU.md promise, and builtOn the last glibc whose headers keep the promise:
// later ones give functions of the C standard of 2023 new versions.
const documentedGlibc, builtOn = 34, 37

// minor is the number behind "2.", 0 if the text has another form.
func minor(version string) int {
	_, text, _ := strings.Cut(version, "2.")
	text, _, _ = strings.Cut(text, ".")
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}

// The binary runs on the oldest glibc that the documents name: this test's own is linked from the same objects.
func TestNeededGlibc(t *testing.T) {
	out, err := exec.Command("getconf", "GNU_LIBC_VERSION").Output()
	if err != nil || minor(string(out)) > builtOn || minor(string(out)) == 0 {
		t.Skipf("this machine's %q (%v) has other versions of its symbols than the one that releases are built on", strings.TrimSpace(string(out)), err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil || len(symbols) < 20 {
		t.Fatalf("%d symbols, %v", len(symbols), err)
	}
	versions := 0
	for _, s := range symbols {
		version, glibc := strings.CutPrefix(s.Version, "GLIBC_")
		if !glibc {
			continue
		}
		versions++
		if minor(version) > documentedGlibc {
			t.Errorf("%s is of glibc %s, the documents promise 2.%d", s.Name, version, documentedGlibc)
		}
	}
	if versions < 20 {
		t.Errorf("%d symbols have a version", versions)
	}
}

func TestDocumentsNameGlibc(t *testing.T) {
	for _, path := range []string{"../../README.md", "../../docs/GPU.md"} {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "glibc 2."+strconv.Itoa(documentedGlibc)) {
			t.Errorf("%s does not say that glibc 2.%d is needed (%v)", path, documentedGlibc, err)
		}
	}
}
