package store

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// This file owns the checksum of a row: CRC-32C over a canonical encoding, so that a byte that a disk, a cable or another
// program changed is noticed wherever it lies. SQLite itself notices only what breaks the structure of a page.
//
// CRC-32C finds every change within 32 bits in a row, and misses one of four billion others (Koopman, "32-bit cyclic redundancy
// codes for Internet applications", DSN 2002). It is no defence against someone who changes rows on purpose: the file is its owner's.

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // which CPUs have an instruction for

// The tags of the encoding: a value of one type is never that of another.
const (
	tagInteger = 'i'
	tagReal    = 'r'
	tagText    = 't'
	tagBytes   = 'b'
)

// sum is the checksum of a row of a table: of where it lies and of all its columns.
func sum(table string, row int64, columns []column, scratch *[]byte) int64 {
	b := appendText((*scratch)[:0], table)
	b = binary.LittleEndian.AppendUint64(b, uint64(row))
	for _, c := range columns {
		b = c.encode(b)
	}
	*scratch = b
	return int64(crc32.Checksum(b, castagnoli))
}

// encode appends the column's name and value. What a column of older rows holds when a migration adds it (0, an empty text, NULL) is
// left out, so that their sums stay right; names and lengths make that unambiguous.
func (c column) encode(b []byte) []byte {
	_, optional := c.at.(**string) // an empty text is not the absence of one
	switch v := c.value().(type) {
	case int64:
		if v != 0 {
			b = append(appendText(b, c.name), tagInteger)
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
	case float64:
		b = append(appendText(b, c.name), tagReal) // 0 too: NULL is what is left out
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	case string:
		if v != "" || optional {
			b = appendText(append(appendText(b, c.name), tagText), v)
		}
	case []byte:
		b = append(appendText(b, c.name), tagBytes)
		b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
