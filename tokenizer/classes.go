// This file owns the Unicode classes by which pre-tokenizers cut, as one table look-up per character.
package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// class is the set of classes that a character is in; 0 (control characters, unassigned code points) is possible.
type class uint16

const (
	letter    class = 1 << iota // \p{L}
	number                      // \p{N}
	space                       // \s, as Unicode White_Space
	mark                        // \p{M}
	punct                       // \p{P}
	sign                        // \p{S}
	upper                       // \p{Lu} \p{Lt} \p{Lm} \p{Lo} \p{M}: what may begin a word of mixed case
	lower                       // \p{Ll} \p{Lm} \p{Lo} \p{M}: what may end it
	lineBreak                   // \r \n
	kana                        // DeepSeek V3's pattern for Chinese and Japanese
	wide                        // DeepSeek LLM's for East Asian
	cased                       // DeepSeek LLM's for letters with case
	halfPunct                   // DeepSeek LLM's for punctuation
)

// Sets that no Unicode property names, in the notation of a regular expression; from the tokenizer.json of DeepSeek V3
// and of DeepSeek LLM 7B.
const (
	kanaSet      = "\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff"
	wideSet      = "\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff"
	halfPunctSet = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002"
)

var casedSet = "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5" +
	"\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15" +
	"\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4" +
	"\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4" +
	"\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d" +
	"\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4" +
	"\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e" +
	"\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f" +
	"\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2" +
	"\U000118a0-\U000118df\U0001e900-\U0001e943"

// classTables says which tables make up each class. Go's are those of Unicode 15.
var classTables = []struct {
	class  class
	tables []*unicode.RangeTable
}{
	{letter, []*unicode.RangeTable{unicode.L}},
	{number, []*unicode.RangeTable{unicode.N}},
	{space, []*unicode.RangeTable{unicode.White_Space}},
	{mark, []*unicode.RangeTable{unicode.M}},
	{punct, []*unicode.RangeTable{unicode.P}},
	{sign, []*unicode.RangeTable{unicode.S}},
	{upper, []*unicode.RangeTable{unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M}},
	{lower, []*unicode.RangeTable{unicode.Ll, unicode.Lm, unicode.Lo, unicode.M}},
	{lineBreak, []*unicode.RangeTable{ranges("\r\n")}},
	{kana, []*unicode.RangeTable{ranges(kanaSet)}},
	{wide, []*unicode.RangeTable{ranges(wideSet)}},
	{cased, []*unicode.RangeTable{ranges(casedSet)}},
	{halfPunct, []*unicode.RangeTable{ranges(halfPunctSet)}},
}

// pageSize code points share a page of the table; most pages are equal to another, so that the table takes about 100 KiB.
const pageSize = 256

type classPage [pageSize]class

var (
	asciiClass [utf8.RuneSelf]class
	classPages = buildClassPages()
)

func buildClassPages() (pages [(unicode.MaxRune + 1) / pageSize]*classPage) {
	all := make([]class, unicode.MaxRune+1)
	for _, c := range classTables {
		for _, table := range c.tables {
			paint(all, table, c.class)
		}
	}
	copy(asciiClass[:], all)
	known := map[classPage]*classPage{}
	for i := range pages {
		page := classPage(all[i*pageSize:])
		if known[page] == nil {
			known[page] = &page
		}
		pages[i] = known[page]
	}
	return pages
}

func paint(all []class, table *unicode.RangeTable, c class) {
	for _, r := range table.R16 {
		for at := int(r.Lo); at <= int(r.Hi); at += int(r.Stride) {
			all[at] |= c
		}
	}
	for _, r := range table.R32 {
		for at := int(r.Lo); at <= int(r.Hi); at += int(r.Stride) {
			all[at] |= c
		}
	}
}

// ranges makes a table of single characters and ranges with a hyphen.
func ranges(set string) *unicode.RangeTable {
	table := &unicode.RangeTable{}
	all := []rune(set)
	for i := 0; i < len(all); i++ {
		low, high := all[i], all[i]
		if i+2 < len(all) && all[i+1] == '-' {
			high = all[i+2]
			i += 2
		}
		table.R32 = append(table.R32, unicode.Range32{Lo: uint32(low), Hi: uint32(high), Stride: 1})
	}
	return table
}

// classAt returns the class and the size of the character at text[i:]; both are 0 at the end.
func classAt(text string, i int) (c class, size int) {
	if i >= len(text) {
		return 0, 0
	}
	if b := text[i]; b < utf8.RuneSelf {
		return asciiClass[b], 1
	}
	r, size := utf8.DecodeRuneInString(text[i:])
	return classPages[r/pageSize][r%pageSize], size
}

// skip returns the end of the run of characters of any of the classes that begins at text[i:].
func skip(text string, i int, any class) int {
	for {
		c, size := classAt(text, i)
		if c&any == 0 {
			return i
		}
		i += size
	}
}

// skipNot returns the end of the run of characters of none of the classes that begins at text[i:].
func skipNot(text string, i int, none class) int {
	for {
		c, size := classAt(text, i)
		if size == 0 || c&none != 0 {
			return i
		}
		i += size
	}
}
