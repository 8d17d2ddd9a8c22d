//go:build cuda

package daemon

import (
	"testing"

	"chimera/cuda/cudatest"
)

// In the build for GPUs all models of the tests run on the emulated one: --device is auto.
func TestMain(m *testing.M) { cudatest.Main(m) }
