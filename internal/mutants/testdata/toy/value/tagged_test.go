//go:build tagged

package value

import "testing"

func TestTagged(t *testing.T) {
	if Twice(2) != 4 {
		t.Error(Twice(2))
	}
}
