package cgotest

/*
#include "../pack.h"
#include "../step.h"
*/
import "C"

import (
	"reflect"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns what Go and C both state: records that one writes and the other reads, and numbers.

// probeRecords are the structures that Go writes and C reads, as both see them.
func probeRecords() [][2]reflect.Type {
	return [][2]reflect.Type{
		{reflect.TypeFor[engine.SequenceRows](), reflect.TypeFor[C.struct_sequence_rows]()},
		{reflect.TypeFor[engine.Table](), reflect.TypeFor[C.struct_table]()},
		{reflect.TypeFor[engine.Output](), reflect.TypeFor[C.struct_output]()},
		{reflect.TypeFor[engine.Penalty](), reflect.TypeFor[C.struct_penalty]()},
		{reflect.TypeFor[engine.Bias](), reflect.TypeFor[C.struct_bias]()},
		{reflect.TypeFor[engine.Result](), reflect.TypeFor[C.struct_result]()},
		{reflect.TypeFor[engine.TopToken](), reflect.TypeFor[C.struct_top_token]()},
	}
}

// probeNumbers are the constants that both sides state: C's, then Go's.
func probeNumbers() map[string][2]int {
	return map[string][2]int{
		"OUTPUT_SAMPLE": {C.OUTPUT_SAMPLE, int(engine.Sample)}, "OUTPUT_SCORE": {C.OUTPUT_SCORE, int(engine.Score)},
		"OUTPUT_WHOLE_ROW": {C.OUTPUT_WHOLE_ROW, int(engine.WholeRow)}, "OUTPUT_LOG_SUM_EXP": {C.OUTPUT_LOG_SUM_EXP, int(engine.LogSumExp)},
		"OUTPUT_RANK": {C.OUTPUT_RANK, int(engine.Rank)}, "OUTPUT_TAPPED": {C.OUTPUT_TAPPED, int(engine.Tapped)}, "PAGE_TOKENS": {C.PAGE_TOKENS, engine.PageTokens},
		"VECTOR_ROWS": {C.VECTOR_ROWS, int(engine.VectorRow(1 << 30))}, "MASK_CAUSAL": {C.MASK_CAUSAL, int(engine.Causal)},
		"MASK_WINDOW": {C.MASK_WINDOW, int(engine.Window)}, "MASK_BIDIRECTIONAL": {C.MASK_BIDIRECTIONAL, int(engine.Bidirectional)},
		"MASK_CROSS": {C.MASK_CROSS, int(engine.Cross)}, "PER_TOKEN": {C.PER_TOKEN, int(engine.PerToken)},
		"PER_OUTPUT": {C.PER_OUTPUT, int(engine.PerOutput)}, "PER_EXPERT": {C.PER_EXPERT, int(engine.PerExpert)},
		"PER_SEQUENCE": {C.PER_SEQUENCE, int(engine.PerSequence)},
		"NORM_RMS":     {C.NORM_RMS, int(engine.RMSNorm)}, "NORM_LAYER": {C.NORM_LAYER, int(engine.LayerNorm)},
		"ACT_IDENTITY": {C.ACT_IDENTITY, int(engine.Identity)}, "ACT_SILU": {C.ACT_SILU, int(engine.SiLU)},
		"ACT_GELU_TANH": {C.ACT_GELU_TANH, int(engine.GELUTanh)}, "ACT_GELU": {C.ACT_GELU, int(engine.GELU)},
		"ROPE_ADJACENT": {C.ROPE_ADJACENT, int(engine.RopeAdjacent)}, "ROPE_HALVES": {C.ROPE_HALVES, int(engine.RopeHalves)},
		"PHASE_ROPE_TABLE": {C.PHASE_ROPE_TABLE, int(lowering.RopeTable)}, "PHASE_EMBED": {C.PHASE_EMBED, int(lowering.Embed)},
		"PHASE_NORM": {C.PHASE_NORM, int(lowering.Norm)}, "PHASE_QUANTISE": {C.PHASE_QUANTISE, int(lowering.Quantise)},
		"PHASE_LINEARS": {C.PHASE_LINEARS, int(lowering.Linears)}, "PHASE_STORE": {C.PHASE_STORE, int(lowering.Store)},
		"PHASE_ATTEND": {C.PHASE_ATTEND, int(lowering.Attend)}, "PHASE_ADD": {C.PHASE_ADD, int(lowering.Add)},
		"PHASE_ROWS": {C.PHASE_ROWS, int(lowering.Rows)}, "PHASE_TAP": {C.PHASE_TAP, int(lowering.Tap)},
		"PHASE_HEAD": {C.PHASE_HEAD, int(lowering.Head)},
	}
}
