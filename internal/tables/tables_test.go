package tables

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.md")
	if err := os.WriteFile(path, []byte("a\n\n<!-- x -->\nold\n<!-- /x -->\n\nb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	table := Table{Name: "x", Head: []string{"n", "ms"}, Rows: [][]string{{"1", "2.5"}, {"2", "3"}}}
	if err := table.Check(path); err == nil || !strings.Contains(err.Error(), "out of date") {
		t.Errorf("an old table: %v", err)
	}
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if want := "a\n\n<!-- x -->\n| n | ms |\n| --- | --- |\n| 1 | 2.5 |\n| 2 | 3 |\n<!-- /x -->\n\nb\n"; err != nil || string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
	again := Table{Name: "x", Head: table.Head}
	if err := again.Read(path); err != nil || !reflect.DeepEqual(again.Rows, table.Rows) {
		t.Errorf("it reads %q, %v", again.Rows, err)
	}
	if again.Head = []string{"n", "s"}; again.Read(path) != nil || again.Rows != nil {
		t.Errorf("rows under another head: %q", again.Rows)
	}
	table.Rows[0][1] = "7" // figures may differ
	if err := table.Check(path); err != nil {
		t.Error(err)
	}
	for _, other := range []Table{{"x", []string{"n", "s"}, table.Rows}, {"x", table.Head, table.Rows[:1]}, {"x", table.Head, [][]string{{"1", "2"}, {"3", "3"}}}, {"y", table.Head, table.Rows}} {
		if other.Check(path) == nil {
			t.Errorf("%+v passes", other)
		}
	}
	if missing := (&Table{Name: "y"}); missing.Write(path) == nil {
		t.Error("a table without a place was written")
	}
}
