package daemon

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// This file owns tests of names that do not exist.

func TestNear(t *testing.T) {
	names := []string{"threads", "kv_type", "ctx", "http", "log_level", "max_body", "max_logprobs", "model", "isa"}
	for name, want := range map[string][]string{
		"thread": {"threads"}, "treads": {"threads"}, "theards": {"threads"}, "THREADS": {"threads"}, "threadss": {"threads"},
		"kv-type": {"kv_type"}, "KVTYPE": {"kv_type"}, "kv": {"kv_type"}, "type": {"kv_type"}, "level": {"log_level"},
		"loglevel": {"log_level"}, "log_levle": {"log_level"}, "max": {"max_body", "max_logprobs"}, "max_bodies": {"max_body"},
		"cxt": {"ctx"}, "ctz": {"ctx"}, "htp": {"http"}, "https": {"http"}, "models": {"model"}, "iso": {"isa"},
		"x": nil, "": nil, "xyzzy": nil, "smollm2": nil, "python": nil, "mt": nil, "soak": nil, "golden": nil, "test_main": nil, "port": nil, "server": nil, "ünïcode": nil,
	} {
		if got := Near(name, names); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"same", "same", 0}, {"abcd", "abd", 1}, {"abd", "abcd", 1},
		{"abcd", "abxd", 1}, {"abcd", "acbd", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A variable that is nearly a setting's is refused, and says which; what the project's own tests use, and any other name, passes.
func TestVariablesThatAreNoSettings(t *testing.T) {
	for name, want := range map[string]string{
		"CHIMERA_THREAD": "CHIMERA_THREADS", "CHIMERA_TREADS": "CHIMERA_THREADS", "chimera_threads": "CHIMERA_THREADS", "CHIMERA_KV": "CHIMERA_KV_TYPE",
		"CHIMERA_LOGLEVEL": "CHIMERA_LOG_LEVEL", "CHIMERA_MODELS": "CHIMERA_MODEL", "CHIMERA_CONFIGS": "CHIMERA_CONFIG", "CHIMERA_SERVR": "CHIMERA_SERVER",
		"CHIMERA_SMOLLM2": "", "CHIMERA_PYTHON": "", "CHIMERA_CONFORMANCE": "", "CHIMERA_GOLDEN": "", "CHIMERA_MT": "", "CHIMERA_SOAK": "", "CHIMERA_NOW": "", "CHIMERA_SERVER": "",
		"CHIMERA_TEST_MAIN": "", "CHIMERA_TEST_LOCK": "", "CHIMERA_TEST_LISTENERS": "", "CHIMERA_CUDA_CHILD": "", "CHIMERA_GPU_CHECK_SKIP": "", "CHIMERA": "", "CHIMERA_": "", "CHIMERATHREADS": "", "THREADS": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "1")
			_, err := resolve(t, "")
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%s is not read; did you mean %s?", name, want)) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

func TestUnknownKeysAreNamed(t *testing.T) {
	for key, want := range map[string]string{
		"treads": "unknown key treads; did you mean threads?", "kv-type": "unknown key kv-type; did you mean kv_type?", "xyzzy": "unknown key xyzzy", "max": "did you mean max_",
	} {
		_, err := resolve(t, key+" = 1\n")
		if err == nil || !strings.Contains(err.Error(), want) || want == "unknown key xyzzy" && strings.Contains(err.Error(), "mean") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
