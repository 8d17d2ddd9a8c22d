package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"chimera/config"
	"chimera/daemon"
	"chimera/quality/suites"
)

// This file owns the verb quantize.

func quantizeCommand() *cobra.Command {
	var r daemon.QuantizeRequest
	var size mixSize
	var calibrate string
	c := &cobra.Command{
		Use: "quantize --type TYPE | --mix BITS|BYTES --calibrate SUITE  IN OUT", Short: "Rewrite a model file in another type", Args: operands("IN", "OUT"),
		Long: `Rewrite the model file IN as OUT, with its matrices in another type: f32, f16, q8_0, q6_k, q5_k, q4_k, q3_k or q2_k, or the older q5_1, q5_0 and
q4_0. Vectors stay f32; norms, biases, the routers of experts and tables of positions stay as they are; the embedding and the head have q6_k at
least, and with q3_k and q2_k some matrices the next type up. --tensor-type chooses otherwise for tensors by name. A tensor that the type can't
hold, because of its rows' length or its values, gets one that can, one that has as few bits already stays as it is, and a line on standard
error says so. OUT appears whole or not at all, also where Ctrl+C ends it, and replaces regular files only, never the one that is read. No
daemon is needed.

--mix gives each matrix a type of its own, from q2_k to q8_0, so that all have so many bits a value on average, or all tensors so many bytes, and the
answers change as little as they can. What each type costs each matrix is measured on the references of the tuning half of a suite, which takes a pass over
1,000 tokens for each of them, and memory for twice the model. A table of the choice is printed. The same file, suite and size give the same OUT.`,
		Example: `  chimera quantize --type q8_0 model-f16.gguf model-q8_0.gguf
  chimera quantize --type q4_k --tensor-type 'attn_v|ffn_down=q6_k' model-f16.gguf model-q4_k.gguf
  chimera quantize --mix 3.5 --calibrate suite.jsonl model-f16.gguf model-mix.gguf
  chimera quantize --mix 2GiB --calibrate qa model-f16.gguf model-mix.gguf`,
	}
	c.Flags().StringVar(&r.Type, "type", "", "`type` of the matrices: "+daemon.QuantizeTypes())
	c.Flags().StringArrayVar(&r.Tensors, "tensor-type", nil, "`PATTERN=TYPE` for tensors whose name the regular expression finds; the first that does counts (may be repeated)")
	c.Flags().Var(&size, "mix", "`size` of a mix of types: bits a value, such as 3.5, or bytes of all tensors, also as 900MiB or 2GiB")
	c.Flags().StringVar(&calibrate, "calibrate", "", "`file` of the suite that a mix is measured by, or one that comes with the program")
	c.MarkFlagsOneRequired("type", "mix")
	c.MarkFlagsMutuallyExclusive("type", "mix")
	c.MarkFlagsRequiredTogether("mix", "calibrate")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		ctx, cancel := interruptible(c)
		defer cancel()
		r.In, r.Out = args[0], args[1]
		if c.Flags().Changed("mix") {
			if r.Mix, err = chooseMix(ctx, c, r.In, calibrate, size); err != nil {
				return err
			}
		}
		set, wait := bar(c.ErrOrStderr(), "quantize")
		r.Progress = set
		r.Notice = func(text string) { fmt.Fprintln(c.ErrOrStderr(), "chimera:", text) } // all before the first progress
		err = daemon.Quantize(ctx, r)
		wait()
		if err == nil && r.Mix != nil {
			err = r.Mix.Print(c.OutOrStdout())
		}
		return err
	}
	return c
}

func chooseMix(ctx context.Context, c *cobra.Command, in, calibrate string, size mixSize) (*daemon.Mix, error) {
	s, err := suites.Open(calibrate)
	if err != nil {
		return nil, err
	}
	set, wait := bar(c.ErrOrStderr(), "measure")
	defer wait()
	return daemon.ChooseMix(ctx, daemon.MixRequest{Model: in, Size: daemon.MixSize(size), Calibration: s, Progress: set})
}

// mixSize is a flag: bits a value, or bytes with a unit or without.
type mixSize daemon.MixSize

// mostMixBits is what is no number of bytes yet: no type that is chosen from has as many.
const mostMixBits = 16

func (s *mixSize) String() string {
	if s.Bits > 0 {
		return strconv.FormatFloat(s.Bits, 'g', -1, 64)
	}
	if s.Bytes > 0 {
		return (*config.Size)(&s.Bytes).String()
	}
	return ""
}

// Type is what --help calls the value.
func (s *mixSize) Type() string { return "size" }

// Set implements pflag.Value.
func (s *mixSize) Set(text string) error {
	*s = mixSize{}
	if bits, err := strconv.ParseFloat(text, 64); err == nil && bits <= mostMixBits {
		if bits <= 0 {
			return errors.New("use more than 0 bits a value")
		}
		s.Bits = bits
		return nil
	}
	var bytes config.Size
	if err := bytes.Set(text); err != nil {
		return fmt.Errorf("use bits a value, such as 3.5, or bytes such as 900MiB or 2GiB")
	}
	s.Bytes = int64(bytes)
	return nil
}
