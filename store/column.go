package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// This file owns how a value of a row is written to its column and read back.

// column is one column of a row, and where the row has its value. One list of them is all that a table says of its rows: it is
// what is inserted, read, and summed, so that none can know a column that another has forgotten.
type column struct {
	name string
	at   any // a pointer to one of the types below
}

// value is what SQLite is given. A number that is unknown (NaN), a text that is not kept (nil) and an ID or a Tenant that is zero are NULL.
func (c column) value() driver.Value {
	switch at := c.at.(type) {
	case *int64:
		return *at
	case *uint64:
		return int64(*at) // the same bits: SQLite's integers have a sign
	case *float64:
		if math.IsNaN(*at) {
			return nil
		}
		return *at + 0 // of the two zeros SQLite keeps one
	case *string:
		return *at
	case **string:
		if *at == nil {
			return nil
		}
		return **at
	case *json.RawMessage:
		return string(*at)
	case *DecisionState:
		return string(*at)
	case *time.Time:
		return micros(*at)
	case *time.Duration:
		return int64(*at)
	case *ID:
		return bytesOf(*at)
	case *Tenant:
		return bytesOf(*at)
	}
	panic(fmt.Sprintf("store: column %s has a value of type %T", c.name, c.at)) // no input gets here: the lists are constant, and tested
}

// set takes what SQLite gave. A value of another type than the column's is damage.
func (c column) set(v any) error {
	ok := false
	switch at := c.at.(type) {
	case *int64:
		*at, ok = v.(int64)
	case *uint64:
		var n int64
		n, ok = v.(int64)
		*at = uint64(n)
	case *float64:
		*at, ok = v.(float64)
		if v == nil {
			*at, ok = math.NaN(), true
		}
	case *string:
		*at, ok = v.(string)
	case **string:
		ok = setOptional(at, v)
	case *json.RawMessage:
		ok = setText(at, v)
	case *DecisionState:
		ok = setText(at, v)
	case *time.Time:
		var n int64
		n, ok = v.(int64)
		*at = timeOf(n)
	case *time.Duration:
		var n int64
		n, ok = v.(int64)
		*at = time.Duration(n)
	case *ID:
		ok = setBytes(at, v)
	case *Tenant:
		ok = setBytes(at, v)
	}
	if !ok {
		return fmt.Errorf("column %s holds a value of another type", c.name)
	}
	return nil
}

func setText[T ~string | ~[]byte](at *T, v any) bool {
	text, ok := v.(string)
	*at = T(text)
	return ok
}

func setOptional(at **string, v any) bool {
	*at = nil
	text, ok := v.(string)
	if ok {
		*at = &text
	}
	return ok || v == nil
}

func setBytes[T ID | Tenant](at *T, v any) bool {
	b, ok := v.([]byte)
	*at = T{}
	if len(b) == len(*at) {
		*at = T(b)
	}
	return v == nil || ok && len(b) == len(*at)
}

// bytesOf is nil for what names nobody.
func bytesOf[T ID | Tenant](t T) driver.Value {
	if t == (T{}) {
		return nil
	}
	return []byte(t[:])
}

// micros is a time as it is stored: microseconds since 1970, 0 for no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
