package model

import (
	"errors"
	"reflect"
	"testing"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tests of numbers that are given by layer.

func TestNumbersByLayer(t *testing.T) {
	list := func(kind weights.ValueType, any any) weights.Value {
		return weights.Value{Type: weights.Array, Element: kind, Any: any}
	}
	signed := func(n ...int64) weights.Value { return list(weights.Int32, n) }
	for _, architecture := range Architectures() {
		for _, name := range []string{"attention.head_count", "attention.head_count_kv", "feed_forward_length"} {
			key := architecture + "." + name
			one, given := sound(architecture).keys[key].Any.(uint64)
			if !given { // as many as there are heads
				one = sound(architecture).keys[architecture+".attention.head_count"].Any.(uint64)
			}
			n := int64(one)
			want := built(t, sound(architecture).set(key, number(one)))
			for _, v := range []weights.Value{signed(n, n), list(weights.Uint32, []uint64{one, one}), list(weights.Uint64, []uint64{one, one})} {
				if got := built(t, sound(architecture).set(key, v)); !reflect.DeepEqual(got, want) {
					t.Errorf("%s = %v gives another program than %d", key, v.Any, n)
				}
			}
			for says, v := range map[string]weights.Value{
				"key " + key + " has 1 entries for 2 layers": signed(n), "key " + key + " has 3 entries for 2 layers": signed(n, n, n), "key " + key + " has 0 entries": signed(),
				"key " + key + " is 0, it must lie between 1 and ": signed(0, 0), "key " + key + " is -1, it must lie": signed(n, -1),
				"key " + key + ": want integers of 32 bits": list(weights.Uint64, []uint64{1 << 40, 1 << 40}), "key " + key + ": want an array of integers": list(weights.Text, []string{"a", "b"}),
			} {
				_, err := Build(sound(architecture).set(key, v).file(t))
				if err == nil {
					t.Fatalf("key %s = %v was taken", key, v.Any)
				}
				named(t, err, says)
			}
			var unsupported *engine.UnsupportedError
			if _, err := Build(sound(architecture).set(key, signed(n, 2*n)).file(t)); !errors.As(err, &unsupported) {
				t.Errorf("%s: layers of two sizes: %v", key, err)
			} else {
				named(t, err, "key "+key)
			}
		}
	}
}
