package reference
import "testing"
func TestZ(t *testing.T){ Check(t) }
