//go:build cuda

package cuda

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// This file holds the embedded image to be what a GPU wants, since the emulated driver can run none of it: a fatbin with
// the architectures that this build says it has, each kernel that launches name in each of them, and launches that its
// registers, shared memory and __launch_bounds__ allow.

// imagePart is some code of a fatbin.
type imagePart struct {
	ptx  bool
	arch uint32 // 90: sm_90
	code []byte
}

// fatbinHeader and partHeader are as nvcc writes them; a part's is longer, and says how long.
type fatbinHeader struct {
	Magic           uint32
	Version, Header uint16
	Bytes           uint64
}

type partHeader struct {
	Kind, Version     uint16
	Header            uint32
	Bytes             uint64
	CompressedBytes   uint32
	OptionsAt         uint32
	Minor, Major      uint16
	Arch              uint32
	NameAt, NameBytes uint32
	Flags             uint64
	_                 uint64
	Uncompressed      uint64
}

// partsOf takes a fatbin apart.
func partsOf(image []byte) (all []imagePart, err error) {
	r := bytes.NewReader(image)
	var h fatbinHeader
	if err := binary.Read(r, binary.LittleEndian, &h); err != nil || h.Magic != 0xba55ed50 || h.Version != 1 || h.Header != 16 {
		return nil, fmt.Errorf("no fatbin: %+v (%v)", h, err)
	}
	if h.Bytes != uint64(r.Len()) {
		return nil, fmt.Errorf("the fatbin has %d bytes behind its header and says %d", r.Len(), h.Bytes)
	}
	for r.Len() > 0 {
		at := len(image) - r.Len()
		var p partHeader
		if err := binary.Read(r, binary.LittleEndian, &p); err != nil {
			return nil, fmt.Errorf("a part's header at %d: %w", at, err)
		}
		left := uint64(len(image) - at)
		if (p.Kind != 1 && p.Kind != 2) || uint64(p.Header) < 64 || uint64(p.Header) > left || p.Bytes == 0 || p.Bytes > left-uint64(p.Header) || uint64(p.CompressedBytes) > p.Bytes {
			return nil, fmt.Errorf("a part at %d: %+v", at, p)
		}
		code := image[at+int(p.Header):][:p.Bytes]
		if p.CompressedBytes > 0 {
			if code, err = unpacked(code[:p.CompressedBytes]); err != nil || uint64(len(code)) != p.Uncompressed {
				return nil, fmt.Errorf("the part at %d: %d bytes, want %d (%w)", at, len(code), p.Uncompressed, err)
			}
		}
		all = append(all, imagePart{p.Kind == 1, p.Arch, code})
		if _, err := r.Seek(int64(at)+int64(p.Header)+int64(p.Bytes), io.SeekStart); err != nil {
			return nil, err
		}
	}
	if all == nil {
		return nil, errors.New("the fatbin is empty")
	}
	return all, nil
}

func unpacked(b []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// resources are what one kernel takes on one architecture.
type resources struct {
	registers, shared int    // of a thread, of a block in bytes
	bound             uint32 // threads of a block, 0: not stated
}

// kernelsOf reads a cubin, which is an ELF file: a kernel's code is in .text.NAME, its shared memory's size in
// .nv.shared.NAME, and what else is to be known in .nv.info.NAME and, for all, in .nv.info.
func kernelsOf(cubin []byte) (map[string]resources, error) {
	f, err := elf.NewFile(bytes.NewReader(cubin))
	if err != nil {
		return nil, err
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	all := map[string]resources{}
	for _, s := range f.Sections {
		name, code := strings.CutPrefix(s.Name, ".text.")
		if !code {
			continue
		}
		k := resources{}
		if shared := f.Section(".nv.shared." + name); shared != nil {
			k.shared = int(shared.Size)
		}
		for _, bound := range attributes(f.Section(".nv.info."+name), maxThreads) {
			k.bound = max(k.bound, bound[0]*max(bound[1], 1)*max(bound[2], 1))
		}
		for _, count := range attributes(f.Section(".nv.info"), registerCount) {
			if int(count[0]) <= len(symbols) && symbols[count[0]-1].Name == name { // Go leaves the first symbol out
				k.registers = int(count[1])
			}
		}
		all[name] = k
	}
	return all, nil
}

// Attributes of a kernel, by their numbers: three dimensions; a symbol and its registers.
const (
	maxThreads    = 0x05
	registerCount = 0x2f
)

// attributes lists the words of those with a number: each is a form, a number, and a value or the size of what follows.
func attributes(s *elf.Section, number byte) (all [][]uint32) {
	const sized = 4
	if s == nil {
		return nil
	}
	info, _ := s.Data()
	for len(info) >= 4 {
		form, attribute, n := info[0], info[1], int(binary.LittleEndian.Uint16(info[2:]))
		info = info[4:]
		if form != sized {
			continue
		}
		n = min(n, len(info))
		if attribute == number {
			words := make([]uint32, 3)
			for i := range min(n/4, 3) {
				words[i] = binary.LittleEndian.Uint32(info[4*i:])
			}
			all = append(all, words)
		}
		info = info[n:]
	}
	return all
}

// blocksOf are the blocks that this package launches kernels with.
func blocksOf(t *testing.T) map[string]grid {
	t.Helper()
	all := map[string]grid{"copy_pages": {256, 1, 1}, "repack": {256, 1, 1}} // beside the steps
	p, w := odd(t)
	l, err := lower(p, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, launch := range (&filler{lowered: l, options: options(p, 0)}).launches() {
		all[launch.kernel] = launch.block
	}
	return all
}

func TestKernelImage(t *testing.T) {
	parts, err := partsOf([]byte(kernelImage))
	if err != nil {
		t.Fatal(err)
	}
	var ptx, machine []uint32
	blocks := blocksOf(t)
	if len(blocks) < 15 {
		t.Errorf("%d kernels only: %v", len(blocks), slices.Sorted(maps.Keys(blocks)))
	}
	for _, p := range parts {
		if p.ptx {
			ptx = append(ptx, p.arch)
			for name := range blocks {
				if !bytes.Contains(p.code, []byte(".entry "+name+"(")) {
					t.Errorf("the PTX has no kernel %s", name)
				}
			}
			continue
		}
		machine = append(machine, p.arch)
		kernels, err := kernelsOf(p.code)
		if err != nil {
			t.Fatalf("sm_%d: %v", p.arch, err)
		}
		for name, block := range blocks {
			k, there := kernels[name]
			threads := block[0] * block[1] * block[2]
			if !there || int(k.bound) < threads {
				t.Errorf("sm_%d: %s is launched with %d threads, and its bound is %d (there: %t)", p.arch, name, threads, k.bound, there)
			}
			if k.registers == 0 || k.registers*threads > 65536 || k.shared > 48<<10 {
				t.Errorf("sm_%d: %s with %d threads takes %d registers each and %d bytes of shared memory: no multiprocessor has so much", p.arch, name, threads, k.registers, k.shared)
			}
		}
	}
	if !slices.Equal(ptx, []uint32{neededCapability}) || !slices.Equal(machine, []uint32{80, 86, 89, 90}) {
		t.Errorf("PTX for %d, machine code for %d", ptx, machine)
	}
}

// What is no fatbin, or none any more, is found out.
func TestNoKernelImage(t *testing.T) {
	image := []byte(kernelImage)
	for name, text := range map[string][]byte{
		"nothing": nil, "a header": image[:16], "its first half": image[:len(image)/2], "a byte too few": image[:len(image)-1],
		"a byte too many": append(slices.Clone(image), 0), "an ELF file": append([]byte("\x7fELF"), image[4:]...), "text": []byte(strings.Repeat("kernels\n", 40)),
	} {
		if parts, err := partsOf(text); err == nil {
			t.Errorf("%s: %d parts", name, len(parts))
		}
	}
}
