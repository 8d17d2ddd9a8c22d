// Package tables puts tables that programs have made into documents: between <!-- NAME --> and <!-- /NAME -->.
package tables

import (
	"fmt"
	"os"
	"strings"
)

// Table is a head and rows of equal length.
type Table struct {
	Name string
	Head []string
	Rows [][]string
}

// markdown is the table's text.
func (t *Table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, r := range t.Rows {
		line(r)
	}
	return b.String()
}

// place finds where a document has the table: behind one marker and before the other.
func place(text, name string) (from, to int, err error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	from = strings.Index(text, begin)
	if from >= 0 {
		from += len(begin)
		to = strings.Index(text[from:], end)
	}
	if from < 0 || to < 0 {
		return 0, 0, fmt.Errorf("there is no place for the table %s: write %q and below it %q", name, strings.TrimSpace(begin), end)
	}
	return from, from + to, nil
}

// in is a document, and where in it the table's rows lie.
func (t *Table) in(path string) (text string, from, to int, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", 0, 0, err
	}
	if from, to, err = place(string(data), t.Name); err != nil {
		return "", 0, 0, fmt.Errorf("%s: %w", path, err)
	}
	return string(data), from, to, nil
}

// Write puts the table into the document.
func (t *Table) Write(path string) error {
	text, from, to, err := t.in(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text[:from]+t.markdown()+text[to:]), 0o644)
}

// Check tells whether the document has a table of that name, head and first column. What else is in it is not looked at: to make it may
// take minutes.
func (t *Table) Check(path string) error {
	text, from, to, err := t.in(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(text[from:to]), "\n")
	want := strings.Split(strings.TrimSpace(t.markdown()), "\n")
	same := len(lines) == len(want) && lines[0] == want[0]
	for i := 2; same && i < len(want); i++ {
		same = first(lines[i]) == first(want[i])
	}
	if !same {
		return fmt.Errorf("%s: the table %s is out of date: make policy-tables", path, t.Name)
	}
	return nil
}

// first is a row's first cell.
func first(row string) string { return cells(row)[0] }

func cells(row string) []string {
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(row, "| "), " |"), " | ")
}

// Read fills in the rows that the document has, if it has them under the same head: for a table of which a part alone is made anew.
func (t *Table) Read(path string) error {
	text, from, to, err := t.in(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(text[from:to]), "\n")
	if t.Rows = nil; len(lines) > 2 && lines[0] == strings.Split(t.markdown(), "\n")[0] {
		for _, line := range lines[2:] {
			t.Rows = append(t.Rows, cells(line))
		}
	}
	return nil
}
