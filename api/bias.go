package api

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chimera/engine"
)

// This file owns the field logit_bias, in OpenAI's form, {"ID": BIAS}, and llama-server's, [[ID, BIAS]].

const biasField = "logit_bias"

// logitBias reads the field. A bias of false, which llama-server has, keeps the token out.
func logitBias(raw jsontext.Value, vocab int) ([]engine.Bias, error) {
	var pairs [][2]jsontext.Value
	var err error
	switch kind := raw.Kind(); {
	case kind == 0 || asksNothing(raw, nil):
		return nil, nil
	case kind == '{':
		pairs, err = biasObject(raw)
	case kind == '[':
		pairs, err = biasPairs(raw)
	default:
		err = badField(biasField, "it must be an object of token ids and biases, not %s", given(raw.Kind(), raw))
	}
	if err != nil {
		return nil, err
	}
	if len(pairs) > maxBiases {
		return nil, badField(biasField, "%d entries, at most %d are allowed", len(pairs), maxBiases)
	}
	return biases(pairs, vocab)
}

// biasObject lists an object's members, in order of their names; a name stays in quotes.
func biasObject(raw jsontext.Value) (pairs [][2]jsontext.Value, err error) {
	var object map[string]jsontext.Value
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		quoted, err := jsontext.AppendQuote(nil, key)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]jsontext.Value{quoted, object[key]})
	}
	return pairs, nil
}

func biasPairs(raw jsontext.Value) (pairs [][2]jsontext.Value, err error) {
	list, err := elements(biasField, raw, maxBiases)
	if err != nil {
		return nil, err
	}
	for _, item := range list {
		if item.Kind() != '[' {
			return nil, badField(biasField, "the entries of a list must be pairs of a token id and a bias")
		}
		pair, err := elements(biasField, item, 2)
		if err != nil {
			return nil, err
		}
		if len(pair) != 2 || pair[0].Kind() != '0' {
			return nil, badField(biasField, "%s, it must be a pair of a token id and a bias", clip(string(item), maxParam))
		}
		pairs = append(pairs, [2]jsontext.Value{pair[0], pair[1]})
	}
	return pairs, nil
}

// biases holds ids and biases to their ranges. An id stands once.
func biases(pairs [][2]jsontext.Value, vocab int) (list []engine.Bias, err error) {
	seen := map[int32]bool{}
	for _, pair := range pairs {
		id, err := biasToken(pair[0], vocab)
		if err != nil {
			return nil, err
		}
		value, err := strconv.ParseFloat(string(pair[1]), 64)
		switch {
		case pair[1].Kind() == 'f':
			value = math.Inf(-1)
		case pair[1].Kind() != '0' || err != nil && math.IsInf(value, 0):
			return nil, badField(biasField+"["+strconv.Itoa(int(id))+"]", "it must be a number, not %s", given(pair[1].Kind(), pair[1]))
		case value < -100 || value > 100:
			return nil, badField(biasField, "%v for token %d, it must lie between -100 and 100", value, id)
		}
		if seen[id] {
			return nil, badField(biasField, "token %d stands twice", id)
		}
		seen[id] = true
		list = append(list, engine.Bias{Token: id, Value: float32(value)})
	}
	return list, nil
}

// biasToken reads an id as a number, or as the name of a member: "+5" and "05" would be a second 5.
func biasToken(key jsontext.Value, vocab int) (int32, error) {
	text := string(key)
	if key.Kind() == '0' {
		return tokenID(biasField, key, vocab)
	}
	if err := json.Unmarshal(key, &text); err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 0 || id >= int64(vocab) || strconv.FormatInt(id, 10) != text {
		return 0, badField(biasField, "key %q is no token id from 0 to %d", text, vocab-1)
	}
	return int32(id), nil
}
