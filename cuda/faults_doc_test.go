//go:build cuda

package cuda

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file owns docs/GPU_FAULTS.md: what came of each fault, a line for those that ended alike.

var rewrite = flag.Bool("rewrite", false, "write the generated files anew")

// row is a line of the document: calls that end alike.
type row struct {
	leg, fault, verdict, says string
	calls                     []string
}

// What differs from machine to machine, or with the plan, is left out of the document.
var (
	sizes = regexp.MustCompile(`of [0-9.]+ (bytes|MiB|GiB)`)
	times = regexp.MustCompile(`within [0-9.]+m?s`)
)

func lasting(text string) string {
	text = times.ReplaceAllString(sizes.ReplaceAllString(text, "of N $1"), "within N s")
	return strings.ReplaceAll(text, "\n", "; ")
}

// row adds what came of a fault to the row of its like.
func (x *table) row(c callAt, f faultKind, verdict string, err error) {
	fault := f.name
	if f.code != 2 && f.hang == 0 {
		fault = "any other"
	}
	call := "`" + c.call + "`"
	if c.call == instantiating && c.later && f.code == 2 {
		call += " while others are kept"
	}
	i := slices.IndexFunc(x.rows, func(r row) bool { return r.leg == c.leg && r.fault == fault && r.verdict == verdict })
	if i < 0 {
		i = len(x.rows)
		x.rows = append(x.rows, row{leg: c.leg, fault: fault, verdict: verdict})
		if err != nil {
			x.rows[i].says = lasting(err.Error())
		}
	}
	if !slices.Contains(x.rows[i].calls, call) {
		x.rows[i].calls = append(x.rows[i].calls, call)
	}
}

// does is what the daemon makes of a verdict.
func (r row) does() string {
	switch {
	case r.verdict == served && strings.Contains(r.calls[0], instantiating):
		return "nothing: the other graphs are made again when they are met"
	case r.verdict == served:
		return "logs and counts memory that is not pinned; copies are slower"
	case r.leg == closing:
		return "logs it and ends as it was about to"
	case r.leg == opening && r.verdict == refused:
		return "`--device cuda:N`: exit 1; `auto`: warns, computes on the CPU"
	case r.leg == opening:
		return "`--device cuda:N`: exit 10; `auto`: warns, computes on the CPU"
	case r.leg == replaced && r.verdict == refused:
		return "goes on with the weights before"
	case r.verdict == refused:
		return "does not start: exit 1"
	}
	return "exit 10: the unit starts a new process"
}

func (x *table) String() string {
	var b strings.Builder
	b.WriteString("| While | Call | Fault | Verdict | The error says, for the first | The daemon |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, r := range x.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.leg, strings.Join(r.calls, ", "), r.fault, r.verdict, r.says, r.does())
	}
	return b.String()
}

// document replaces the table in a document, or compares it.
func document(t *testing.T, path, want string) {
	t.Helper()
	const mark = "<!-- faults -->\n"
	text, err := os.ReadFile(path)
	head, old, found := strings.Cut(string(text), mark)
	if err != nil || !found {
		t.Fatalf("%s: %v, no mark for the table", path, err)
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(head+mark+want), 0o644); err != nil {
			t.Error(err)
		}
		return
	}
	if old != want {
		t.Errorf("%s is out of date: go test -tags cuda ./cuda -run FaultTable -rewrite\n%s", path, want)
	}
}
