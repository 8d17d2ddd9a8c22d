//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gorgonia.org/cu"

	"chimera/cuda/cudatest"
	"chimera/engine"
)

// This file owns the processes of the tests: they run on the fake driver, and what Open says of other
// machines is seen in children, since a process opens its driver once.

const childMark = "CHIMERA_CUDA_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMark) {
	case "describe":
		fmt.Println(Describe())
		_, err := openDevice(0, "smol")
		fmt.Println("open:", err)
	case "fail":
		openLimit = deadline
		_, err := New(0, "tiny")
		fmt.Printf("%v\npoisoned: %v", err, errors.Is(err, engine.ErrPoisoned))
	case "before":
		_, err := cu.NumDevices()
		fmt.Println(err, cu.Version())
	case "check":
		if err := checkMain(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "check-group":
		checkGroupMain(os.Args[1])
	default:
		cudatest.Main(m)
	}
}

// child runs this binary with an environment and returns what it printed; it must end well.
func child(t *testing.T, what string, env []string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(env, childMark+"="+what)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(bytes.TrimSpace(out))
}

// withLibrary is this process's environment, changed so that the driver's library is sought in folder first.
func withLibrary(folder string) []string { return append(os.Environ(), "LD_LIBRARY_PATH="+folder) }

func wantText(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("%q does not say %q", got, part)
		}
	}
}
