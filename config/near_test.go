package config

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
		"num_threads": {"threads"}, "threads_max": {"threads"}, "kv_cache_type": {"kv_type"}, "kv-type-v": {"kv_type"}, "MAX_BODY_SIZE": {"max_body"}, "http-addr": {"http"},
		"num_cpu_threads": nil, "type_kv_cache": nil, "service_port_http": nil,
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
		"CHIMERA_NUM_THREADS": "CHIMERA_THREADS", "CHIMERA_KV_CACHE_TYPE": "CHIMERA_KV_TYPE", "CHIMERA_MODEL_PATH": "CHIMERA_MODEL", "CHIMERA_HTTP_PORT": "CHIMERA_HTTP", "CHIMERA_SERVER_URL": "CHIMERA_SERVER",
		"CHIMERA_SERVICE_HOST": "", "CHIMERA_SERVICE_PORT": "", "CHIMERA_SERVICE_PORT_HTTP": "", "CHIMERA_PORT": "", "CHIMERA_PORT_8080_TCP_ADDR": "", "CHIMERA_MODEL_SERVICE_HOST": "", "CHIMERA_MODEL_PORT_80_TCP": "",
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

// Kubernetes gives each container variables of its services: one that is called chimera-model is no misspelt setting.
func TestVariablesOfServices(t *testing.T) {
	names := []string{"CHIMERA_MODEL", "CHIMERA_HTTP"}
	for line, ok := range map[string]bool{
		"CHIMERA_MODEL_PORT=tcp://10.0.0.11:80": true, "CHIMERA_HTTP_PORT=udp://10.0.0.11:80": true,
		"CHIMERA_MODEL_PORT=80": false, "CHIMERA_HTTP_PORT=": false, "CHIMERA_MODELS=tcp://10.0.0.11:80": false,
	} {
		if err := CheckVariables([]string{line}, names); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
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
