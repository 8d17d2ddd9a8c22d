// This file checks a vocabulary before any table is built from it, and owns the kinds of token.
package tokenizer

import (
	"fmt"
	"math"
)

// kind is the type of a token, as a set: a token may be marked as control beside what the file says.
type kind uint8

const (
	kindNormal kind = 1 << iota
	kindUnknown
	kindControl
	kindUserDefined
	kindUnused
	kindByte
)

// fileKinds maps tokenizer.ggml.token_type; 0 is "undefined", which stands for no text and matches none.
var fileKinds = [...]kind{0, kindNormal, kindUnknown, kindControl, kindUserDefined, kindUnused, kindByte}

// hidden tokens mean something to the model and nothing to a reader.
func (k kind) hidden() bool { return k&(kindControl|kindUnknown) != 0 }

// literal tokens stand for their own text; all others are spelled in the family's alphabet.
func (k kind) literal() bool { return k&(kindControl|kindUnknown|kindUserDefined) != 0 }

func invalid(key, format string, args ...any) error {
	return fmt.Errorf("%w: tokenizer.ggml.%s %s", ErrInvalid, key, fmt.Sprintf(format, args...))
}

// check validates lengths, ids, types and scores, and returns the kind of every token.
func (v *Vocab) check() ([]kind, error) {
	n := len(v.Tokens)
	if n == 0 || n > math.MaxInt32 {
		return nil, invalid("tokens", "has %d entries", n)
	}
	if v.Model == "llama" && len(v.Scores) != n {
		return nil, invalid("scores", "has %d entries for %d tokens", len(v.Scores), n)
	}
	for id, score := range v.Scores {
		if score != score {
			return nil, invalid("scores", "is not a number for token %d", id)
		}
	}
	bytes := 0
	for _, text := range v.Tokens {
		if bytes += len(text); bytes > math.MaxInt32 {
			return nil, invalid("tokens", "has more than 2 GiB of text")
		}
	}
	return v.checkTypes()
}

// settleIDs passes over ids that are no tokens (published files have them, -1 and 99999 alike), and gives a SentencePiece
// file the ids that its trainer's defaults are where it says none: <unk> 0, <s> 1 and </s> 2, if those tokens are of the kind.
func (v *Vocab) settleIDs(kinds []kind) (warnings []string) {
	for _, special := range []struct {
		key     string
		id      **int64
		usual   int32
		ofKinds kind
	}{
		{"bos_token_id", &v.BOS, 1, kindControl}, {"eos_token_id", &v.EOS, 2, kindControl}, {"unknown_token_id", &v.UNK, 0, kindUnknown},
		{"eot_token_id", &v.EOT, None, 0}, {"eom_token_id", &v.EOM, None, 0},
		{"fim_pad_token_id", &v.FIMPad, None, 0}, {"fim_rep_token_id", &v.FIMRepo, None, 0}, {"fim_sep_token_id", &v.FIMSeparator, None, 0},
	} {
		was := "is missing"
		if *special.id != nil {
			if id := **special.id; id >= 0 && int(id) < len(kinds) {
				continue
			}
			was = fmt.Sprintf("is %d, but there are %d tokens", **special.id, len(kinds))
			*special.id = nil
		}
		usual := special.usual
		switch {
		case v.Model == "llama" && usual != None && int(usual) < len(kinds) && (kinds[usual]&special.ofKinds != 0 || v.Types == nil):
			id := int64(usual)
			*special.id = &id
			warnings = append(warnings, fmt.Sprintf("tokenizer.ggml.%s %s: %d, %q, is taken, as is usual", special.key, was, usual, v.Tokens[usual]))
		case was != "is missing":
			warnings = append(warnings, fmt.Sprintf("tokenizer.ggml.%s %s: it is passed over", special.key, was))
		}
	}
	return warnings
}

func (v *Vocab) checkTypes() ([]kind, error) {
	if v.Types != nil && len(v.Types) != len(v.Tokens) {
		return nil, invalid("token_type", "has %d entries for %d tokens", len(v.Types), len(v.Tokens))
	}
	kinds := make([]kind, len(v.Tokens))
	for id := range kinds {
		kinds[id] = kindNormal
		if v.Types == nil {
			continue
		}
		typ := v.Types[id]
		if typ < 0 || int(typ) >= len(fileKinds) {
			return nil, invalid("token_type", "is %d for token %d", typ, id)
		}
		kinds[id] = fileKinds[typ]
		if kinds[id] == kindByte {
			if _, ok := parseByteToken(v.Tokens[id]); !ok {
				return nil, invalid("tokens", "has %q of type byte at %d, which is not of the form <0x0A>", v.Tokens[id], id)
			}
		}
	}
	return kinds, nil
}

// parseByteToken reads "<0x0A>".
func parseByteToken(text string) (value byte, ok bool) {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	high, low := hexDigit(text[3]), hexDigit(text[4])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// flag returns a file's flag, or what it means when the file is silent.
func flag(set *bool, silent bool) bool {
	if set != nil {
		return *set
	}
	return silent
}

// orNone is an id that was settled, so that it is a token's.
func orNone(id *int64) int32 {
	if id == nil {
		return None
	}
	return int32(*id)
}
