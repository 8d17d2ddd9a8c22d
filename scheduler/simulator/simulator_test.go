package simulator

import (
	"context"
	"os"
	"testing"
	"time"

	"chimera/scheduler/trace"
)

func TestTmp(t *testing.T) {
	for _, f := range []string{"", "../trace/testdata/mooncake_conversation.jsonl", "../trace/testdata/azure_conversation_2023.csv"} {
		var tr *trace.Trace
		if f == "" {
			tr = trace.DefaultSynthetic().Make()
		} else {
			var err error
			if tr, err = trace.Open(f); err != nil {
				t.Fatal(err)
			}
			tr.Speed(0.1)
		}
		began := time.Now()
		r, err := Run(context.Background(), tr, DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		r.Print(os.Stdout)
		t.Logf("%v, %.2f M tokens/s", took, float64(r.Tokens)/took.Seconds()/1e6)
	}
}
